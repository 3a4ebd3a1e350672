"""
What happened to messages, by side and rule.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.counters import Counters


class CountersTests(SynchronousTestCase):
    """Numbers, and their order on a page."""

    def test_counts(self) -> None:
        """Each side, rule and outcome has its own, in order."""
        counters = Counters()
        for rule in ("b", "a", "b"):
            counters.count("wamp", rule, "in")
        counters.count("http", "b", "dropped", 5)
        self.assertEqual(counters.get("wamp", "b", "in"), 2)
        self.assertEqual(counters.get("wamp", "b", "out"), 0)
        self.assertEqual(
            list(counters.counts()),
            [("http", "b", "dropped", 5), ("wamp", "a", "in", 1), ("wamp", "b", "in", 2)],
        )

    def test_spools(self) -> None:
        """The latest number of each, in order; nothing waits where none is left."""
        counters = Counters()
        for rule, messages in (("b", 5), ("a", 7), ("b", 0)):
            counters.spooled("webhooks", rule, messages)
        self.assertEqual(list(counters.spools()), [("webhooks", "a", 7), ("webhooks", "b", 0)])
