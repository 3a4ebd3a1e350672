"""
Actions: the functions behind names.
"""

from __future__ import annotations

from functools import partial
from types import MappingProxyType
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.logger import capturedLogs, eventAsText
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.actions import (
    add_action,
    check_actions,
    find_action,
    names_overlap,
    outcome_error,
    remove_action,
)
from txtokensock.errors import ActionError, InvalidOption


class FindTests(SynchronousTestCase):
    """find_action."""

    def test_names(self) -> None:
        """Dots lead through mappings of any kind, to a function and no further."""
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


class Rule:
    """An action that says whose it is."""

    def __call__(self, data: Any) -> None:
        """Do nothing."""

    def __repr__(self) -> str:
        return "the rule 'orders'"


class AddTests(SynchronousTestCase):
    """add_action and remove_action."""

    def test_add(self) -> None:
        """Mappings are made, or copied: what is somebody else's does not change."""
        theirs = MappingProxyType({"c": max})
        actions: dict[str, Any] = {"a": len, "b": theirs}
        for name in ("x", "b.d", "b.e.f", "y.z"):
            add_action(actions, name, min)
            self.assertIs(find_action(actions, name), min)
        self.assertIs(find_action(actions, "b.c"), max)
        self.assertEqual(dict(theirs), {"c": max})

    def test_taken(self) -> None:
        """A name that is taken, within one, or around one, is refused; it says by whom."""
        actions: dict[str, Any] = {"a": len, "b": {"c": {"d": Rule()}}, "e": {}, "n": None}
        for name, taken in (
            ("a", "'a' is taken, by builtins.len"),
            ("a.b", "'a' is taken, by builtins.len"),
            ("a.b.c", "'a' is taken, by builtins.len"),
            ("b", "'b.c.d' is taken, by the rule 'orders'"),
            ("b.c", "'b.c.d' is taken, by the rule 'orders'"),
            ("b.c.d", "'b.c.d' is taken, by the rule 'orders'"),
        ):
            problem = self.assertRaises(InvalidOption, add_action, actions, name, min)
            self.assertIn(taken, str(problem))
        add_action(actions, "e", min)
        add_action(actions, "n.m", min)

    def test_remove(self) -> None:
        """What is left empty goes too; another's action stays."""
        actions: dict[str, Any] = {"a": {"b": {"c": len}}, "d": MappingProxyType({"e": max})}
        self.assertFalse(remove_action(actions, "a.b.c", min))
        for name in ("x", "a.x", "a.b.c.d", "d.e.f"):
            self.assertFalse(remove_action(actions, name), name)
        self.assertTrue(remove_action(actions, "a.b.c", len))
        self.assertEqual(actions, {"d": {"e": max}})
        self.assertTrue(remove_action(actions, "d"))
        self.assertEqual(actions, {})

    def test_overlap(self) -> None:
        """Equal names, and one within the other; parts of words do not count."""
        for one, other, overlap in (
            ("a", "a", True),
            ("a", "a.b", True),
            ("a.b.c", "a", True),
            ("a", "ab", False),
            ("a.b", "a.c", False),
        ):
            self.assertIs(names_overlap(one, other), overlap)
            self.assertIs(names_overlap(other, one), overlap)


class CheckTests(SynchronousTestCase):
    """check_actions."""

    def test_valid(self) -> None:
        """Functions in mappings in mappings."""
        check_actions({}, ["data"])
        check_actions({"a": len, "b": {"c": lambda data: None, "d": {}}}, ["data"])

    def test_signatures(self) -> None:
        """What may be able to take the arguments passes, and what provably cannot does not."""

        class Adder:
            def __call__(self, data: int, more: int = 0) -> int:
                return data + more

        def two(data: int, more: int) -> int:
            return data + more

        for action in (
            dict,  # has no signature
            print,
            Adder(),
            Adder().__call__,
            partial(two, 1),
            partial(two, more=1),
            lambda *data: data,
            inlineCallbacks(two),  # takes whatever it is given, and passes it on
        ):
            check_actions({"a": action}, ["data"])
        for action in (two, Adder, partial(two, 1, 2), lambda: None, lambda data, *, key: None):
            error = self.assertRaises(InvalidOption, check_actions, {"a": action}, ["data"])
            self.assertIn("actions.a is ", str(error))
            self.assertIn("it is called with (data): ", str(error))

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
            error = self.assertRaises(InvalidOption, check_actions, actions, ["data"])
            self.assertIn(place, str(error))


class OutcomeTests(SynchronousTestCase):
    """outcome_error."""

    def test_errors(self) -> None:
        """Exposed: an ActionError as it is; of anything else the text, logged."""
        error_of = partial(outcome_error, name="f", peer=None, expose=True)
        self.assertEqual(error_of(Failure(ActionError({"a": 1}))), {"a": 1})
        self.assertEqual(error_of(Failure(ValueError("bad"))), "bad")
        self.assertEqual(error_of(Failure(ValueError())), "ValueError")
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 2)

    def test_reference(self) -> None:
        """The caller gets a reference, and the log has it beside who called and what failed."""
        with capturedLogs() as events:
            error = outcome_error(
                Failure(ValueError("/etc/app.toml")),
                "user.read",
                peer="the peer",
                identity={"user": "ada", "role": "admin"},
            )
        self.flushLoggedErrors(ValueError)
        self.assertRegex(error, r"\AInternal error \(ref [0-9a-f]{8}\)\Z")
        (event,) = events
        text = eventAsText(event)
        for logged in (error[-9:-1], "user.read", "the peer", "user", "role", "/etc/app.toml"):
            self.assertIn(logged, text)
        self.assertNotIn("ada", text)
        self.assertNotIn("admin", text)

    def test_references_differ(self) -> None:
        """Each failure has its own reference."""
        errors = {outcome_error(Failure(ValueError()), "f", peer=None) for _ in range(20)}
        self.assertEqual(len(errors), 20)
        self.flushLoggedErrors(ValueError)
