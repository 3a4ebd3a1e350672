"""
Many deadlines on one timer.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.deadlines import Deadlines


class TurnClock(Clock):
    """Each turn of the reactor takes a millisecond."""

    def callLater(self, when: float, *args: Any, **kwargs: Any) -> Any:
        return super().callLater(when + 0.001, *args, **kwargs)


class DeadlineTests(SynchronousTestCase):
    """What is over, when, and in which order."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines: Deadlines[str] = Deadlines(self.clock, self.expired.extend)

    def add(self, name: str, seconds: float) -> None:
        """Something that has so much time from now."""
        self.deadlines.add(name, seconds, self.clock.seconds())

    def test_order(self) -> None:
        """Each is over in its time, whatever was added before it; together by deadline."""
        for name, seconds in (("a", 5.0), ("b", 3.0), ("c", 5.0), ("d", 0.5)):
            self.add(name, seconds)
        for seconds, expired in ((0.5, "d"), (2.5, "db"), (1.75, "db"), (0.25, "dbac")):
            self.clock.pump([seconds, 0])
            self.assertEqual("".join(self.expired), expired)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.deadlines), 0)

    def test_late_look(self) -> None:
        """Where the reactor was held up, all that is over is told of together, by deadline."""
        self.add("a", 5.0)
        self.add("b", 3.0)
        self.clock.advance(1)
        self.add("c", 3.0)
        self.clock.advance(8)
        self.clock.pump([0] * 200)
        self.assertEqual(self.expired, ["b", "c", "a"])

    def test_removed(self) -> None:
        """What is done is not over, and does not hold up what is behind it."""
        self.add("a", 5.0)
        self.clock.advance(1)
        self.add("b", 5.0)
        self.deadlines.remove("a", 5.0)
        self.clock.pump([4, 0])
        self.assertEqual(self.expired, [])
        self.clock.pump([1, 0])
        self.assertEqual(self.expired, ["b"])

    def test_removed_twice(self) -> None:
        """It may be removed again, and when it is over, or was never added."""
        self.add("a", 5.0)
        self.clock.pump([5, 0])
        self.deadlines.remove("a", 5.0)
        self.add("b", 5.0)
        self.deadlines.remove("a", 5.0)
        self.deadlines.remove("b", 4.0)
        self.clock.pump([5, 0])
        self.assertEqual(self.expired, ["a", "b"])

    def test_begun(self) -> None:
        """The time counts from when it began."""
        self.clock.advance(10)
        self.deadlines.add("a", 5.0, begun=8.0)
        self.clock.pump([2.5, 0])
        self.assertEqual(self.expired, [])
        self.clock.pump([0.5, 0])
        self.assertEqual(self.expired, ["a"])

    def test_added_meanwhile(self) -> None:
        """What is over may add more, which does not put off what comes next."""
        times: list[tuple[float, str]] = []

        def expired(names: list[str]) -> None:
            times.extend((self.clock.seconds(), name) for name in names)
            if "a" in names:
                self.add("d", 2.5)
                self.add("e", 100.0)

        self.deadlines = Deadlines(self.clock, expired)
        for name, seconds in (("a", 10.0), ("b", 11.0), ("c", 12.0)):
            self.add(name, seconds)
        self.clock.pump([10] + [0.25] * 12)
        self.assertEqual([name for _, name in times], ["a", "b", "c", "d"])
        self.assertEqual([int(time) for time, _ in times], [10, 11, 12, 12])
        self.assertEqual(len(self.deadlines), 1)
        self.deadlines.stop()

    def test_added_while_reading(self) -> None:
        """More that is added while the network is read again does not put off what is over."""
        self.clock = TurnClock()
        self.deadlines = Deadlines(self.clock, self.expired.extend)
        self.add("a", 5.0)
        self.clock.advance(10)
        for number in range(200):
            self.add("b", 1000.0 + number)
            self.clock.advance(0.001)
        self.assertEqual(self.expired, ["a"])
        self.deadlines.stop()

    def test_stop(self) -> None:
        """No timer is left, nothing is over, and more can be added."""
        self.add("a", 5.0)
        self.deadlines.stop()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.deadlines.remove("a", 5.0)
        self.add("b", 5.0)
        self.clock.pump([5, 0])
        self.assertEqual(self.expired, ["b"])

    def test_one_timer(self) -> None:
        """There is one timer, and it is set once for all that come with the same time."""
        for number in range(1000):
            self.add(str(number), 60.0)
            (timer,) = self.clock.getDelayedCalls()
            self.assertEqual(timer.getTime(), 60.0)
            self.deadlines.remove(str(number), 60.0)
            self.clock.advance(0.01)
        self.deadlines.stop()

    def test_memory(self) -> None:
        """What is done is forgotten at once; and, of times that all differ, soon also these."""
        self.add("a", 1000.0)
        for number in range(10_000):
            self.add("b", 1000.0 + number)
            self.deadlines.remove("b", 1000.0 + number)
        self.assertEqual(len(self.deadlines), 1)
        self.assertLess(len(self.deadlines._lines), 200)
        self.clock.pump([1000, 0])
        self.assertEqual(self.expired, ["a"])
        self.deadlines.stop()
