"""``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from twisted.web.test.requesthelper import DummyChannel

from txtokensock.bridge.health import Condition, SideState

from .support import NOW, HttpTestCase


class ReadinessTests(HttpTestCase):
    """How it is."""

    def test_healthy(self) -> None:
        """200 while the reactor turns, whatever else is wrong."""
        self.serve(connected=False)
        self.assertEqual(self.get("/healthz").json, {"alive": True})
        self.assertEqual(self.ask("/healthz", method="HEAD").status, 200)

    def test_ready(self) -> None:
        """200 where every side can do its work, else 503; each since when, and why not."""
        self.others = [SideState("upstream", Condition.UP, NOW - 5)]
        self.serve(connected=False)
        reply = self.get("/readyz")
        self.assertEqual((reply.status, reply.json["ready"]), (200, True))
        since = "2023-11-14T22:13:15.000+00:00"
        self.assertEqual(
            reply.json["sides"]["upstream"],
            {"up": True, "state": "up", "since": since, "seconds": 5.0, "detail": ""},
        )
        self.assertEqual(list(reply.json["sides"]), ["upstream", "http"])
        self.others = [SideState("upstream", Condition.DOWN, NOW, "refused")]
        self.advance(2)
        reply = self.get("/readyz")
        self.assertEqual((reply.status, reply.json["ready"]), (503, False))
        self.assertEqual(reply.json["sides"]["upstream"]["detail"], "refused")
        self.assertEqual(reply.json["sides"]["upstream"]["seconds"], 2.0)

    def test_details(self) -> None:
        """Why something is down is for keys that may read metrics."""
        self.others = [SideState("upstream", Condition.DOWN, NOW, "inner matters")]
        self.serve(
            self.key("a", "secret-a"), self.key("ops", "secret-o", metrics=True), connected=False
        )
        for headers, shown in (
            ({}, False),
            ({"authorization": "Bearer secret-a"}, False),
            ({"authorization": "Bearer secret-o"}, True),
        ):
            reply = self.get("/readyz", headers)
            self.assertEqual(reply.status, 503)
            self.assertEqual(b"inner matters" in reply.text, shown)


class MetricsTests(HttpTestCase):
    """In numbers."""

    def test_numbers(self) -> None:
        """Rules, spools, sides and requests."""
        self.answers["f"] = 1
        self.others = [
            SideState("upstream", Condition.UP, NOW),
            SideState("wamp", Condition.DOWN, NOW + 1),
        ]
        self.serve(connected=True)
        self.counters.count("wamp", 'a "rule"', "out", 3)
        self.counters.spooled("webhooks", "hook", 7)
        self.ask("/call", {"rpc": "f"})
        self.ask("/call", {"rpc": 5})
        self.read("/events?channel=a")
        self.side.site.refusals.add("connections", 1000)
        reply = self.get("/metrics")
        self.assertTrue(reply.headers["content-type"].startswith("text/plain; version="))
        messages = "tokensock_bridge_messages_total"
        lines = reply.text.decode().splitlines()
        for line in (
            f'{messages}{{outcome="out",rule="a \\"rule\\"",side="wamp"}} 3.0',
            f'{messages}{{outcome="in",rule="anybody/call",side="http"}} 1.0',
            f'{messages}{{outcome="refused",rule="anybody/call",side="http"}} 1.0',
            'tokensock_bridge_spool_messages{rule="hook",side="webhooks"} 7.0',
            'tokensock_bridge_up{side="upstream"} 1.0',
            'tokensock_bridge_up{side="wamp"} 0.0',
            'tokensock_bridge_up{side="http"} 1.0',
            'tokensock_bridge_since_seconds{side="wamp"} 1.700000001e+09',
            'tokensock_bridge_http_requests_total{route="call",status="200"} 1.0',
            'tokensock_bridge_http_requests_total{route="call",status="400"} 1.0',
            'tokensock_bridge_http_refused_connections_total{limit="connections"} 1.0',
            "tokensock_bridge_http_streams 1.0",
            "tokensock_bridge_http_in_flight 0.0",
            "tokensock_bridge_http_queued 0.0",
        ):
            self.assertIn(line, lines)

    def test_keys(self) -> None:
        """With keys, for those that may."""
        self.serve(
            self.key("a", "secret-a"), self.key("ops", "secret-o", metrics=True), connected=False
        )
        for headers, status in (
            ({}, 401),
            ({"authorization": "Bearer secret-a"}, 403),
            ({"authorization": "Bearer secret-o"}, 200),
        ):
            self.assertEqual(self.get("/metrics", headers).status, status)


class RequestTests(HttpTestCase):
    """A request as the pages read it."""

    def test_header(self) -> None:
        """A header is bytes for who names it in bytes, and text for the others."""
        self.serve(connected=False)
        request = self.side.site.requestFactory(DummyChannel(), False)
        request.requestHeaders.addRawHeader(b"x-key", b"a\xff")
        self.assertEqual(request.getHeader(b"x-key"), b"a\xff")
        self.assertEqual(request.getHeader("x-key"), "a\udcff")
        self.assertIsNone(request.getHeader("x-other"))
