"""
Names and data of one side as names and data of the other (no I/O).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError

from ...errors import (
    CallTimeout,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidData,
    RemoteError,
    TokenSocketError,
)
from .realm import RealmLost, RequestTimeout, WampError

__all__ = ["Pattern", "action_error", "arguments_of", "call_error", "data_of", "unavailable"]


class Pattern:
    """
    A name, or many: a ``*`` stands for one or more characters.

    :ivar text: as it was written.
    :ivar exact: whether it is one name.
    :ivar prefix: what comes before the ``*``; all where there is none.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.prefix, star, self._suffix = text.partition("*")
        self.exact = not star

    def match(self, name: str) -> str | None:
        """What the ``*`` stands for in ``name``, ``""`` where there is none; None: no match."""
        if self.exact:
            return "" if name == self.text else None
        if len(name) <= len(self.prefix) + len(self._suffix):
            return None
        if not (name.startswith(self.prefix) and name.endswith(self._suffix)):
            return None
        return name[len(self.prefix) : len(name) - len(self._suffix)]

    def fill(self, rest: str) -> str:
        """The name in which the ``*`` stands for ``rest``."""
        return self.text if self.exact else f"{self.prefix}{rest}{self._suffix}"

    def overlaps(self, other: Pattern) -> bool:
        """Whether there is a name that is both."""
        if self.exact:
            return other.match(self.text) is not None
        if other.exact:
            return self.match(other.text) is not None
        prefixes = sorted((self.prefix, other.prefix), key=len)
        suffixes = sorted((self._suffix, other._suffix), key=len)
        return prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])


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


# -- what went wrong upstream, for WAMP callers


def unavailable(message: str) -> WampError:
    """The side that should answer is not there; nothing was done."""
    return WampError("wamp.error.unavailable", [message])


def call_error(problem: BaseException | None) -> WampError:
    """
    What a WAMP caller is answered.  Where it may be that the function ran, the keyword
    ``may_have_run`` says so.
    """
    if isinstance(problem, FunctionNotFound):
        return WampError("tokensock.error.function_not_found", [problem.error])
    if isinstance(problem, Forbidden):
        return WampError("tokensock.error.forbidden", [problem.error])
    if isinstance(problem, RemoteError):
        return WampError("tokensock.error.remote", [problem.error])
    if isinstance(problem, CallTimeout):
        uri = "tokensock.error.timeout"
        return WampError(uri, [str(problem)], {"may_have_run": problem.may_have_run})
    if isinstance(problem, ConnectionLost):
        uri = "tokensock.error.disconnected"
        return WampError(uri, [str(problem)], {"may_have_run": problem.may_have_run})
    if isinstance(problem, InvalidData):
        return WampError("wamp.error.invalid_argument", [str(problem)])
    if isinstance(problem, CancelledError):
        return WampError("wamp.error.canceled", ["the caller withdrew the call"])
    if isinstance(problem, TokenSocketError):  # the queue is full, the client is stopped
        return unavailable(str(problem))
    return WampError("wamp.error.runtime_error", [type(problem).__name__])


# -- what went wrong at the router, for the server


def action_error(problem: BaseException | None) -> dict[str, Any]:
    """
    What the server is answered: ``error`` is a URI, ``message`` for people, ``args`` and
    ``kwargs`` are the procedure's own.
    """
    if isinstance(problem, WampError):
        return {
            "error": problem.uri,
            "message": problem.message,
            "args": problem.args_,
            "kwargs": problem.kwargs,
        }
    if isinstance(problem, RequestTimeout):
        return _own_error("tokensock.error.timeout", str(problem))
    if isinstance(problem, RealmLost):
        return _own_error("wamp.error.unavailable", str(problem))
    return _own_error("wamp.error.runtime_error", type(problem).__name__)


def _own_error(uri: str, message: str) -> dict[str, Any]:
    return {"error": uri, "message": message, "args": [], "kwargs": {}}
