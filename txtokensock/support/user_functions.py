"""
Asking a function of the user's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

__all__ = ["ask"]


def ask(reactor: IReactorTime, function: Callable[[], Any]) -> Deferred[Any]:
    """
    Call a function of the user's in a turn of its own, for it may stop the client, which
    must not meet that in the middle of starting an attempt.

    :param function: gives a value, or a Deferred or coroutine of one.
    :return: fires with the value; fails with what the function raised.  Cancelling it
        cancels what the function returned and does not wait for that: a coroutine that
        catches what cancels it goes on for itself.
    """
    asked: Deferred[Any] | None = None

    def call_it() -> None:
        nonlocal asked
        asked = maybeDeferred(function)
        asked.addBoth(done)
        if answer.called:
            asked.cancel()

    def done(outcome: Any) -> None:
        if not answer.called:
            answer.callback(outcome)

    def cancel(_: object) -> None:
        answer.errback(CancelledError())
        if call.active():
            call.cancel()
        elif asked is not None:
            asked.cancel()

    answer: Deferred[Any] = Deferred(cancel)
    call = reactor.callLater(0, call_it)
    return answer
