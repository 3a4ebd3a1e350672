"""
Actions: the functions behind names.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.actions import check_actions, find_action, outcome_error
from txtokensock.errors import ActionError, InvalidOption


class FindTests(SynchronousTestCase):
    """find_action."""

    def test_names(self) -> None:
        """Dots lead through mappings of any kind, to a function and no further (S16)."""
        actions = {"a": len, "b": MappingProxyType({"c": max, "d": {"e": min}}), "n": None}
        for name, action in (("a", len), ("b.c", max), ("b.d.e", min)):
            self.assertIs(find_action(actions, name), action)
        for name in ("", ".", "x", "b", "b.", ".a", "a.a", "b.c.d", "b.d", "n", "b..c", "a."):
            self.assertIsNone(find_action(actions, name), name)

    def test_attributes(self) -> None:
        """Attributes are never looked at."""

        class Holder(dict[str, Any]):
            def secret(self) -> None:
                """Not an action."""

        for name in (
            "secret",
            "get",
            "__class__",
            "h.secret",
            "h.get",
            "f.__call__",
            "h.__class__",
        ):
            self.assertIsNone(find_action(Holder(h=Holder(), f=len), name), name)


class CheckTests(SynchronousTestCase):
    """check_actions."""

    def test_valid(self) -> None:
        """Functions in mappings in mappings."""
        check_actions({})
        check_actions({"a": len, "b": {"c": lambda: None, "d": {}}})

    def test_invalid(self) -> None:
        """Everything else, with its place."""
        for actions, place in (
            (None, "actions"),
            ([], "actions"),
            ({"a": 1}, "actions.a"),
            ({"a": {"b": {"c": "x"}}}, "actions.a.b.c"),
            ({"a.b": len}, "actions"),
            ({"a": {"": len}}, "actions.a"),
            ({5: len}, "actions"),
        ):
            self.assertIn(place, str(self.assertRaises(InvalidOption, check_actions, actions)))


class OutcomeTests(SynchronousTestCase):
    """outcome_error."""

    def test_errors(self) -> None:
        """An ActionError as it is; of anything else the text, logged."""
        self.assertEqual(outcome_error(Failure(ActionError({"a": 1})), "f"), {"a": 1})
        self.assertEqual(outcome_error(Failure(ValueError("bad")), "f"), "bad")
        self.assertEqual(outcome_error(Failure(ValueError()), "f"), "ValueError")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)
