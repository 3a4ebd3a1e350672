"""The events of the log in the documentation, and those of the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from .test_imports import ROOT

LEVELS = {"debug", "info", "warn", "error", "failure", "critical", "emit"}
PROGRAMS = ("serve", "bridge")


def events_logged(tree: ast.AST) -> Iterator[tuple[int, ast.expr | None]]:
    """The line, and the ``event``, of each call of a ``_log``."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    attr=level, value=ast.Name(id="_log") | ast.Attribute(attr="_log")
                )
            ) if level in LEVELS:
                names = [each.value for each in node.keywords if each.arg == "event"]
                yield node.lineno, names[0] if names else None


class LogEventsTests(SynchronousTestCase):
    """Machines know events by their names."""

    def test_documented(self) -> None:
        """Each event has a name, the page has all of them, and no other."""
        found: set[str] = set()
        nameless = []
        for path in sorted(ROOT.rglob("*.py")):
            if path.is_relative_to(ROOT / "testing"):
                continue
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for line, name in events_logged(tree):
                match name:
                    case ast.Constant(value=str(text)):
                        found.add(text)
                    case ast.JoinedStr(values=[ast.FormattedValue(), ast.Constant(value=end)]):
                        found.update(f"{program}{end}" for program in PROGRAMS)
                    case _:
                        nameless.append(f"{path.relative_to(ROOT)}:{line}")
        self.assertEqual(nameless, [])
        page = Path(__file__).parents[1] / "docs" / "logs.rst"
        _, _, tables = page.read_text(encoding="utf-8").partition("\nEvents\n------\n")
        listed = re.findall(r"(?m)^``([\w.]+)``", tables)
        self.assertEqual(sorted(listed), sorted(found))
        self.assertGreater(len(found), 90)
