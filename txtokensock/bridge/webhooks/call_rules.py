"""
Dotted names in the mappings of actions.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from ...errors import InvalidOption

__all__ = ["install", "uninstall"]


def install(actions: MutableMapping[str, Any], name: str, action: Any) -> None:
    """
    :param name: ``a.b`` is ``b`` in the mapping ``a``, which is made where there is none.
    :raises InvalidOption: where the name, or part of it, is somebody else's action.
    """
    *path, last = name.split(".")
    for part in path:
        actions = actions.setdefault(part, {})
        if not isinstance(actions, MutableMapping):
            raise InvalidOption(f"the action {name!r} cannot be within {part!r}, an action itself")
    if actions.setdefault(last, action) is not action:
        raise InvalidOption(f"the action {name!r} is taken already")


def uninstall(actions: MutableMapping[str, Any], name: str, action: Any) -> None:
    """Take it out again, with the mappings that are empty then, if it is there."""
    first, _, rest = name.partition(".")
    if not rest:
        if actions.get(first) is action:
            del actions[first]
        return
    inner = actions.get(first)
    if isinstance(inner, MutableMapping):
        uninstall(inner, rest, action)
        if not inner:
            del actions[first]
