"""
Names and errors of one side as names and errors of the other (no I/O).
"""

from __future__ import annotations

from typing import Any

from ..error_table import ErrorKind, action_error, classify
from .realm import WampError

__all__ = ["Pattern", "answer_error", "call_error", "unavailable"]


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


# -- what went wrong


def unavailable(message: str) -> WampError:
    """The side that should answer is not there; nothing was done."""
    return WampError(ErrorKind.UNAVAILABLE.uri, [message])


def call_error(problem: BaseException | None) -> WampError:
    """
    What a WAMP caller is answered.  Where it may be that the function ran, the keyword
    ``may_have_run`` says so.
    """
    error = classify(problem)
    return WampError(error.kind.uri, [error.detail], error.doubt)


def answer_error(problem: BaseException | None) -> dict[str, Any]:
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
    error = classify(problem)
    return action_error(error.kind, error.detail, args=[], kwargs={})
