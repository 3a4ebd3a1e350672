"""
``support.user_functions``: functions of any kind, and how long they are waited for.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.user_functions import (
    UserFunctionError,
    UserFunctionTimeout,
    abandonable,
    call_in_next_turn,
    call_plain_function,
    call_user_function,
    within,
)


def plain(*arguments: Any) -> Any:
    """A function."""
    return sum(arguments)


def deferring(*arguments: Any) -> Deferred[Any]:
    """One that returns a Deferred."""
    return succeed(sum(arguments))


async def coroutine(*arguments: Any) -> Any:
    """A coroutine function."""
    return await succeed(sum(arguments))


def broken(*_: Any) -> Any:
    """One that raises."""
    raise ValueError("broken")


async def broken_coroutine(*_: Any) -> Any:
    """One that raises, as a coroutine does."""
    raise ValueError("broken")


class Stubborn:
    """
    A coroutine function that does not let itself be cancelled.

    :ivar cancelled: how often that was tried.
    """

    def __init__(self) -> None:
        self.cancelled = 0
        self.gate: Deferred[Any] = Deferred()

    async def __call__(self) -> Any:
        try:
            await Deferred()
        except CancelledError:
            self.cancelled += 1
        return await self.gate


class CallTests(SynchronousTestCase):
    """All kinds of functions are called alike."""

    def setUp(self) -> None:
        self.clock = Clock()

    def test_kinds(self) -> None:
        """The result is that of the function, of its Deferred or of its coroutine."""
        for function in (plain, deferring, coroutine):
            self.assertEqual(self.successResultOf(call_user_function(function, 1, 2)), 3)
            later = call_in_next_turn(self.clock, function, 1, 2)
            self.assertNoResult(later)
            self.clock.advance(0)
            self.assertEqual(self.successResultOf(later), 3)

    def test_failures(self) -> None:
        """What it raises is the failure."""
        for function in (broken, broken_coroutine):
            self.failureResultOf(call_user_function(function), ValueError)
            later = call_in_next_turn(self.clock, function)
            self.clock.advance(0)
            self.failureResultOf(later, ValueError)

    def test_cancel(self) -> None:
        """Cancelling reaches what a coroutine waits for."""
        inner: Deferred[None] = Deferred()
        heard: list[Any] = []
        inner.addErrback(heard.append)

        async def coroutine() -> None:
            await inner
            raise CancelledError

        running = call_user_function(coroutine)
        running.cancel()
        self.failureResultOf(running, CancelledError)
        self.assertIsInstance(heard[0].value, CancelledError)

    def test_cancelled_before_its_turn(self) -> None:
        """Then the function is not called at all."""
        later = call_in_next_turn(self.clock, broken)
        later.cancel()
        self.failureResultOf(later, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_cancelled_by_the_function(self) -> None:
        """Who stops everything from inside of the function waits no longer for its result."""
        cancelled: list[object] = []
        inner: Deferred[Any] = Deferred(cancelled.append)

        def stop() -> Deferred[Any]:
            later.cancel()
            return inner

        later = call_in_next_turn(self.clock, stop)
        self.clock.advance(0)
        self.failureResultOf(later, CancelledError)
        self.assertEqual(cancelled, [inner])


class AbandonTests(SynchronousTestCase):
    """Nobody waits for what will not end."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.stubborn = Stubborn()
        self.called: Deferred[Any] = call_user_function(self.stubborn)

    def test_in_time(self) -> None:
        """What ends in time is what it is, and leaves no timer."""
        for function in (plain, coroutine):
            result = within(1, self.clock, call_user_function(function, 1))
            self.assertEqual(self.successResultOf(result), 1)
        self.failureResultOf(within(1, self.clock, call_user_function(broken)), ValueError)
        slow: Deferred[Any] = Deferred()
        result = within(1, self.clock, slow)
        self.clock.advance(0.5)
        slow.callback(2)
        self.assertEqual(self.successResultOf(result), 2)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_too_late(self) -> None:
        """It is cancelled, and its later result is nobody's."""
        result = within(1, self.clock, self.called)
        self.clock.advance(1)
        self.failureResultOf(result, UserFunctionTimeout)
        self.assertEqual(self.stubborn.cancelled, 1)
        self.stubborn.gate.errback(ValueError())

    def test_cancelled(self) -> None:
        """Cancelling does not wait for it either."""
        for wait in (abandonable, lambda called: within(1, self.clock, called)):
            self.setUp()
            result = wait(self.called)
            result.cancel()
            self.failureResultOf(result, CancelledError)
            self.assertEqual((self.stubborn.cancelled, self.clock.getDelayedCalls()), (1, []))
            self.stubborn.gate.callback("late")

    def test_canceller_raises(self) -> None:
        """What raises while it is cancelled is logged, and is waited for no longer."""

        def refuse(_: object) -> None:
            raise ValueError("not now")

        inner: Deferred[Any] = Deferred(refuse)
        late, cancelled = within(1, self.clock, inner), abandonable(Deferred(refuse))
        self.clock.advance(1)
        self.failureResultOf(late, UserFunctionTimeout)
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        inner.callback("late")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_result_of_being_cancelled(self) -> None:
        """What fires at once when it is cancelled is too late as well."""
        inner: Deferred[Any] = Deferred(lambda deferred: deferred.callback("a result"))
        result = within(1, self.clock, inner)
        self.clock.advance(1)
        self.failureResultOf(result, UserFunctionTimeout)


class BaseExceptionTests(SynchronousTestCase):
    """What is raised comes as an Exception, which every ``except Exception`` catches."""

    def test_base_exception(self) -> None:
        """It has the text of what was raised, its traceback, and that itself as the cause."""

        def leaves(*_: Any) -> None:
            raise SystemExit(3)

        async def leaves_later(*_: Any) -> None:
            raise SystemExit(3)

        for function in (leaves, leaves_later):
            failure = self.failureResultOf(call_user_function(function), UserFunctionError)
            self.assertEqual(str(failure.value), "SystemExit 3")
            self.assertIsInstance(failure.value.__cause__, SystemExit)
            self.assertIn("raise SystemExit(3)", failure.getTraceback())
        error = self.assertRaises(UserFunctionError, call_plain_function, leaves)
        self.assertEqual(str(error), "SystemExit 3")

    def test_exception(self) -> None:
        """An Exception is what it was."""
        self.failureResultOf(call_user_function(broken), ValueError)
        self.assertRaises(ValueError, call_plain_function, broken)
        self.assertEqual(call_plain_function(plain, 1, 2), 3)

    def test_unreadable(self) -> None:
        """What cannot say what it is is known by its name."""

        class Unreadable(BaseException):
            def __str__(self) -> str:
                raise self

        def function() -> None:
            raise Unreadable

        error = self.assertRaises(UserFunctionError, call_plain_function, function)
        self.assertEqual(str(error), "Unreadable")

    def test_cancelled_by_itself(self) -> None:
        """A function that raises CancelledError has failed: nobody cancelled anything."""
        clock = Clock()

        def function() -> None:
            raise CancelledError

        called = call_in_next_turn(clock, function)
        clock.advance(0)
        self.failureResultOf(called, UserFunctionError)
