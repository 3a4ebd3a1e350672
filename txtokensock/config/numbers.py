"""
Numbers of a section that types alone let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..support.checks import Check, check_count, check_seconds
from .section import Problem

__all__ = ["counts", "numbers", "seconds"]


def seconds(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """
    Each of these fields that is not a length of time.  None is no problem where the type
    lets it through.

    :param path: where the section is.
    """
    yield from numbers(check_seconds, section, path, *fields)


def counts(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """Each of these fields that is not a count; see :func:`seconds`."""
    yield from numbers(check_count, section, path, *fields)


def numbers(check: Check[Any], section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """Each of these fields that another check does not let through; see :func:`seconds`."""
    for field in fields:
        value = getattr(section, field)
        problem = None if value is None else check.problem(value)
        if problem is not None:
            yield Problem(f"{path}.{field}", problem)
