"""HTTP CONNECT: what is asked, what the tunnel carries, and how it all ends."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.testing import StringTransportWithDisconnection
from zope.interface.verify import verifyObject

from txtokensock.errors import AttemptTimeout, ConnectFailed, ConnectionFailed, ProxyRefused
from txtokensock.support.timeouts import Timeouts, within_phase
from txtokensock.web.client.http_connect import ConnectEndpoint
from txtokensock.web.client.request_headers import USER_AGENT

from .proxy import NAME, OK, Building, ProxyTestCase, Recorder


class RequestTests(ProxyTestCase):
    """What the proxy is asked."""

    def asked(self, **options: Any) -> bytes:
        """The request of an attempt."""
        connecting = self.connecting(**options)
        connecting.addErrback(lambda failure: failure.trap(CancelledError))
        connecting.cancel()
        return self.proxy.received

    def test_name(self) -> None:
        """A name is left to the proxy to resolve; the port is always told."""
        self.assertEqual(
            self.asked(),
            b"CONNECT server.test:443 HTTP/1.1\r\n"
            b"Host: server.test:443\r\nUser-Agent: %b\r\n\r\n" % USER_AGENT.encode(),
        )

    def test_ipv6(self) -> None:
        """IPv6 is in brackets."""
        asked = self.asked(host="2001:db8::1", port=80)
        self.assertIn(b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n", asked)

    def test_authorization(self) -> None:
        """Credentials go along."""
        self.assertIn(
            b"\r\nProxy-Authorization: Basic eDp5\r\n", self.asked(authorization="Basic eDp5")
        )

    def test_default_user_agent(self) -> None:
        """We say who we are."""
        connecting = self.connecting()
        self.assertIn(b"\r\nUser-Agent: txtokensock/", self.proxy.received)
        connecting.cancel()
        self.failure(connecting, CancelledError)

    def test_interface(self) -> None:
        """It is an endpoint, and its repr holds no secret."""
        endpoint = self.endpoint(authorization="Basic c2VjcmV0")
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertNotIn("c2Vj", repr(endpoint))
        self.assertIn("server.test:443", repr(endpoint))


class OpenTests(ProxyTestCase):
    """What the tunnel carries."""

    def test_both_ways(self) -> None:
        """Bytes go through as they are, each piece by one call."""
        client = self.connected()
        client.transport.write(b"out")
        client.transport.writeSequence([b"1", b"2"])
        self.proxy.received = b""
        self.proxy.transport.write(b"in")
        self.settle()
        self.assertEqual((client.received, self.proxy.received), (b"in", b"out12"))
        self.assertIs(client.transport, self.network.connections[0][0])

    def test_behind_the_answer(self) -> None:
        """What comes with the answer is the protocol's, once somebody has that."""
        order: list[str] = []

        class Client(Recorder):
            def connectionMade(self) -> None:
                order.append("made")

            def dataReceived(self, data: bytes) -> None:
                order.append(data.decode())

        self.clients.append(Client())
        connecting = self.connecting(Building(lambda: self.clients[0]))
        connecting.addCallback(lambda _: order.append("fired"))
        self.proxy.transport.write(OK + b"data")
        self.settle()
        self.assertEqual(order, ["made", "fired", "data"])

    def test_hung_up(self) -> None:
        """Who hangs up as soon as there is a connection gets nothing more, as with TCP."""
        for hang_up in ("loseConnection", "abortConnection"):
            connecting = self.connecting()
            connecting.addCallback(lambda client, how=hang_up: getattr(client.transport, how)())
            self.proxy.transport.write(OK + b"data")
            self.settle()
            self.successResultOf(connecting)
            self.assertEqual(self.clients[-1].received, b"")

    def test_ends(self) -> None:
        """The protocol hears of the end once, with the connection's own reason."""
        for end, kind in (
            (lambda client: client.transport.loseConnection(), ConnectionDone),
            (lambda client: client.transport.abortConnection(), ConnectionAborted),
            (lambda _: self.proxy.transport.loseConnection(), ConnectionDone),
            (lambda _: self.proxy.transport.abortConnection(), ConnectionLost),
        ):
            client = self.connected()
            end(client)
            self.settle()
            (reason,) = client.lost
            self.assertIs(type(reason), kind)

    def test_flow_control(self) -> None:
        """A producer is paused while the proxy does not read, and reading can be paused."""
        client = self.connected()
        calls: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                calls.append("pause")

            def resumeProducing(self) -> None:
                calls.append("resume")

            def stopProducing(self) -> None:
                calls.append("stop")

        client.transport.registerProducer(Producer(), True)
        self.proxy.transport.pauseProducing()
        client.transport.write(b"x" * 200_000)
        self.settle()
        self.assertEqual(calls, ["pause"])
        self.proxy.transport.resumeProducing()
        self.settle()
        self.assertEqual(calls, ["pause", "resume"])
        client.transport.pauseProducing()
        self.proxy.transport.write(b"later")
        self.settle()
        self.assertEqual(client.received, b"")
        client.transport.resumeProducing()
        self.settle()
        self.assertEqual(client.received, b"later")
        client.transport.unregisterProducer()

    def test_addresses(self) -> None:
        """The peer is the proxy, for transport and factory alike."""
        built: list[Any] = []

        class Built(Factory):
            def buildProtocol(inner, addr: Any) -> Any:
                built.append(addr)
                return self._new(self.clients)

        client = self.successResultOf(self.connecting(Built(), OK))
        self.assertEqual(client.transport.getPeer().port, 3128)
        self.assertEqual(built, [client.transport.getPeer()])

    def test_factory_is_told(self) -> None:
        """Endpoints that start and stop factories start and stop the protocol's own."""
        calls: list[str] = []

        class Told(Factory):
            def doStart(self) -> None:
                calls.append("start")

            def doStop(self) -> None:
                calls.append("stop")

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                factory.doStart()
                factory.doStop()
                return Deferred()

        endpoint: Any = Endpoint()
        waiting = ConnectEndpoint(endpoint, "a.test", 1, proxy_name=NAME).connect(Told())
        self.assertEqual(calls, ["start", "stop"])
        waiting.cancel()
        self.failure(waiting, CancelledError)


