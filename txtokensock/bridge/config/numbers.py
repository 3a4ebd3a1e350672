"""
Numbers of a section that types alone let through.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ...support.checks import Check, check_count, check_seconds
from .section import Problem

__all__ = ["counts", "seconds"]


def seconds(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """
    Each of these fields that is no length of time.  None is no problem where the type
    lets it through.

    :param path: where the section is.
    """
    yield from _problems(check_seconds, section, path, fields)


def counts(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """Each of these fields that is no count; see :func:`seconds`."""
    yield from _problems(check_count, section, path, fields)


def _problems(
    check: Check[Any], section: Any, path: str, fields: Iterable[str]
) -> Iterator[Problem]:
    for field in fields:
        value = getattr(section, field)
        problem = None if value is None else check.problem(value)
        if problem is not None:
            yield Problem(f"{path}.{field}", problem)
