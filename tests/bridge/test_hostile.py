"""The bridge under attack: sides taken out and in again, and bytes that mean no good."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from txtokensock.bridge import service
from txtokensock.bridge.config.http import HttpConfig
from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.service import Bridge
from txtokensock.bridge.shares import Shares
from txtokensock.bridge.wamp.wamp_side import WampSide
from txtokensock.bridge.webhooks.database import SpoolUnavailable
from txtokensock.bridge.webhooks.target import Target
from txtokensock.bridge.webhooks.webhook_requests import Requests, WebhookUnreachable
from txtokensock.testing import MemoryNetwork
from txtokensock.web.client.agent import Agent
from txtokensock.web.client.connection_pool import ConnectionPool

from .http.support import HttpTestCase, StringOf
from .test_service import GOOD, HTTP, BridgeTestCase
from .wamp.support import TrafficTestCase, rules
from .wamp.test_call_forwarding import CALLS
from .webhooks.support import WebhooksTestCase


class StoppedTooSoonTests(WebhooksTestCase):
    """Who stops the side does not wait as long as the side would."""

    def test_gives_the_spool_back(self) -> None:
        """What is in flight is given up, and the next side finds the spool free."""
        self.webhook.answer = lambda body: None
        side = self.start(self.rule(timeout=60.0))
        self.publish(1, 2)
        stopped = side.stopService()
        self.advance(1)
        self.assertNoResult(stopped)
        self.assertEqual(len(self.webhook.network.open), 1)
        stopped.cancel()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(self.webhook.network.open, [])
        self.webhook.answer = lambda body: 204
        again = self.start(self.rule())
        self.advance(5)
        self.assertEqual(again.uncertain, 1)
        self.assertEqual(self.webhook.messages, [1, 1, 2])

    def test_gives_a_stuck_spool_back(self) -> None:
        """Also where the disk does not answer in time."""
        side = self.start(self.rule())
        self.databases[0].stuck = True
        self.publish(1)
        stopped = side.stopService()
        self.advance(1)
        self.assertNoResult(stopped)
        stopped.cancel()
        self.settle()
        self.failureResultOf(stopped, CancelledError)
        self.assertEqual(self.count("dropped"), 1)
        self.start(self.rule())
        self.publish(2)
        self.assertEqual(self.webhook.messages, [2])


class WampStoppedTooSoonTests(TrafficTestCase):
    """Likewise."""

    def test_leaves_the_realm(self) -> None:
        """A session that stayed would keep the lease and its part of the calls."""
        connecting: list[Deferred[Any]] = []

        def connect(section: WampConfig, reactor: object) -> Any:
            connecting.append(Deferred())
            return connecting[-1]

        section = WampConfig(
            url="ws://router.test/", realm="r", calls=rules(calls=CALLS).calls, stop_timeout=5.0
        )
        socket = self.socket()
        side = WampSide(
            section,
            socket=socket,
            shares=Shares(lambda: socket.limits, self.clock.seconds),
            counters=self.counters,
            reactor=cast(Any, self.clock),
            connect=connect,
        )
        side.startService()
        side._forwarding.joined(self.router.join())
        self.settle()
        called = self.component.call("com.example.rpc.never", (), {}, 10)
        self.settle()
        stopped = side.stopService()
        self.memory.advance(1)
        self.assertNoResult(stopped)
        self.assertFalse(connecting[0].called)
        stopped.cancel()
        self.settle()
        self.failureResultOf(stopped, CancelledError)
        self.assertTrue(connecting[0].called)
        self.assertEqual(side.state().detail, "stopped")
        self.memory.advance(10)
        self.failureResultOf(called)


class SideThatDoesNotStartTests(BridgeTestCase):
    """A reload brings a section whose side cannot be."""

    def setUp(self) -> None:
        super().setUp()
        self.problem: Exception | None = SpoolUnavailable("in use by another bridge")
        self.where = "build"
        original = self.side.startService

        def build(bridge: Bridge, section: object) -> object:
            if self.problem is not None and self.where == "build":
                raise self.problem
            return self.side

        def start() -> None:
            if self.problem is not None and self.where == "start":
                raise self.problem
            original()

        self.patch(service, "_SIDES", {"http": build})
        self.patch(self.side, "startService", start)

    def check(self, where: str) -> None:
        self.where = where
        bridge = self.bridge(GOOD)
        self.path.write_text(HTTP)
        bridge.reload()
        for state in bridge.states()[1:]:
            self.assertIn("in use by another bridge", state.detail)
        (state,) = [state for state in bridge.states() if state.name == "http"]
        self.assertFalse(state.up)
        self.assertEqual(len(self.flushLoggedErrors(SpoolUnavailable)), 1)
        self.problem = None
        self.assertTrue(bridge.reload())
        (_, state) = bridge.states()
        self.assertTrue(state.up)
        self.assertEqual(self.events, ["http started"])

    def test_not_built(self) -> None:
        """It is down for all to see, and the next reload tries again."""
        self.check("build")

    def test_not_started(self) -> None:
        """Likewise."""
        self.check("start")

    def test_stopped(self) -> None:
        """A SIGHUP that came just before the end starts nothing after it."""
        self.problem = None
        bridge = self.bridge(GOOD)
        stopped = bridge.stopService()
        self.path.write_text(HTTP)
        self.assertFalse(bridge.reload())
        self.settle()
        self.successResultOf(stopped)
        self.assertFalse(bridge.reload())
        self.assertEqual(self.events, [])

    def test_given_up(self) -> None:
        """Without the section it is missed no more."""
        bridge = self.bridge(GOOD)
        self.path.write_text(HTTP)
        bridge.reload()
        self.flushLoggedErrors(SpoolUnavailable)
        self.path.write_text(GOOD)
        self.assertTrue(bridge.reload())
        self.assertEqual([state.name for state in bridge.states()], ["upstream"])


class HttpStoppedTooSoonTests(HttpTestCase):
    """Likewise."""

    def test_drops_who_does_not_read(self) -> None:
        """Nobody keeps a connection to a side that is gone."""
        self.serve(stream_buffer=10_000_000)
        protocol = StringOf()
        connecting = self.network.endpoint().connect(Factory.forProtocol(lambda: protocol))
        self.settle()
        self.successResultOf(connecting)
        protocol.transport.write(b"GET /events?channel=c HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        self.settle()
        protocol.transport.pauseProducing()
        self.server.session.publish("c", "x" * 3_000_000)
        self.settle()
        stopped = self.side.stopService()
        self.advance(1)
        self.assertNoResult(stopped)
        stopped.cancel()
        self.settle()
        self.successResultOf(stopped)
        self.assertFalse(list(self.side.site.connections))
        protocol.transport.resumeProducing()
        self.settle()


@implementer(IAgentEndpointFactory)
class MemoryEndpoints:
    """Leads to one server in memory, whatever the address."""

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network

    def endpointForURI(self, uri: object) -> IStreamClientEndpoint:
        return self._network.endpoint()


class EndlessHeadTests(WebhooksTestCase):
    """A webhook whose answer does not come to its body."""

    def check(self, first: bytes, again: bytes) -> None:
        sent = 0

        class Endless(Protocol):
            def dataReceived(self, data: bytes) -> None:
                nonlocal sent
                assert self.transport is not None
                self.transport.write(first)
                while sent < 2_000_000:
                    sent += len(again)
                    self.transport.write(again)

        network = MemoryNetwork(self.clock, Factory.forProtocol(Endless))
        agent = Agent(MemoryEndpoints(network), ConnectionPool(self.clock, idle_timeout=3))
        requests = Requests(self.clock, agent=agent)
        sending = requests.send(Target.of(self.rule()), "1", b"{}")
        self.settle()
        problem = self.failureResultOf(sending, WebhookUnreachable).value
        self.assertIn("head", str(problem))
        self.assertEqual(network.open, [])

    def test_headers(self) -> None:
        """So many headers are not kept."""
        self.check(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 4000 + b"\r\n")

    def test_informational(self) -> None:
        """Nor is one announcement after the other listened to."""
        self.check(b"", b"HTTP/1.1 103 Early Hints\r\nX: " + b"x" * 4000 + b"\r\n\r\n")


class BytesTests(HttpTestCase):
    """Requests as no library would send them."""

    def post(self, **headers: bytes) -> int:
        """The status of a publish with these headers."""
        body = b'{"channel": "c"}'
        fields = {
            "host": b"127.0.0.1",
            "content_type": b"application/json",
            "content_length": b"%d" % len(body),
        }
        head = b"".join(
            b"%b: %b\r\n" % (name.replace("_", "-").encode(), value)
            for name, value in (fields | headers).items()
        )
        answer = self.raw(b"POST /publish HTTP/1.1\r\n" + head + b"\r\n" + body)
        return int(answer.split(b" ", 2)[1])

    def test_headers_that_are_no_text(self) -> None:
        """They are refused like any other that is wrong, and the log is not theirs to fill."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve()
        self.assertEqual(self.post(), 202)
        self.assertEqual(self.post(host=b"\xff"), 403)
        self.assertEqual(self.post(content_type=b"\xff"), 400)
        self.assertEqual(self.post(idempotency_key=b"\xff"), 400)
        self.side.reload(HttpConfig(keys=(self.key("a", "x?"),)))
        self.assertEqual(self.post(authorization=b"Bearer x?"), 202)
        self.assertEqual(self.post(authorization=b"Bearer x\xff"), 401)
        self.assertEqual(self.get("/readyz", {"authorization": "Bearer \xff"}).status, 200)
        self.assertEqual([event for event in logged if event.get("event") == "http.failed"], [])
