"""The examples that other programs read, judged by these programs."""

from __future__ import annotations

from twisted.internet.utils import getProcessOutputAndValue

from tests.test_alerts import RULES

from .support import InteropTestCase, within


class AlertRulesTest(InteropTestCase):
    """``examples/alerts.yml``, by Prometheus's own tool."""

    programs = ("promtool",)

    async def test_rules(self) -> None:
        """Prometheus would load it, all rules of it."""
        checked = getProcessOutputAndValue("promtool", ("check", "rules", str(RULES)))
        out, err, status = await within(checked)
        self.assertEqual(status, 0, out + err)
        rules = RULES.read_text(encoding="utf-8").count("- alert: ")
        self.assertIn(f"{rules} rules found", out.decode())
