"""Connections to a router that is in memory, and knows how to say what it should not."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.rawsocket import WampRawSocketClientProtocol
from autobahn.twisted.websocket import WampWebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.wamp.realm import RealmLost, RequestTimeout
from txtokensock.bridge.wamp.router_connection import connect
from txtokensock.bridge.wamp.router_endpoint import Joined, RouterEndpoint, client_endpoint
from txtokensock.testing.network import MemoryNetwork


class Router(Protocol):
    """Answers the first bytes with what it was given."""

    answer = b""
    lost: Failure | None = None

    def connectionMade(self) -> None:
        self.factory.routers.append(self)  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        answer, self.answer = self.answer, b""
        self.transport.write(answer)  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class ConnectionTests(SynchronousTestCase):
    """What is no WAMP router is left, and nothing of it reaches the reactor."""

    def setUp(self) -> None:
        self.clock = Clock()

    def joining(self, url: str, answer: bytes) -> Deferred[Any]:
        """An attempt to join, after all that takes no time."""
        factory: Any = Factory.forProtocol(Router)
        factory.routers = self.routers = []
        network = MemoryNetwork(self.clock, factory)
        self.patch(Router, "answer", answer)
        section = WampConfig(url=url, realm="r", max_message_size=1000)
        connecting = connect(section, self.clock, network.endpoint())
        joining: Deferred[Any] = Deferred.fromCoroutine(connecting)
        for _ in range(200):
            self.clock.advance(0)
        return joining

    def refused(self, url: str, answer: bytes) -> None:
        """It fails, and the connection ends as it should: at once."""
        self.failureResultOf(self.joining(url, answer), RealmLost)
        (router,) = self.routers
        self.assertIsNotNone(router.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_websocket(self) -> None:
        """No HTTP, and a handshake that has no end."""
        self.refused("ws://router.test/ws", b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        self.refused("ws://router.test/ws", b"HTTP/1.1 101 OK\r\n" + b"x" * 70_000)

    def test_rawsocket(self) -> None:
        """No handshake of RawSocket, a refusal, another serializer, and a message too large."""
        self.refused("rs://router.test:8080", b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.refused("rs://router.test:8080", b"\x7f\x10\x00\x00")
        self.refused("rs://router.test:8080", b"\x7f\xf1\x00\x00")
        self.refused("rs://router.test:8080", b"\x7f\xf3\x00\x00\x00\xff\xff\xff")

    def test_nonsense(self) -> None:
        """A message that is none."""
        self.refused("rs://router.test:8080", b"\x7f\xf3\x00\x00\x00\x00\x00\x02\xff\xff")

    def test_fault_of_autobahn(self) -> None:
        """What it raises for bytes of a peer ends the connection, and is nobody's exception."""

        def fails(*_: object) -> None:
            raise ZeroDivisionError

        self.patch(WampWebSocketClientProtocol, "_dataReceived", fails)
        self.refused("ws://router.test/ws", b"HTTP/1.1 101 OK\r\n\r\n")
        self.patch(WampRawSocketClientProtocol, "dataReceived", fails)
        self.refused("rs://router.test:8080", b"\x7f\xf3\x00\x00")

    def test_given_up(self) -> None:
        """Who waits no longer leaves nothing open."""
        joining = self.joining("rs://router.test:8080", b"")
        self.assertNoResult(joining)
        joining.addErrback(lambda _: None).cancel()
        for _ in range(5):
            self.clock.advance(0)
        (router,) = self.routers
        router.lost.trap(ConnectionLost)


class EndpointTests(SynchronousTestCase):
    """Whereto, and how long."""

    def section(self, **options: Any) -> WampConfig:
        """To a router on port 8080."""
        return WampConfig(url="ws://router.test:8080/ws", realm="r", **options)

    def test_endpoint(self) -> None:
        """An endpoint of the section's takes the place of the URL's host."""
        reactor = MemoryReactorClock()
        endpoint = client_endpoint(self.section(endpoint="unix:/run/router"), reactor)
        endpoint.connect(Factory.forProtocol(Protocol))
        self.assertEqual(reactor.unixClients[0][0], "/run/router")
        self.assertIn("HostnameEndpoint", repr(client_endpoint(self.section(), reactor)))

    def test_too_late(self) -> None:
        """A router that does not let us in has ``connect_timeout``."""
        clock = Clock()
        section = self.section(connect_timeout=7.0)

        async def never(*_: object) -> Joined:
            return await Deferred()

        endpoint = RouterEndpoint(never, section, clock)
        self.assertEqual(repr(endpoint), "<WAMP router ws://router.test:8080/ws>")
        connecting = endpoint.connect(Factory())
        clock.advance(7)
        failed = self.failureResultOf(connecting, RequestTimeout)
        self.assertIn("within 7 seconds", str(failed.value))

    def test_joined(self) -> None:
        """ClientService ends and aborts a session by its transport."""
        done: list[str] = []

        class Session:
            lost = False
            on_lost = staticmethod(lambda _: None)

            def close(self) -> None:
                done.append("close")

            def abort(self) -> None:
                done.append("abort")

        session: Any = Session()
        joined = Joined(session, StringTransport())
        joined.transport.loseConnection()
        joined.transport.abortConnection()
        self.assertEqual(done, ["close", "abort"])
        reasons: list[Any] = []
        joined.when_lost = reasons.append
        session.on_lost(Failure(RealmLost("gone")))
        self.assertEqual(len(reasons), 1)
        self.assertFalse(joined.closing)
