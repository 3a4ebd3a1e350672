"""The runbook in the documentation, and what an operator may see."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.health import Condition
from txtokensock.server.ops.readiness import State

from .test_alerts import RULES
from .test_imports import ROOT

DOCS = Path(__file__).parents[1] / "docs"


def section(page: str, title: str) -> str:
    """What stands below a title, up to the next of that kind."""
    _, line, rest = re.split(rf"(?m)^{re.escape(title)}\n([-~])\1+\n", page)
    return re.split(rf"(?m)^[^\n]+\n{re.escape(line)}{{3,}}$", rest)[0]


def rows(text: str) -> list[str]:
    """What the first column of the tables has, without their heads."""
    first = re.findall(r"(?m)^   \* - (.*)", text)
    return [cell for cell in first if "``" in cell]


class RunbookTests(SynchronousTestCase):
    """Whoever is woken finds what to do."""

    def setUp(self) -> None:
        self.page = (DOCS / "runbook.rst").read_text(encoding="utf-8")

    def test_alerts(self) -> None:
        """Each alert has its entry, which says what to look at and what to do; so no other."""
        alerts = re.findall(r"- alert: (\w+)", RULES.read_text(encoding="utf-8"))
        titles = re.findall(r"(?m)^(Tokensock\w+)\n~+$", self.page)
        self.assertEqual(titles, alerts)
        for alert in alerts:
            entry = section(self.page, alert)
            self.assertRegex(entry, r"(?m)^- \*Look at", alert)
            self.assertRegex(entry, r"(?m)^- \*Do", alert)

    def test_server(self) -> None:
        """Each state that the server, its store and its configuration may be in."""
        bad = [f"``server``: ``{state}``" for state in get_args(State) if state != "running"]
        others = ["``store``: ``unavailable``", "``configuration``: ``refused``"]
        self.assertEqual(rows(section(self.page, "Of a server")), [*bad, *others])

    def test_redis(self) -> None:
        """Each word by which the server knows what is wrong with Redis."""
        source = (ROOT / "server" / "store" / "redis_checks.py").read_text(encoding="utf-8")
        words = {
            word.value
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign)
            for word in ast.walk(node)
            if isinstance(word, ast.Constant) and str(word.value).isupper()
        }
        self.assertGreater(len(words), 10)
        known = " ".join(rows(section(self.page, "Of Redis")))
        self.assertEqual(words - set(re.findall(r"``(\w+)``", known)), set())

    def test_bridge(self) -> None:
        """Each side of a bridge, and each condition but that all is well."""
        table = section(self.page, "Of a bridge")
        sides = {"configuration"}
        for path in (ROOT / "bridge").rglob("*.py"):
            sides.update(
                re.findall(r"(?m)^    name = \"(\w+)\"", path.read_text(encoding="utf-8"))
            )
        bad = {each.value for each in Condition if each is not Condition.UP}
        self.assertEqual({cell.strip("`") for cell in rows(table)}, sides | bad)

    def test_events(self) -> None:
        """What to look for in the log is there."""
        listed = re.findall(
            r"(?m)^``([a-z_]+\.[a-z_]+)``", (DOCS / "logs.rst").read_text(encoding="utf-8")
        )
        events = re.findall(r"``([a-z_]+\.[a-z_]+)``", self.page)
        self.assertGreater(len(events), 20)
        self.assertEqual(set(events) - set(listed) - {"upstream.authentication"}, set())


class ServiceTests(SynchronousTestCase):
    """The page on installing, and the files that it installs."""

    def test_paths(self) -> None:
        """What a unit starts and reads is where the page puts it."""
        page = (DOCS / "installing-a-service.rst").read_text(encoding="utf-8")
        for unit in ("tokensock.service", "tokensock-bridge.service"):
            text = (RULES.parent / unit).read_text(encoding="utf-8")
            self.assertIn(f"/etc/systemd/system/{unit}", page)
            for path in set(re.findall(r"/(?:opt|etc)/tokensock/[\w./]+\.toml", text)):
                self.assertIn(f" {path}\n", page)
            starts = re.findall(r"ExecStart=(/opt/tokensock)/bin/twistd", text)
            self.assertEqual(len(starts), 1)
            self.assertIn(f"-m venv {starts[0]}\n", page)
