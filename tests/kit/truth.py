"""
Whether what a client says of a request is what its peer knows of it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    QueueFull,
    RemoteError,
    UsageError,
)

__all__ = ["untruth"]


def untruth(
    outcome: Any, arrived: int, *, wasted: int = 0, again: bool = False, promised: bool = True
) -> str:
    """
    Judge the outcome of a request by the record of the peer.

    :param outcome: a result or an exception.
    :param arrived: how often the peer has taken the request.
    :param wasted: how often it came in on a connection that was closing.
    :param again: whether it may arrive more than once.
    :param promised: whether a success says that it has arrived: with acknowledgements, or an
        answer.
    :return: what is wrong about it, or nothing.
    """
    if arrived > 1 and not again:
        return "it ran twice"
    if not isinstance(outcome, BaseException):
        return "success of what never arrived" if promised and not arrived else ""
    if isinstance(outcome, RemoteError):
        return "" if arrived else "refused by nobody"
    if isinstance(outcome, CallTimeout | ConnectionLost):
        known = outcome.may_have_run or not (arrived or wasted)
        return "" if known else "it says that it was never sent"
    if isinstance(outcome, ClientClosed | QueueFull | UsageError):
        return "it says that it was never sent" if arrived or wasted else ""
    return "" if isinstance(outcome, CancelledError) else "an error of no request"
