"""
Old names work for one more release, warn, and are listed.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import txtokensock
from txtokensock.support.deprecation import (
    OLD_NAMES,
    OldName,
    deprecate,
    deprecated_module,
)

PAGE = Path(__file__).parents[2] / "docs" / "deprecations.rst"


def old_names() -> list[OldName]:
    """All that there are, once every module has been imported."""
    for module in walk_packages(txtokensock.__path__, "txtokensock."):
        if not module.name.endswith(".__main__"):
            import_module(module.name)
    return sorted(OLD_NAMES.values(), key=lambda old: old.name)


def resolve(name: str) -> Any:
    """The object of that full name."""
    try:
        return import_module(name)
    except ModuleNotFoundError:
        home, _, attribute = name.rpartition(".")
        return getattr(import_module(home), attribute)


def release(text: str) -> tuple[int, ...]:
    """A number of a release, to be compared."""
    return tuple(map(int, text.split(".")))


class OldNamesTests(SynchronousTestCase):
    """The old names that this release has."""

    def test_listed(self) -> None:
        """``docs/deprecations.rst`` has each, what to use instead, and when it ends."""
        rows = "".join(
            f"   * - ``{old.name}``\n     - ``{old.replacement}``\n     - {old.ends}\n"
            for old in old_names()
        )
        _, _, table = PAGE.read_text(encoding="utf-8").partition("     - Gone in\n")
        self.assertEqual(table, rows)

    def test_end(self) -> None:
        """None is kept longer than it was said to be."""
        now = release(version("txtokensock"))
        overdue = [old.name for old in old_names() if release(old.ends) <= now]
        self.assertEqual(overdue, [], "delete these")

    def test_work(self) -> None:
        """An old name of a module gives what the new one does, and warns once, of both."""
        for old in old_names():
            if not old.name.startswith("txtokensock.") or "(" in old.name:
                continue
            with self.subTest(old.name):
                there = resolve(old.replacement)
                if isinstance(there, ModuleType):
                    pairs = [(f"{old.name}.{n}", f"{old.replacement}.{n}") for n in there.__all__]
                else:
                    pairs = [(old.name, old.replacement)]
                for name, replacement in pairs:
                    home, _, attribute = name.rpartition(".")
                    got = getattr(import_module(home), attribute)
                    self.assertIs(got, resolve(replacement))
                    [warning] = self.flushWarnings()
                    self.assertIs(warning["category"], DeprecationWarning)
                    self.assertEqual(
                        warning["message"],
                        f"{name} is deprecated and ends with txtokensock {old.ends}: "
                        f"use {replacement} instead",
                    )


class DeprecationTests(SynchronousTestCase):
    """How a name becomes an old one."""

    def setUp(self) -> None:
        before = dict(OLD_NAMES)
        self.addCleanup(OLD_NAMES.update, before)
        self.addCleanup(OLD_NAMES.clear)

    def moved(self) -> None:
        """A module ``txtokensock.moved``, which is ``txtokensock.errors`` now."""
        deprecated_module("txtokensock.moved", "txtokensock.errors", ends="9.0.0")
        self.addCleanup(sys.modules.pop, "txtokensock.moved")
        self.addCleanup(delattr, txtokensock, "moved")

    def test_module(self) -> None:
        """A module that moved can be imported, and names imported from where it was."""
        self.moved()
        scope: dict[str, Any] = {"__name__": "theirs"}
        exec("import txtokensock.moved as a\nfrom txtokensock import moved as b", scope)
        self.assertIs(scope["a"], scope["b"])
        self.assertEqual(self.flushWarnings(), [])
        exec("from txtokensock.moved import UsageError", scope)
        self.assertIs(scope["UsageError"], txtokensock.UsageError)
        [warning] = self.flushWarnings()
        self.assertEqual(
            warning["message"],
            "txtokensock.moved.UsageError is deprecated and ends with txtokensock 9.0.0: "
            "use txtokensock.errors.UsageError instead",
        )
        exec("from txtokensock.moved import *", scope)
        self.assertIs(scope["ConnectionLost"], txtokensock.ConnectionLost)
        self.flushWarnings()

    def test_module_is_only_looked_at(self) -> None:
        """Whoever goes through all modules, and asks each for its file, is not warned."""
        self.moved()
        module = sys.modules["txtokensock.moved"]
        self.assertFalse(hasattr(module, "__file__"))
        with self.assertRaises(AttributeError):
            module.nothing_of_that_name  # noqa: B018
        self.assertEqual(self.flushWarnings(), [])

    def test_anything_else(self) -> None:
        """What is warned is the caller outside of the package, however deep we are in it."""
        old = deprecate("TokenSocket(old=)", "new=", ends="9.0.0")
        ours: dict[str, Any] = {"__name__": "txtokensock.client.socket", "old": old}
        exec("def outer():\n    inner()\n\ndef inner():\n    old.warn()", ours)
        theirs = {"__name__": "theirs", "outer": ours["outer"]}
        exec(compile("\n\nouter()", "their_file.py", "exec"), theirs)
        [warning] = self.flushWarnings()
        self.assertEqual(
            warning["message"],
            "TokenSocket(old=) is deprecated and ends with txtokensock 9.0.0: use new= instead",
        )
        self.assertEqual((warning["filename"], warning["lineno"]), ("their_file.py", 3))
