"""
The names that a key may use, also by what a ``*`` once meant.
"""

from __future__ import annotations

from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.http.key_patterns import KeyPatterns


class KeyPatternsTests(SynchronousTestCase):
    """Patterns of a key."""

    def test_patterns(self) -> None:
        """One language, with that of channels and topics; nothing is said of it."""
        names = KeyPatterns(("a", "b.*", "*.z"))
        with capturedLogs() as logged:
            for name, expected in (
                ("a", True),
                ("b.c", True),
                ("y.z", True),
                ("b", False),
                ("aa", False),
                (".z", False),
            ):
                self.assertEqual(name in names, expected, name)
        self.assertEqual(logged, [])

    def test_nothing(self) -> None:
        """A ``*`` at the end still lets the rest alone in; the log says so once for each."""
        names = KeyPatterns(("news*", "b.*"))
        with capturedLogs() as logged:
            for name in ("news", "news", "b.", "newsroom"):
                self.assertTrue(name in names, name)
        self.assertEqual([event["event"] for event in logged], ["http.old_pattern"] * 2)
        self.assertEqual(
            formatEvent(logged[0]),
            "a key uses 'news', which 'news*' allows until txtokensock 0.3.0: then a * stands for "
            "one or more characters, and 'news' must be named as well",
        )

    def test_both(self) -> None:
        """Where the name is there as well, all is said."""
        with capturedLogs() as logged:
            self.assertTrue("news" in KeyPatterns(("news*", "news")))
        self.assertEqual(logged, [])
