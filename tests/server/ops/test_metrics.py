"""
What is counted, and the pages for operators.
"""

from __future__ import annotations

import json
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.web.resource import Resource

from tests.kit.http import Response
from txtokensock.errors import ActionError
from txtokensock.server import MemoryStore, demo
from txtokensock.server.ops.admin import AdminPages, admin_site
from txtokensock.server.ops.metrics import ServerMetrics

from ..support import ServerTestCase, TokenServer


class MetricsTestCase(ServerTestCase):
    """With a server that is counted."""

    registry: CollectorRegistry

    def counted(self, **options: Any) -> TokenServer:
        """A running server; ``self.registry`` knows its numbers."""
        metrics = ServerMetrics()
        server = self.serve(observer=metrics, **options)
        self.registry = metrics.registry(server.service)
        return server

    def value(self, name: str, **labels: str) -> float:
        """One number; 0 where nothing was counted yet."""
        return self.registry.get_sample_value(f"tokensock_{name}", labels) or 0.0


class MessageMetricsTests(MetricsTestCase):
    """Peers, messages and their ends."""

    def test_nothing_yet(self) -> None:
        """Every number is there from the start, so that no graph has a hole."""
        self.counted()
        page = generate_latest(self.registry).decode()
        for name in ("peers", "channels", "sent_bytes_total", "call_seconds_count"):
            self.assertIn(f"\ntokensock_{name} 0.0\n", page)

    def test_gaps(self) -> None:
        """A store that was not heard is counted, and the peers of each channel are told."""
        server = self.counted()
        client = server.authenticated()
        client.subscribe("a", "b")
        client.received()
        hub = server.service._context.hub
        hub.interrupted(2.5)
        hub.missed("a", 2.5)
        names = ("store_gaps_total", "store_gap_seconds_total")
        self.assertEqual([self.value(name) for name in names], [1, 2.5])
        notice = {"internal": True, "command": "subscribe", "data": {"channel": "a", "gap": 2.5}}
        self.assertEqual(client.received(), [notice])

    def test_peers_and_channels(self) -> None:
        """Peers count when they are authenticated, connections at once."""
        server = self.counted()
        server.client()
        client = server.authenticated()
        client.subscribe("a", "b")
        names = ("connections_total", "peers", "channels")
        self.assertEqual([self.value(name) for name in names], [2, 1, 2])
        client.drop()
        self.assertEqual([self.value(name) for name in names], [2, 0, 0])

    def test_messages(self) -> None:
        """Messages and their bytes, in both directions, without what frames add."""
        server = self.counted(actions=demo.ACTIONS)
        client = server.authenticated()
        names = ("received_messages", "received_bytes", "sent_messages", "sent_bytes")
        before = [self.value(f"{name}_total") for name in names]
        asked = b'{"rpc":"echo","req":"\xc3\xa9","uuid":"u"}'
        client.send(asked, asked)
        answers = client.texts()
        after = [self.value(f"{name}_total") for name in names]
        self.assertEqual(
            [now - then for now, then in zip(after, before, strict=True)],
            [2, 2 * len(asked), 2, sum(map(len, answers))],
        )

    def test_closes(self) -> None:
        """By code: the server's own, and "lost" for a connection that just ended."""
        server = self.counted(limits={"auth_timeout": 3})
        client = server.client()
        server.turn(3)
        client.drop()
        self.assertEqual(self.value("closes_total", code="4408"), 1)
        server.authenticated().drop()
        self.assertEqual(self.value("closes_total", code="lost"), 1)
        client = server.authenticated()
        (peer,) = server.service.peers()
        peer.close(4000, "bye")
        client.drop()
        self.assertEqual(self.value("closes_total", code="4000"), 1)

    def test_codes_of_clients(self) -> None:
        """A client that makes up codes does not make up series."""
        server = self.counted()
        for code in (1000, 4100, 4500):
            client = server.authenticated()
            client.websocket.close(code)
            server.turn()
            client.drop()
        self.assertEqual(self.value("closes_total", code="1000"), 1)
        self.assertEqual(self.value("closes_total", code="other"), 2)

    def test_token_requests(self) -> None:
        """By status."""
        allowed = [True, False]
        server = self.counted(authentication=lambda request: allowed.pop(0))
        for status in (200, 403, 405):
            method = "POST" if status == 405 else "GET"
            response = server.connection().request(method, "/socket/token", {})
            self.assertEqual(response.status, status)
            self.assertEqual(self.value("token_requests_total", status=str(status)), 1)

    def test_one_registry_a_server(self) -> None:
        """Servers of one process do not count for each other."""
        self.counted().authenticated()
        self.assertEqual(self.value("connections_total"), 1)
        self.counted()
        self.assertEqual(self.value("connections_total"), 0)


