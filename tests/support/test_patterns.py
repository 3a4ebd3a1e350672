"""
``support.patterns``: names, and many names that look alike.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.patterns import Pattern, Patterns, pattern_problem

TEXTS = st.text("ab.*", max_size=5).filter(lambda text: pattern_problem(text) is None)
NAMES = st.text("ab.", max_size=4)


class PatternTests(SynchronousTestCase):
    """One pattern."""

    def test_match(self) -> None:
        """A ``*`` is at least one character, anywhere in the name, and is filled in again."""
        for text, name, rest in (
            ("a", "a", ""),
            ("a", "ab", None),
            ("a.*", "a.b.c", "b.c"),
            ("a.*", "a.", None),
            ("a*", "a", None),
            ("*.z", "a.z", "a"),
            ("*.z", ".z", None),
            ("a-*-z", "a-1-z", "1"),
            ("a-*-z", "a--z", None),
            ("a-*-z", "a-z", None),
            ("*", "a", "a"),
            ("*", "", None),
        ):
            self.assertEqual(Pattern(text).match(name), rest, (text, name))
            if rest is not None:
                self.assertEqual(Pattern(text).fill(rest), name)

    def test_parts(self) -> None:
        """What a router is told of it, which knows prefixes alone."""
        for text, prefix, exact in (("a.b", "a.b", True), ("a.*", "a.", False), ("*", "", False)):
            self.assertEqual((Pattern(text).prefix, Pattern(text).exact), (prefix, exact))

    @given(TEXTS, st.text(min_size=1, max_size=3))
    def test_fill(self, text: str, rest: str) -> None:
        """What is filled in is found again."""
        pattern = Pattern(text)
        self.assertEqual(pattern.match(pattern.fill(rest)), "" if pattern.exact else rest)

    @given(TEXTS, TEXTS, st.lists(NAMES))
    def test_overlaps(self, one: str, other: str, names: list[str]) -> None:
        """It does not depend on the order, and holds where a name fits both."""
        pattern, second = Pattern(one), Pattern(other)
        self.assertEqual(pattern.overlaps(second), second.overlaps(pattern))
        for name in names:
            if pattern.match(name) is not None and second.match(name) is not None:
                self.assertTrue(pattern.overlaps(second), name)

    def test_no_overlap(self) -> None:
        """Where no name can fit both, they do not."""
        for one, other in (("a", "b"), ("a*", "b*"), ("*a", "*b"), ("a*", "a"), ("a.*", "b")):
            self.assertFalse(Pattern(one).overlaps(Pattern(other)), (one, other))

    def test_problems(self) -> None:
        """With two stars, nobody could say what each stands for."""
        self.assertEqual(pattern_problem("*.b*"), "is '*.b*': it may have only one *")
        for text in ("a", "*", "a*", "*a", "a*b", ""):
            self.assertIs(pattern_problem(text), None)


class PatternsTests(SynchronousTestCase):
    """Several."""

    @given(st.lists(TEXTS, max_size=4), NAMES)
    def test_any(self, texts: list[str], name: str) -> None:
        """A name is in there if it fits one of them."""
        fits = any(Pattern(text).match(name) is not None for text in texts)
        self.assertEqual(name in Patterns(texts), fits)
