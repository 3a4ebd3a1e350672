"""
``support.waiters``: all who wait for one thing.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.waiters import Waiters


class WaitersTests(SynchronousTestCase):
    """Deferreds that fire together."""

    def setUp(self) -> None:
        self.waiters: Waiters[Any] = Waiters()
        self.heard: list[Any] = []

    def wait(self, name: str) -> Deferred[Any]:
        """Wait, and note the name when that is over."""
        return self.waiters.wait().addBoth(lambda _: self.heard.append(name))

    def test_fire(self) -> None:
        """All who wait get the result, in the order of asking, and once."""
        first, second = self.waiters.wait(), self.waiters.wait()
        self.assertEqual(len(self.waiters), 2)
        self.waiters.fire("now")
        self.waiters.fire("again")
        self.assertEqual(
            (self.successResultOf(first), self.successResultOf(second)), ("now", "now")
        )
        self.assertEqual(len(self.waiters), 0)

    def test_order(self) -> None:
        """The one who asked first hears first."""
        for name in "abc":
            self.wait(name)
        self.waiters.fire()
        self.assertEqual(self.heard, ["a", "b", "c"])

    def test_failure(self) -> None:
        """A Failure fails all of them."""
        waiters = [self.waiters.wait() for _ in range(2)]
        self.waiters.fire(Failure(ValueError("x")))
        for waiter in waiters:
            self.failureResultOf(waiter, ValueError)

    def test_cancel(self) -> None:
        """Who waits no longer is forgotten at once; the others are not concerned."""
        one, other = self.waiters.wait(), self.waiters.wait()
        one.cancel()
        self.failureResultOf(one, CancelledError)
        self.assertEqual(len(self.waiters), 1)
        self.waiters.fire(5)
        self.assertEqual(self.successResultOf(other), 5)

    def test_cancelled_while_firing(self) -> None:
        """A callback may cancel those behind it: they are left out, and no other is."""
        first, second, third = (self.waiters.wait() for _ in range(3))
        first.addCallback(lambda _: second.cancel())
        self.waiters.fire("x")
        self.failureResultOf(second, CancelledError)
        self.assertEqual(self.successResultOf(third), "x")

    def test_waits_while_firing(self) -> None:
        """Who begins to wait in a callback waits for the next time."""
        late: list[Deferred[Any]] = []
        self.waiters.wait().addCallback(lambda _: late.append(self.waiters.wait()))
        self.waiters.fire(1)
        self.assertNoResult(late[0])
        self.waiters.fire(2)
        self.assertEqual(self.successResultOf(late[0]), 2)

    def test_fires_again_while_firing(self) -> None:
        """Those who are being fired have one outcome, whatever a callback fires meanwhile."""
        first, second = self.waiters.wait(), self.waiters.wait()
        first.addCallback(lambda _: self.waiters.fire("inner"))
        self.waiters.fire("outer")
        self.assertEqual(self.successResultOf(second), "outer")

    def test_take(self) -> None:
        """Those who were taken out are fired apart from those who came later."""
        early = self.waiters.wait()
        taken = self.waiters.take()
        late = self.waiters.wait()
        self.waiters.fire("late")
        self.assertNoResult(early)
        taken.fire("early")
        self.assertEqual(
            (self.successResultOf(early), self.successResultOf(late)), ("early", "late")
        )

    def test_take_some(self) -> None:
        """The others go on waiting."""
        one, other = self.waiters.wait(), self.waiters.wait()
        self.waiters.take(lambda waiter: waiter is other).fire(1)
        self.assertNoResult(one)
        self.assertEqual((self.successResultOf(other), len(self.waiters)), (1, 1))

    def test_cancel_after_take(self) -> None:
        """Who was taken out can still give up."""
        waiter = self.waiters.wait()
        taken = self.waiters.take()
        waiter.cancel()
        self.failureResultOf(waiter, CancelledError)
        taken.fire(1)

    def test_fire_first(self) -> None:
        """One each time, the oldest first."""
        for name in "abc":
            self.wait(name)
        self.assertTrue(self.waiters.fire_first())
        self.assertTrue(self.waiters.fire_first())
        self.assertEqual((self.heard, len(self.waiters)), (["a", "b"], 1))

    def test_fire_first_of_none(self) -> None:
        """Nobody waits: that is said, and nothing happens."""
        self.wait("a").cancel()
        self.assertFalse(self.waiters.fire_first())
