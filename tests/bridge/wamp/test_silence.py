"""
When a router that owes an answer is silent.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.wamp.silence import Silence


class SilenceTests(SynchronousTestCase):
    """An answer is awaited for 10 seconds."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.received = 5
        self.told: list[float] = []

    def wait(self, times: int | None = None) -> Silence:
        """Begin to wait."""
        return Silence(
            self.clock,
            lambda: self.received,
            10.0,
            lambda: self.told.append(self.clock.seconds()),
            times,
        )

    def test_silent(self) -> None:
        """Nothing comes: once, and then there is no timer."""
        self.wait()
        self.clock.advance(9.9)
        self.assertEqual(self.told, [])
        self.clock.advance(0.1)
        self.assertEqual(self.told, [10.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_messages(self) -> None:
        """Each ten seconds in which something comes are followed by ten more."""
        self.wait()
        for _ in range(100):
            self.clock.advance(9)
            self.received += 1
            self.clock.advance(1)
        self.assertEqual(self.told, [])
        self.clock.advance(10)
        self.assertEqual(self.told, [1010.0])

    def test_so_many_times(self) -> None:
        """What comes is no answer for ever."""
        self.wait(3)
        for _ in range(4):
            self.received += 1
            self.clock.advance(10)
        self.assertEqual(self.told, [30.0])

    def test_read_first(self) -> None:
        """What came while nothing was read counts: it is judged in the turn after the reading."""
        self.wait()
        self.clock.rightNow = 25.0  # nothing ran meanwhile
        (overdue,) = self.clock.getDelayedCalls()
        self.clock.callLater(0, lambda: setattr(self, "received", 6))  # as a read would
        self.assertLess(overdue.getTime(), 25.0)
        self.clock.advance(0)
        self.assertEqual(self.told, [])
        self.clock.advance(10)
        self.assertEqual(self.told, [35.0])

    def test_stop(self) -> None:
        """Nothing is left, also between the deadline and its judgement."""
        silence = self.wait()
        silence.stop()
        silence.stop()
        self.clock.advance(100)
        again = self.wait()
        self.clock.callLater(10, again.stop)
        self.clock.advance(10)
        self.assertEqual(self.told, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
