"""
Actions: functions that the other side calls by name.

Client and server keep them alike, as a mapping from names to functions in which
mappings nest: ``{"ping": ping, "user": {"read": read}}`` offers ``ping`` and
``user.read``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from twisted.logger import Logger

from .errors import ActionError, InvalidOption, shorten

__all__ = ["Action", "Actions", "check_actions", "find_action", "outcome_error"]

Action: TypeAlias = Callable[..., Any]
"""A function, one that returns a Deferred, or a coroutine function."""

Actions: TypeAlias = Mapping[str, Any]
"""Names to an :data:`Action` or to more :data:`Actions`."""

_log = Logger()


def check_actions(actions: object, path: str = "actions") -> None:
    """
    :raises InvalidOption: for anything but mappings from text without dots to
        callables or mappings of that kind; the text names the place.
    """
    if not isinstance(actions, Mapping):
        raise InvalidOption(f"{path} must be a mapping of names to functions")
    for name, action in actions.items():
        if not isinstance(name, str) or not name or "." in name:
            raise InvalidOption(f"{path} has the name {name!r}: nest mappings instead of dots")
        if not callable(action):
            check_actions(action, f"{path}.{name}")


def find_action(actions: Actions, name: str) -> Action | None:
    """
    The action of that dotted name, or None.

    Only mappings are looked into, never attributes, and the whole name must lead to
    a function: the JavaScript originals find ``toString`` on their own objects and
    stop at the first function on the way (S16, C19).
    """
    found: Any = actions
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found if callable(found) else None


def outcome_error(failure: Any, name: str) -> Any:
    """
    What the caller is told of an action that failed: never falsy, for falsy errors
    are read as success (S17).

    An :class:`~txtokensock.errors.ActionError` was meant and goes out as it is; any
    other exception is a bug or a surprise: it is logged, and only its text goes out.
    """
    if failure.check(ActionError):
        return failure.value.error
    _log.failure("the action {action} failed", failure, action=shorten(name))
    try:
        text = shorten(str(failure.value))
    except Exception:  # it cannot even say what it is
        text = ""
    return text or failure.type.__name__
