"""The alert rules among the examples, and the metrics that there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock

from txtokensock.bridge.health import Condition, SideState
from txtokensock.server import TokenSocketServer
from txtokensock.server.ops.metrics import ServerMetrics
from txtokensock.server.ops.observer import Problem

from .bridge.http.support import NOW, HttpTestCase

RULES = Path(__file__).parents[1] / "examples" / "alerts.yml"


class AlertTests(HttpTestCase):
    """A rule about what is never counted would never say anything."""

    def server_page(self) -> str:
        """The metrics of a server that has counted whatever has labels."""
        metrics = ServerMetrics()
        for problem in get_args(Problem):
            metrics.message_refused(problem)
        metrics.token_answered(503)
        metrics.connection_refused("connections")
        server = TokenSocketServer(lambda request: True, reactor=Clock())
        return generate_latest(metrics.registry(server)).decode()

    def bridge_page(self) -> str:
        """Those of a bridge, likewise."""
        self.others = [SideState("upstream", Condition.DOWN, NOW)]
        self.serve(connected=False)
        self.counters.count("wamp", "rule", "dropped")
        self.counters.spooled("webhooks", "rule", 1)
        self.side.site.refusals.add("connections", 1000)
        self.assertEqual(self.ask("/call", {"rpc": "f"}).status, 503)
        return self.get("/metrics").text.decode()

    def test_metrics(self) -> None:
        """Each rule asks for numbers, with labels and values, that servers and bridges give."""
        samples: dict[str, list[dict[str, str]]] = {"up": [{"job": "tokensock"}]}
        samples["up"].append({"job": "tokensock-bridge"})
        for page in (self.server_page(), self.bridge_page()):
            for family in text_string_to_metric_families(page):
                for sample in family.samples:
                    samples.setdefault(sample.name, []).append(sample.labels)
        rules = RULES.read_text(encoding="utf-8").split("- alert: ")[1:]
        self.assertEqual(len(rules), 16)
        for rule in rules:
            asked = re.findall(r"\b(up|tokensock_\w+)\b(?:\{(\w+)=~?\"([^\"]+)\"\})?", rule)
            self.assertTrue(asked, rule)
            for name, label, values in asked:
                self.assertIn(name, samples)
                for value in values.split("|"):
                    found = [each.get(label, "") for each in samples[name]]
                    self.assertTrue([one for one in found if re.fullmatch(value, one)], rule)
            for label in re.findall(r"\$labels\.(\w+)", rule):
                if label != "instance":
                    self.assertIn(label, samples[asked[0][0]][0])