class RequestMetricsTests(MetricsTestCase):
    """Requests, by how they ended."""

    def setUp(self) -> None:
        super().setUp()
        self.pending: Deferred[Any] = Deferred()

        def broken(data: Any, peer: Any) -> None:
            raise ZeroDivisionError

        def fail(data: Any, peer: Any) -> None:
            raise ActionError(data)

        actions = {"slow": lambda data, peer: self.pending, "broken": broken, "fail": fail}
        self.tokens = self.counted(
            actions={**demo.ACTIONS, **actions}, limits={"call_timeout": 2, "channels": 1}
        )
        self.client = self.tokens.authenticated()

    def test_outcomes_of_calls(self) -> None:
        """Each call counts once, and what clients were told counts as an error."""
        self.client.rpc("echo", 1)
        self.client.rpc("missing")
        self.client.rpc("fail", "no")
        self.client.rpc("broken")
        self.flushLoggedErrors(ZeroDivisionError)
        self.client.send({"rpc": "slow", "uuid": "u"})
        self.tokens.turn(2)
        for outcome in ("success", "function_not_found", "action_error", "exception", "timeout"):
            self.assertEqual(self.value("calls_total", outcome=outcome), 1, outcome)
            told = 0 if outcome == "success" else 1
            self.assertEqual(self.value("errors_total", kind=outcome), told, outcome)

    def test_cancelled_calls(self) -> None:
        """Nobody was told of an error when the client went."""
        self.client.send({"rpc": "slow", "uuid": "u"})
        self.client.drop()
        self.assertEqual(self.value("calls_total", outcome="cancelled"), 1)
        self.assertEqual(self.value("errors_total", kind="cancelled"), 0)

    def test_latency(self) -> None:
        """The histogram has the time from the call to its answer."""
        self.client.send({"rpc": "slow", "uuid": "u"})
        self.tokens.turn(1.5)
        self.pending.callback(None)
        self.client.texts()
        self.client.rpc("echo")
        self.assertEqual(self.value("call_seconds_bucket", le="0.001"), 1)
        self.assertEqual(self.value("call_seconds_bucket", le="1.0"), 1)
        self.assertEqual(self.value("call_seconds_bucket", le="2.5"), 2)
        self.assertEqual(self.value("call_seconds_bucket", le="+Inf"), 2)
        self.assertEqual(self.value("call_seconds_sum"), 1.5)

    def test_requests(self) -> None:
        """What concerns channels, and ``auth``, counts as well."""
        self.tokens.service.on("publish", lambda peer, channel, data: False)
        self.client.subscribe("a")
        self.client.send({"rpc": "_publish", "req": {"channel": "a", "data": 1}, "uuid": "p"})
        self.client.send({"rpc": "_subscribe", "req": {"channel": "b"}, "uuid": "s"})
        stranger = self.tokens.client()
        stranger.ask({"rpc": "auth", "token": "x", "uuid": "a"})
        for request, outcome in (
            ("auth", "success"),
            ("auth", "refused"),
            ("subscribe", "success"),
            ("subscribe", "limit"),
            ("publish", "refused"),
        ):
            self.assertEqual(self.value("requests_total", request=request, outcome=outcome), 1)
        self.assertEqual(self.value("errors_total", kind="refused"), 2)

    def test_messages_without_sense(self) -> None:
        """What never becomes a request is an error of its own kind."""
        self.client.ask("{")
        self.client.ask({"rpc": 5})
        self.tokens.client().ask({"rpc": "echo", "uuid": "u"})
        for kind in ("invalid_message", "invalid_request", "not_authenticated"):
            self.assertEqual(self.value("errors_total", kind=kind), 1, kind)

    def test_too_many_peers_of_one_address(self) -> None:
        """Those beyond the limit are closed, and as many again are not even let in."""
        server = self.counted(limits={"peers_per_address": 1})
        server.client()
        server.client()
        response = server.connection().request("POST", "/sockets/000/more/xhr")
        self.assertEqual(response.status, 429)
        self.assertEqual(self.value("refused_connections_total", limit="peers_per_address"), 1)