class FailureTests(ProxyTestCase):
    """Ends before there is a tunnel; the connection is dropped each time, see ``failure``."""

    def test_unreachable(self) -> None:
        """It is said that the proxy is what cannot be reached."""
        self.accept = False
        error = self.failure(self.connecting(), ConnectFailed)
        self.assertNotIsInstance(error, ProxyRefused)
        self.assertIn(f"cannot reach the proxy {NAME}: Connection was refused", str(error))
        self.assertEqual(error.phase, "connect")

    def test_closed(self) -> None:
        """A proxy that hangs up, before or in the middle of its answer."""
        for said in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"):
            for end in ("loseConnection", "abortConnection"):
                connecting = self.connecting(None, said)
                self.assertNoResult(connecting)
                getattr(self.proxy.transport, end)()
                self.settle()
                error = self.failure(connecting, ProxyRefused)
                self.assertIn("closed the connection instead of answering", str(error))
                self.assertEqual((error.status, error.phase), (None, "connect"))

    def test_refused(self) -> None:
        """Nothing is read behind a refusal, however much of it there is."""
        answer = b"HTTP/1.1 403 No\r\n\r\n"
        error = self.failure(self.connecting(None, answer + b"x" * 200_000), ProxyRefused)
        self.assertEqual(error.status, 403)
        self.assertIsInstance(error, ConnectionFailed)

    def test_never(self) -> None:
        """A proxy that says nothing is waited for: the deadline is the caller's, and names it."""
        connecting = self.connecting()
        self.clock.advance(10_000)
        self.assertNoResult(connecting)
        within_phase(connecting, "connect", Timeouts(connect=10), self.clock)
        self.clock.advance(10)
        error = self.failure(connecting, AttemptTimeout)
        self.assertEqual(
            str(error),
            f"no connection was made within 10 seconds: the proxy {NAME} has not connected us",
        )

    def test_factories(self) -> None:
        """A factory that builds none, or raises, fails the attempt with just that."""
        self.failure(self.connecting(Building(lambda: None), OK), NoProtocol)
        self.failure(self.connecting(Building(lambda: {}["no"]), OK + b"x"), KeyError)

    def test_protocol_that_raises(self) -> None:
        """So does a protocol that raises as it is connected; it hears of the end all the same."""

        class Broken(Recorder):
            def connectionMade(self) -> None:
                raise ValueError("not today")

        broken = Broken()
        self.failure(self.connecting(Building(lambda: broken), OK + b"data"), ValueError)
        self.assertEqual(len(broken.lost), 1)
        self.assertEqual(broken.received, b"")


