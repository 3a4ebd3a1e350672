"""
Headers that a message may set (no I/O).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..config.fields import HEADER_VALUE

__all__ = ["allowed"]

_LONGEST_VALUE = 4096


def allowed(data: Any, names: Collection[str]) -> dict[str, str]:
    """
    The headers that a message sets: those of the object ``headers`` in its data which are
    on the list and have a text that can be sent.  All others are only part of the body.

    :param names: the list, in lower case.
    """
    asked = data.get("headers") if names and isinstance(data, Mapping) else None
    if not isinstance(asked, Mapping):
        return {}
    return {
        name.lower(): value
        for name, value in asked.items()
        if isinstance(name, str)
        and name.lower() in names
        and isinstance(value, str)
        and len(value) <= _LONGEST_VALUE
        and HEADER_VALUE.fullmatch(value)
    }