class AdminTests(MetricsTestCase):
    """What operators are told."""

    def pages(self, server: TokenServer) -> AdminPages:
        """Serve the pages of that server."""
        page = Resource()
        page.isLeaf = True
        page.render = lambda request: b"numbers"
        pages = AdminPages(server.service, lambda: page, server.clock)
        self.site = admin_site(pages, server.clock, timeout=None)
        self.clock = server.clock
        return pages

    def get(self, path: str) -> Response:
        """Ask for a page."""
        server = TokenServer(start=False, clock=self.clock)
        server.site = self.site
        return server.get(path)

    def readiness(self) -> tuple[int, Any]:
        """Status and body."""
        response = self.get("/readyz")
        return response.status, json.loads(response.body)

    def test_health(self) -> None:
        """A process that answers lives, whatever the server does."""
        self.pages(TokenServer(start=False))
        self.assertEqual(self.get("/healthz").status, 200)

    def test_no_page_is_kept(self) -> None:
        """An answer of yesterday, from a cache, says nothing about today."""
        self.pages(TokenServer(start=False))
        for path, status in (("/healthz", 200), ("/readyz", 503)):
            response = self.get(path)
            self.assertEqual(response.status, status)
            self.assertEqual(response.headers["cache-control"], "no-store")

    def test_foreign_host(self) -> None:
        """A page whose name leads to this machine reads nothing."""
        self.pages(self.serve())
        server = TokenServer(start=False, clock=self.clock)
        server.site = self.site
        for path in ("/healthz", "/readyz", "/metrics", "/"):
            for host, found in (("evil.example:9090", 421), ("localhost:9090", 200)):
                connection = server.connection()
                connection.tcp.hostAddr = IPv4Address("TCP", "127.0.0.1", 9090)
                status = connection.request("GET", path, {"Host": host}).status
                self.assertEqual(status, 404 if (path, found) == ("/", 200) else found, path)

    def test_key(self) -> None:
        """Without it nobody reads numbers and reasons; probes need none."""
        pages = self.pages(self.serve())
        pages.key = "k3y"
        pages.refused = lambda: ("a reason", 0.0)
        server = TokenServer(start=False, clock=self.clock)
        server.site = self.site
        for given, status in (
            (None, 401),
            ("Bearer wrong", 401),
            ("Basic k3y", 401),
            ("Bearer k3y", 200),
        ):
            headers = {} if given is None else {"Authorization": given}
            answers = {
                path: server.connection().request("GET", path, headers)
                for path in ("/healthz", "/readyz", "/metrics")
            }
            self.assertEqual(answers["/metrics"].status, status)
            self.assertEqual((answers["/healthz"].status, answers["/readyz"].status), (200, 200))
            self.assertEqual(b"a reason" in answers["/readyz"].body, status == 200)

    def test_head(self) -> None:
        """Probes without a body get the same status, and leave nothing in the log."""
        self.pages(self.serve())
        server = TokenServer(start=False, clock=self.clock)
        server.site = self.site
        count = len(self.logged)
        for path in ("/healthz", "/readyz"):
            response = server.connection().request("HEAD", path, {})
            self.assertEqual((response.status, response.body), (200, b""))
        self.assertEqual(len(self.logged), count)

    def test_other_paths(self) -> None:
        """``/metrics`` is somebody else's page, and everything else nobody's."""
        self.pages(self.serve())
        self.assertEqual(self.get("/metrics").body, b"numbers")
        for path in ("/", "/other", "/metrics2"):
            self.assertEqual(self.get(path).status, 404)

    def test_readiness(self) -> None:
        """Ready while it runs; then it says what it does instead, and since when."""
        clock = Clock()
        clock.advance(1000)
        server = TokenServer(start=False, clock=clock)
        self.pages(server)
        clock.advance(1)
        stopped = {"state": "stopped", "since": "1970-01-01T00:16:40.000+00:00", "seconds": 1.0}
        self.assertEqual(self.readiness(), (503, {"ready": False, "server": stopped}))
        server.service.startService()
        clock.advance(1)
        since = {"since": "1970-01-01T00:16:41.000+00:00", "seconds": 1.0}
        body = {
            "ready": True,
            "server": {"state": "running", **since},
            "store": {"state": "available", **since},
        }
        self.assertEqual(self.readiness(), (200, body))
        client = server.authenticated()
        stopping = server.service.stopService()
        status, body = self.readiness()
        self.assertEqual((status, body["server"]["state"]), (503, "stopping"))
        self.assertEqual(body["server"]["seconds"], 0.0)
        client.drop()
        self.successResultOf(stopping)
        self.assertEqual(self.readiness()[1]["server"]["state"], "stopped")

    def test_unreachable_store(self) -> None:
        """A store that cannot be reached says so, and since when."""
        server = self.serve(store=MemoryStore())
        self.pages(server)
        link = server.service._context.hub.link
        assert link is not None
        link.available, link.since = False, server.clock.seconds()
        server.turn(7)
        status, body = self.readiness()
        self.assertEqual((status, body["ready"]), (503, False))
        self.assertEqual(body["server"]["state"], "running")
        self.assertEqual(body["store"]["state"], "unavailable")
        self.assertEqual(body["store"]["seconds"], 7.0)
