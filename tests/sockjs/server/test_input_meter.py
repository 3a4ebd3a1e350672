"""
What each input costs.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.server.input_meter import MALFORMED, MESSAGES, PING, InputMeter


class InputMeterTests(SynchronousTestCase):
    """The one function that counts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.exceeded = 0
        self.meter = InputMeter(self.clock, self._exceed)

    def _exceed(self) -> None:
        self.exceeded += 1

    def left(self) -> int:
        """How many messages may still come."""
        messages = 0
        while self.meter.count(MESSAGES):
            messages += 1
        self.exceeded -= 1
        return messages

    def test_without_a_limit(self) -> None:
        """Everything may come until a limit is set."""
        self.assertTrue(self.meter.count(MESSAGES, 10**9, 10**9))
        self.meter.credit(5)
        self.meter.limit(1, 10)
        self.assertEqual(self.left(), 10)

    def test_costs(self) -> None:
        """The kind, the messages and the bytes: the largest counts."""
        for kind, size, messages, cost in (
            (MESSAGES, 0, 0, 1),
            (MESSAGES, 10, 7, 7),
            (MESSAGES, 64 * 1024 - 1, 1, 1),
            (MESSAGES, 3 * 64 * 1024, 1, 3),
            (MESSAGES, 3 * 64 * 1024, 4, 4),
            (PING, 0, 0, 10),
            (MALFORMED, 0, 0, 10),
            (MALFORMED, 1024 * 1024, 0, 16),
        ):
            meter = InputMeter(self.clock, self._exceed)
            meter.limit(1, 20)
            self.meter = meter
            self.assertTrue(meter.count(kind, size, messages))
            self.assertEqual(self.left(), 20 - cost, (kind, size, messages))
        self.assertEqual(self.exceeded, 0)

    def test_too_much(self) -> None:
        """It is told each time, and what is too much takes nothing."""
        self.meter.limit(1, 5)
        self.assertFalse(self.meter.count(MESSAGES, 0, 6))
        self.assertFalse(self.meter.count(MALFORMED))
        self.assertEqual(self.exceeded, 2)
        self.assertEqual(self.left(), 5)
        self.clock.advance(2)
        self.assertEqual(self.left(), 2)

    def test_another_limit(self) -> None:
        """What was counted stays counted, and a credit stays a credit."""
        self.meter.limit(1, 5)
        self.meter.count(MESSAGES, 0, 3)
        self.meter.credit(1)
        self.meter.limit(1, 100)
        self.assertEqual(self.left(), 98)
