"""
``support.checks``: what options must be, and the one form of what is said of the others.
"""

from __future__ import annotations

import sys
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import InvalidOption
from txtokensock.support.checks import (
    Check,
    check_callable,
    check_choice,
    check_count,
    check_flag,
    check_instance,
    check_positive,
    check_seconds,
    check_wait,
)

NUMBERLESS: list[Any] = [None, "1", True, False, [1], 1j, float("nan"), float("inf"), -1, -0.5]
"""What is no number of anything."""


class CheckTests(SynchronousTestCase):
    """Each check, with what it lets through and what it does not."""

    def check(self, check: Check[Any], good: list[Any], bad: list[Any]) -> None:
        """The good come back as they are, the bad are refused, and quoted."""
        for value in good:
            self.assertIs(check("option", value), value)
            self.assertIs(check.problem(value), None)
        for value in bad:
            error = self.assertRaises(InvalidOption, check, "option", value)
            self.assertEqual(str(error), f"option {check.problem(value)}")

    def test_seconds(self) -> None:
        """More than no time, and no more than a clock can count."""
        self.check(check_seconds, [1, 0.001, 999_999_999.0], [*NUMBERLESS, 0, 0.0, 1e9, 10**400])

    def test_wait(self) -> None:
        """Not to wait at all is a wait."""
        self.check(check_wait, [0, 0.0, 1, 0.5], [*NUMBERLESS, 1e9, 10**400])

    def test_count(self) -> None:
        """At least one, and whole; the largest that is documented for "no limit" passes."""
        self.check(check_count, [1, 10**9, sys.maxsize], [*NUMBERLESS, 0, 1.0, 2**63])

    def test_positive(self) -> None:
        """Any number above nothing that a float can hold."""
        self.check(check_positive, [1, 0.1, 1e300, sys.maxsize], [*NUMBERLESS, 0, 10**400])

    def test_flag(self) -> None:
        """What Python takes for true is not enough: ``"no"`` is that as well."""
        self.check(check_flag, [True, False], [None, 0, 1, "no"])

    def test_callable(self) -> None:
        """A function, or what can be called like one."""
        self.check(check_callable, [print, SynchronousTestCase], [None, "print", 5])

    def test_instance(self) -> None:
        """The type is named."""
        self.assertEqual(check_instance("host", "a", str), "a")
        error = self.assertRaises(InvalidOption, check_instance, "host", 5, str)
        self.assertEqual(str(error), "host is 5: it must be a str")

    def test_choice(self) -> None:
        """The choices are named; what has no hash is none of them."""
        self.assertEqual(check_choice("kind", "a", ("a", "b")), "a")
        for value in ("c", None, [], 5):
            error = self.assertRaises(InvalidOption, check_choice, "kind", value, ("a", "b"))
            self.assertEqual(str(error), f"kind is {value!r}: it must be one of 'a', 'b'")

    def test_optional(self) -> None:
        """None passes where it says so, and nothing else that would not."""
        self.assertIs(check_count.optional("limit", None), None)
        self.assertEqual(check_count.optional("limit", 3), 3)
        self.assertRaises(InvalidOption, check_count.optional, "limit", 0)

    def test_words(self) -> None:
        """Which option, what it is, and what it must be."""
        error = self.assertRaises(InvalidOption, check_seconds, "ping", 0.0)
        self.assertEqual(
            str(error), "ping is 0: it must be a number of seconds above 0 and below 1e9"
        )
        error = self.assertRaises(InvalidOption, check_callable, "handler", 5)
        self.assertEqual(str(error), "handler is 5: it must be a function")

    def test_long_values(self) -> None:
        """What is quoted is cut, and stays on its line."""
        problem = check_count.problem("a\nb" + "x" * 5000)
        assert problem is not None
        self.assertTrue(len(problem) < 300 and problem.isprintable(), problem)

    @given(st.one_of(st.integers(), st.floats(), st.text(), st.none(), st.booleans()))
    def test_anything(self, value: Any) -> None:
        """No value makes a check fail with anything else."""
        for check in (check_seconds, check_wait, check_count, check_positive, check_flag):
            problem = check.problem(value)
            self.assertTrue(problem is None or problem.startswith("is "))
