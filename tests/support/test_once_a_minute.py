"""
``support.once_a_minute``.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.once_a_minute import OnceAMinute


class OnceAMinuteTests(SynchronousTestCase):
    """When a line is due."""

    def test_kinds(self) -> None:
        """The first of each kind at once; then one a minute, with how many there were."""
        clock = Clock()
        lines = OnceAMinute(clock.seconds)
        self.assertEqual([lines.count(kind) for kind in "aaba"], [1, 0, 1, 0])
        clock.advance(59)
        self.assertEqual(lines.count("a"), 0)
        clock.advance(1)
        self.assertEqual([lines.count(kind) for kind in "aab"], [4, 0, 1])
