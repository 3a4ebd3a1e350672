"""
How a side is, and since when.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.health import Condition, Health


class HealthTests(SynchronousTestCase):
    """Health."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.health = Health("wamp", self.clock.seconds)

    def test_since(self) -> None:
        """The moment counts at which it became able, or unable, to do its work."""
        for step, condition, since in (
            (lambda: self.health.become(Condition.STARTING, "connecting"), "starting", 0),
            (lambda: self.health.fails("refused"), "down", 0),
            (self.health.works, "up", 3),
            (lambda: self.health.works("one webhook fails"), "degraded", 3),
            (self.health.works, "up", 3),
            (lambda: self.health.fails("lost"), "down", 6),
            (lambda: self.health.become(Condition.STOPPED, "stopped"), "stopped", 6),
        ):
            self.clock.advance(1)
            step()
            state = self.health.state
            self.assertEqual((state.condition.value, state.since), (condition, since))
            self.assertEqual(state.up, condition in ("up", "degraded"))

    def test_detail(self) -> None:
        """Why it is not simply up; nothing where it is."""
        self.assertEqual(self.health.state.detail, "not started")
        self.health.works("one webhook fails")
        self.assertEqual(self.health.state.detail, "one webhook fails")
        self.health.works()
        self.assertEqual(self.health.state.detail, "")
