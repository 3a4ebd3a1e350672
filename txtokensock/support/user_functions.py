"""
Calling a function of the user's: plain, with a Deferred, or a coroutine function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

__all__ = [
    "UserFunctionTimeout",
    "abandonable",
    "call_in_next_turn",
    "call_user_function",
    "within",
]

T = TypeVar("T")


class UserFunctionTimeout(Exception):
    """What was called has had its time, and was cancelled."""


def call_user_function(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """
    Call a function now, whatever kind it is.

    :return: fires with its result; fails with what it raised.  Cancelling it cancels the
        Deferred that the function returned, or that its coroutine waits for.
    """
    return maybeDeferred(function, *arguments)


def call_in_next_turn(
    reactor: IReactorTime, function: Callable[..., Any], *arguments: Any
) -> Deferred[Any]:
    """
    Call a function in a turn of its own: it may stop the client, which must not meet that
    in the middle of something.

    :return: as of :func:`call_user_function`, and :func:`abandonable`.
    """

    def call() -> Deferred[Any]:
        called = call_user_function(function, *arguments)
        if result.called:  # cancelled by the function itself
            called.cancel()
        return called

    result = abandonable(deferLater(reactor, 0, call))
    return result


def within(seconds: float, reactor: IReactorTime, called: Deferred[T]) -> Deferred[T]:
    """
    A deadline that holds whatever ``called`` does with being cancelled.

    :return: fires as ``called`` does, or fails with :class:`UserFunctionTimeout`.  It is
        :func:`abandonable`.
    """
    result = abandonable(called)
    if result.called:
        return result
    return result.addTimeout(seconds, reactor, lambda *_: Failure(UserFunctionTimeout()))


def abandonable(called: Deferred[T]) -> Deferred[T]:
    """
    Wait for what may not let itself be cancelled: coroutines and Deferreds may ignore it.

    :return: fires as ``called`` does.  Cancelling it cancels ``called`` and fails at once
        with ``CancelledError``; what ``called`` gives later changes nothing.
    """
    abandoned = False

    def abandon(_: object) -> None:
        nonlocal abandoned
        abandoned = True
        called.cancel()

    def done(outcome: Any) -> None:
        if not abandoned:
            result.callback(outcome)

    result: Deferred[T] = Deferred(abandon)
    called.addBoth(done)
    return result