class CancelTests(ProxyTestCase):
    """Cancelling, at every moment."""

    def check(self, connecting: Deferred[Any], said: str) -> None:
        """Cancel; it fires at once, says why, and nothing is left, see ``failure``."""
        connecting.cancel()
        error = self.failure(connecting, CancelledError)
        self.assertEqual(str(error), f"the proxy {NAME} {said}")

    def test_while_connecting(self) -> None:
        """Before the proxy accepts, and before anything happened at all."""
        self.accept = None
        self.check(self.connecting(), "was not reached")
        self.accept = True
        self.check(self.endpoint().connect(Factory.forProtocol(Recorder)), "was not reached")

    def test_while_waiting(self) -> None:
        """In the middle of the answer; what comes later does not matter."""
        for said in (b"", b"HTTP/1.1 2", b"HTTP/1.1 100 Continue\r\n\r\n"):
            connecting = self.connecting(None, said)
            self.proxy.transport.write(OK)
            self.check(connecting, "has not connected us")
        self.assertEqual(self.clients, [])

    def test_in_build_protocol(self) -> None:
        """The protocol that is built all the same gets no connection."""
        built = Recorder()

        def build() -> Recorder:
            connecting.cancel()
            return built

        connecting = self.connecting(Building(build))
        self.proxy.transport.write(OK + b"data")
        self.settle()
        self.failure(connecting, CancelledError)
        self.assertIsNone(built.transport)
        self.assertEqual((built.received, built.lost), (b"", []))

    def test_in_connection_made(self) -> None:
        """The protocol that has its connection already loses it."""

        class Client(Recorder):
            def connectionMade(self) -> None:
                connecting.cancel()

        client = Client()
        connecting = self.connecting(Building(lambda: client))
        self.proxy.transport.write(OK + b"data")
        self.settle()
        self.failure(connecting, CancelledError)
        self.assertEqual(client.received, b"")
        self.assertEqual(len(client.lost), 1)

    def test_data_afterwards(self) -> None:
        """Some transports end at once, or deliver what they have read even so."""
        transport = StringTransportWithDisconnection()

        class Endpoint:
            def connect(self, factory: Any) -> Deferred[Any]:
                transport.protocol = factory.buildProtocol(None)
                transport.protocol.makeConnection(transport)
                return succeed(transport.protocol)

        endpoint: Any = Endpoint()
        connecting = ConnectEndpoint(endpoint, "a.test", 1, proxy_name=NAME).connect(
            Building(lambda: self._new(self.clients))
        )
        connecting.cancel()
        self.failure(connecting, CancelledError)
        self.assertTrue(transport.disconnected)
        transport.protocol.dataReceived(OK + b"data")
        self.assertEqual(self.clients, [])

    def test_afterwards(self) -> None:
        """It is too late: the connection is the protocol's."""
        connecting = self.connecting(None, OK)
        connecting.cancel()
        client = self.successResultOf(connecting)
        self.proxy.transport.write(b"data")
        self.settle()
        self.assertEqual(client.received, b"data")
