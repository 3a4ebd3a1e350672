"""
Work that is continued in later turns of the reactor.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn
from txtokensock.support.slices import Slices


class SlicesTests(SynchronousTestCase):
    """Order, and where a turn ends."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.slices = Slices(self.clock)
        self.done: list[int] = []

    def work(self, number: int, seconds: float = 0.0, units: int = 0) -> None:
        """Ask for a call that takes so long."""

        def function() -> None:
            self.done.append(number)
            self.clock.rightNow += seconds
            self.slices.units -= units

        self.slices.call(function)

    def test_a_turn_is_short(self) -> None:
        """Functions are called in order, and after 5 ms the rest waits for the next turn."""
        for number in range(7):
            self.work(number, 0.002)
        self.assertEqual(self.done, [])
        one_turn(self.clock)
        self.assertEqual(self.done, [0, 1, 2])
        one_turn(self.clock)
        self.assertEqual(self.done, [0, 1, 2, 3, 4, 5])
        one_turn(self.clock)
        self.assertEqual((self.done, self.clock.calls), ([*range(7)], []))

    def test_a_clock_that_stands_still(self) -> None:
        """A turn also ends at a count."""
        for number in range(1500):
            self.work(number)
        one_turn(self.clock)
        self.assertEqual(len(self.done), 1000)

    def test_behind_all_others(self) -> None:
        """Who asks again is called in a later turn, behind those that wait."""

        def again() -> None:
            self.done.append(0)
            self.slices.call(again)

        self.slices.call(again)
        one_turn(self.clock)
        self.assertEqual(self.done, [0])
        self.work(1)
        one_turn(self.clock)
        self.assertEqual(self.done, [0, 0, 1])
        self.slices.stop()
        self.assertEqual(self.clock.calls, [])

    def test_units(self) -> None:
        """With no units left the turn is over; the next one has them anew."""
        most = self.slices.units
        for number in range(4):
            self.work(number, units=most // 2)
        self.slices.units = 0
        one_turn(self.clock)
        self.assertEqual(self.done, [0, 1])
        one_turn(self.clock)
        self.assertEqual((self.done, self.slices.units), ([0, 1, 2, 3], 0))

    def test_shares(self) -> None:
        """The more wait, the less is one's share; never more than is left."""
        alone = self.slices.share
        self.work(0)
        self.assertLess(self.slices.share, alone)
        for number in range(1000):
            self.work(number)
        least = self.slices.share
        self.assertGreater(least, 0)
        self.slices.units = least - 1
        self.assertEqual(self.slices.share, least - 1)

    def test_for_each(self) -> None:
        """The first items at once, the others in later turns; what follows waits for all."""
        done = self.slices.for_each(range(40), self.done.append)
        self.assertEqual(self.done, [*range(16)])
        one_turn(self.clock)
        self.assertEqual(self.done, [*range(32)])
        self.assertNoResult(done)
        one_turn(self.clock)
        self.successResultOf(done)
        self.assertEqual((self.done, self.clock.calls), ([*range(40)], []))
        for count in (0, 1, 15):
            self.successResultOf(self.slices.for_each(range(count), self.done.append))

    def test_for_each_when_it_ends(self) -> None:
        """At the end the rest is done at once, in order."""
        done = self.slices.for_each(range(1000), self.done.append, at_a_time=64)
        more = self.slices.for_each(range(100), lambda _: None)
        one_turn(self.clock)
        self.assertEqual(self.done, [*range(128)])
        self.slices.stop()
        self.assertEqual((self.done, self.clock.calls), ([*range(1000)], []))
        self.successResultOf(done)
        self.successResultOf(more)

    def test_a_function_that_raises(self) -> None:
        """The others are called all the same."""
        self.slices.call(lambda: 1 / 0)
        self.work(1)
        self.assertRaises(ZeroDivisionError, one_turn, self.clock)
        one_turn(self.clock)
        self.assertEqual(self.done, [1])

    def test_long_ones(self) -> None:
        """One in every fourth turn, however many others there are."""
        for number in (1, 2):
            self.slices.call(lambda number=number: self.done.append(-number), long=True)
            self.work(number)
        self.assertEqual(len(self.slices), 2)
        one_turn(self.clock)
        self.assertEqual(self.done, [1, 2])
        for number in (3, 4, 5, 6):
            self.work(number, units=1000)
        for _ in range(3):
            self.assertNotIn(-1, self.done)
            one_turn(self.clock)
        self.assertEqual(self.done, [1, 2, 3, 4, 5, -1])
        for _ in range(4):
            self.assertNotIn(-2, self.done)
            one_turn(self.clock)
        self.assertEqual((self.done[6:], self.clock.calls), ([6, -2], []))

    def test_no_more_long_ones(self) -> None:
        """What waits is dropped at the end."""
        self.slices.call(lambda: self.done.append(1), long=True)
        self.slices.stop()
        self.clock.pump([0] * 5)
        self.assertEqual(self.done, [])
