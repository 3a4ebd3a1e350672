"""
Errors of the server as those of WAMP, and the other way round (no I/O).
"""

from __future__ import annotations

from typing import Any

from ..error_table import ErrorKind, action_error, classify
from .realm import WampError

__all__ = ["answer_error", "call_error", "unavailable"]


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
