"""
Calls of functions of the user's: plain, with a Deferred, or coroutine functions.

Whatever they raise becomes an ``Exception``.  ``SystemExit``, ``KeyboardInterrupt``, asyncio's
``CancelledError`` and ``GeneratorExit`` would pass through every ``except Exception`` on their
way, and leave what is being done there half done.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import iscoroutine
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from .portable import Portable

__all__ = [
    "PLAIN_TYPES",
    "UserFunctionError",
    "UserFunctionTimeout",
    "abandonable",
    "as_exception",
    "begin_user_function",
    "call_in_next_turn",
    "call_plain_function",
    "call_user_function",
    "cancel_user_function",
    "within",
]

T = TypeVar("T")

PLAIN_TYPES = frozenset((str, dict, list, int, float, bool, type(None)))
"""
What most results are: whether one is a ``Deferred``, which has an abstract base, takes as long to
find out as several calls.
"""

_log = Logger()


class UserFunctionTimeout(Exception):
    """The function took longer than its deadline, and was cancelled."""


class UserFunctionError(Portable):
    """
    The function raised something that is not an ``Exception``, such as ``SystemExit``.  That
    is the ``__cause__``, whose text and traceback this has.
    """

    def __init__(self, raised: BaseException) -> None:
        super().__init__(f"{type(raised).__name__} {_text(raised)}".rstrip())
        self.__cause__ = raised
        self.__traceback__ = raised.__traceback__


def _text(raised: BaseException) -> str:
    try:
        return str(raised)
    except BaseException:  # its own __str__ raises
        return ""


def call_plain_function(function: Callable[..., T], *arguments: Any) -> T:
    """
    Call a function that returns its result at once.

    :raises Exception: what it raised, see :class:`UserFunctionError`.
    """
    try:
        return function(*arguments)
    except Exception:
        raise
    except BaseException as raised:
        raise UserFunctionError(raised) from raised


def call_user_function(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
    """
    Call a function now, of any kind.

    :return: fires with its result; fails with what it raised, which is an ``Exception``, see
        :class:`UserFunctionError`.  Cancelling it cancels the Deferred that the function
        returned, or that its coroutine waits for.
    """
    begun = begin_user_function(function, *arguments)
    return begun.addErrback(as_exception) if isinstance(begun, Deferred) else succeed(begun)


def begin_user_function(function: Callable[..., Any], *arguments: Any) -> Any:
    """
    Call a function now, of any kind.  Most return at once, and a Deferred costs several times
    what the call does.

    :return: its result; or a Deferred of a function that is not done yet, or has failed, with
        anything, of which :func:`as_exception` makes an ``Exception``.
    """
    try:
        result = function(*arguments)
    except BaseException:
        return fail()
    if type(result) in PLAIN_TYPES:
        return result
    if isinstance(result, Failure):
        return fail(result)
    if iscoroutine(result):
        return Deferred.fromCoroutine(result)
    return result


def as_exception(failure: Failure) -> Failure:
    """
    :param failure: of a function of the user's.
    :return: the same; or one with :class:`UserFunctionError`, if that is no ``Exception``.
    """
    raised = failure.value
    if raised is None or isinstance(raised, Exception):
        return failure
    return Failure(UserFunctionError(raised), None, failure.getTracebackObject())


def cancel_user_function(called: Deferred[Any]) -> None:
    """
    Cancel what a function of the user's has begun.  A Deferred can have a canceller of the
    user's as well: what that raises is logged, and goes no further.

    :param called: from :func:`call_user_function`; it may fire later, or never.
    """
    try:
        called.cancel()
    except BaseException:
        _log.failure(
            "a function that was called raised while it was cancelled", event="function.failed"
        )


def call_in_next_turn(
    reactor: IReactorTime, function: Callable[..., Any], *arguments: Any
) -> Deferred[Any]:
    """
    Call a function in the next turn of the reactor: it may stop the client, which must not
    happen in the middle of another change.

    :return: as :func:`call_user_function` does, and :func:`abandonable`.  It fails with
        Twisted's ``CancelledError`` only if it was cancelled itself.
    """

    def call() -> Deferred[Any]:
        called = call_user_function(function, *arguments).addErrback(_not_cancelled)
        if result.called:  # cancelled by the function itself
            cancel_user_function(called)
        return called

    result = abandonable(deferLater(reactor, 0, call))
    return result


def _not_cancelled(failure: Failure) -> Failure:
    raised = failure.value
    if raised is None or not failure.check(CancelledError):
        return failure
    return Failure(UserFunctionError(raised), None, failure.getTracebackObject())


def within(seconds: float, reactor: IReactorTime, called: Deferred[T]) -> Deferred[T]:
    """
    Put a deadline on ``called`` that holds even if that ignores being cancelled.

    :return: fires as ``called`` does, or fails with :class:`UserFunctionTimeout`.  It is
        :func:`abandonable`, and fails with Twisted's ``CancelledError`` only if it was cancelled
        itself.
    """
    result = abandonable(called.addErrback(_not_cancelled))
    if result.called:
        return result
    return result.addTimeout(seconds, reactor, lambda *_: Failure(UserFunctionTimeout()))


def abandonable(called: Deferred[T]) -> Deferred[T]:
    """
    Wait for ``called`` in such a way that cancelling works at once: coroutines and Deferreds
    may ignore it.

    :return: fires as ``called`` does.  Cancelling it cancels ``called``, and fails at once
        with ``CancelledError``; a later result of ``called`` is dropped.
    """
    abandoned = False

    def abandon(_: object) -> None:
        nonlocal abandoned
        abandoned = True
        cancel_user_function(called)

    def done(outcome: Any) -> None:
        if not abandoned:
            result.callback(outcome)

    result: Deferred[T] = Deferred(abandon)
    called.addBoth(done)
    return result
