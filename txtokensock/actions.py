"""
Actions: functions that the other side calls by name.

Client and server keep them alike, as a mapping from names to functions in which
mappings nest: ``{"ping": ping, "user": {"read": read}}`` offers ``ping`` and
``user.read``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from secrets import token_hex
from typing import Any, TypeAlias

from twisted.logger import Logger

from .errors import ActionError, InvalidOption, shorten
from .support.checks import check_callable

__all__ = [
    "Action",
    "Actions",
    "add_action",
    "check_actions",
    "find_action",
    "names_overlap",
    "outcome_error",
    "remove_action",
]

Action: TypeAlias = Callable[..., Any]
"""A function, one that returns a Deferred, or a coroutine function."""

Actions: TypeAlias = Mapping[str, Any]
"""Names to an :data:`~txtokensock.actions.Action` or to more of the same."""

_MAPPINGS = (dict, Mapping)
"""To ask whether a dict is a ``Mapping`` takes several times as long as whether it is a dict."""

_log = Logger()


def check_actions(actions: object, called_with: Sequence[str], path: str = "actions") -> None:
    """
    :param called_with: the names of what an action is given.
    :raises InvalidOption: for anything but mappings from text without dots to
        functions that can be called so, or mappings of that kind; the text names the place.
    """
    if not isinstance(actions, Mapping):
        raise InvalidOption(f"{path} must be a mapping of names to functions")
    for name, action in actions.items():
        if not isinstance(name, str) or not name or "." in name:
            raise InvalidOption(f"{path} has the name {name!r}: nest mappings instead of dots")
        if callable(action):
            check_callable(f"{path}.{name}", action, *called_with)
        else:
            check_actions(action, called_with, f"{path}.{name}")


def find_action(actions: Actions, name: str) -> Action | None:
    """
    The action of that dotted name, or None.

    Only mappings are looked into, never attributes, and the whole name must lead to
    a function: the JavaScript originals find ``toString`` on their own objects and
    stop at the first function on the way.
    """
    found: Any = actions
    for part in name.split(".") if "." in name else (name,):
        if not isinstance(found, _MAPPINGS):
            return None
        found = found.get(part)
    return found if callable(found) else None


def names_overlap(one: str, other: str) -> bool:
    """
    Whether two dotted names cannot both be functions: they are the same, or one lies within
    the other, and a name is either a function or holds some.
    """
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def add_action(actions: MutableMapping[str, Any], name: str, action: Action) -> None:
    """
    Add a function under a dotted name.  Mappings on the way are made, or replaced by
    copies, for they may be somebody else's.

    :raises InvalidOption: if the name is taken, lies within a name that is taken, or around
        some; the text says who has it.
    """
    taken = _taken(actions, name)
    if taken is not None:
        by, owner = taken
        raise InvalidOption(
            f"the action {name!r} cannot be added: {by!r} is taken, by {_describe(owner)}"
        )
    *path, last = name.split(".")
    for part in path:
        actions[part] = actions = dict(actions.get(part) or {})
    actions[last] = action


def remove_action(
    actions: MutableMapping[str, Any], name: str, action: Action | None = None
) -> bool:
    """
    Take out what has a dotted name, and mappings that are empty then.

    :param action: only this one; nothing happens where another has the name.
    :return: whether it was there.
    """
    first, _, rest = name.partition(".")
    found = actions.get(first)
    if not rest:
        if found is None or (action is not None and found is not action):
            return False
        del actions[first]
        return True
    if not isinstance(found, Mapping):
        return False
    inner = dict(found)
    removed = remove_action(inner, rest, action)
    if removed and inner:
        actions[first] = inner
    elif removed:
        del actions[first]
    return removed


def _taken(actions: Actions, name: str) -> tuple[str, Any] | None:
    """The function that stands in the way of this name, and its own name."""
    found: Any = actions
    parts = name.split(".")
    for number, part in enumerate(parts):
        if not isinstance(found, Mapping):
            return ".".join(parts[:number]), found
        found = found.get(part)
        if found is None:
            return None
    return _first_within(name, found)


def _first_within(name: str, found: Any) -> tuple[str, Any] | None:
    if not isinstance(found, Mapping):
        return name, found
    within = (_first_within(f"{name}.{part}", inner) for part, inner in found.items())
    return next((one for one in within if one is not None), None)


def _describe(action: Any) -> str:
    """A function by its name, and any other object by what it says of itself."""
    name = getattr(action, "__qualname__", None)
    return f"{action.__module__}.{name}" if isinstance(name, str) else shorten(repr(action))


def outcome_error(
    failure: Any,
    name: str,
    *,
    peer: object,
    identity: Mapping[str, Any] | None = None,
    expose: bool = False,
) -> Any:
    """
    What the caller is told of an action that failed: never falsy, for falsy errors
    are read as success by the JavaScript clients.

    An :class:`~txtokensock.errors.ActionError` was meant and goes out as it is.  Any other
    exception is a bug or a surprise, and its text may hold what is not the caller's business:
    it is logged with a random reference, and the reference goes out.

    :param name: of the action.
    :param peer: who called it, for the log.
    :param identity: of the peer; the log has its keys, and none of its values.
    :param expose: whether the exception's text goes out instead.
    """
    if failure.check(ActionError):
        return failure.value.error
    reference = token_hex(4)
    _log.failure(
        "the action {action} failed (ref {reference}): called by {peer}, identity {keys}",
        failure,
        event="action.failed",
        action=shorten(name),
        reference=reference,
        peer=peer,
        keys=[shorten(key) for key in identity or ()],
    )
    if not expose:
        return f"Internal error (ref {reference})"
    try:
        text = shorten(str(failure.value))
    except BaseException:  # it cannot even say what it is
        text = ""
    return text or failure.type.__name__
