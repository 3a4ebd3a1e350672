"""
The arguments of WAMP, and the one value of token-sockjs (no I/O).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import InvalidData
from ..jsontext import dumps

__all__ = ["arguments_of", "data_of", "size_of"]


def data_of(args: Sequence[Any] | None, kwargs: Mapping[str, Any] | None) -> Any:
    """
    Arguments as one value: none is None, one is itself, several are a list, keywords an
    object; positions and keywords together are ``{"args": [...], "kwargs": {...}}``.
    """
    if kwargs:
        return {"args": list(args), "kwargs": dict(kwargs)} if args else dict(kwargs)
    if not args:
        return None
    return args[0] if len(args) == 1 else list(args)


def arguments_of(data: Any, how: str) -> tuple[list[Any], dict[str, Any]]:
    """
    One value as arguments.

    :param how: ``one``: it is the one argument. ``spread``: a list is several, an object
        is keywords, and None is nothing.
    """
    if how == "spread":
        if data is None:
            return [], {}
        if isinstance(data, dict):
            return [], data
        if isinstance(data, list):
            return data, {}
    return [data], {}


def size_of(data: Any) -> int:
    """Bytes of one value in JSON; 0 for one that has no such form, and is not sent."""
    try:
        return len(dumps(data))
    except InvalidData:
        return 0
