"""
Numbers of a section that types alone let through.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .section import Problem

__all__ = ["counts", "seconds"]

_LARGEST = 2**53


def seconds(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """
    Each of these fields that is no length of time.  None is no problem where the type
    lets it through.

    :param path: where the section is.
    """
    for field in fields:
        value = getattr(section, field)
        # NaN is not above 0 either.
        if value is not None and not 0 < value < 1e9:
            yield Problem(f"{path}.{field}", f"is {value:g}: it must be above 0 seconds")


def counts(section: Any, path: str, *fields: str) -> Iterator[Problem]:
    """Each of these fields that is no count; see :func:`seconds`."""
    for field in fields:
        value = getattr(section, field)
        if value is not None and not 0 < value < _LARGEST:
            yield Problem(f"{path}.{field}", f"is {value}: it must be a whole number above 0")
