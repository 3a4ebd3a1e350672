"""
SockJSClientEndpoint: from the TCP connection to the open session, over a real WebSocket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionAborted, DNSLookupError
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txtokensock import Timeouts
from txtokensock.errors import (
    AttemptTimeout,
    ConnectFailed,
    HandshakeRefused,
    InvalidAddress,
    InvalidOption,
    SockJSRefused,
)
from txtokensock.sockjs import ISockJSTransport, SockJSClientEndpoint
from txtokensock.testing import ScriptedSession

from .support import EndpointTestCase, Recorder


@implementer(IStreamClientEndpoint)
class _Wire:
    """Connects to nobody, and notes what is sent there."""

    def __init__(self) -> None:
        self.transport = StringTransportWithDisconnection()

    @property
    def sent(self) -> bytes:
        """All that was sent."""
        return self.transport.value()

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        protocol: Any = protocolFactory.buildProtocol(IPv4Address("TCP", "10.0.0.2", 80))
        self.transport.protocol = protocol
        self.transport.abortConnection = self.transport.loseConnection  # type: ignore[method-assign]
        protocol.makeConnection(self.transport)
        return succeed(protocol)


class OpeningTests(EndpointTestCase):
    """A session that opens."""

    def test_path_and_headers(self) -> None:
        """The session URL below the prefix, and the caller's headers."""
        self.connected(url="https://server.test:8443/a/b/", headers={"X-A": "1", "Cookie": "c=2"})
        base, server, session, kind = self.session.path.rsplit("/", 3)
        self.assertEqual((base, kind), ("/a/b", "websocket"))
        self.assertRegex(server, r"\A[0-9]{3}\Z")
        self.assertRegex(session, r"\A[a-z0-9]{8,}\Z")
        headers = self.session.headers
        self.assertEqual((headers["x-a"], headers["cookie"]), ("1", "c=2"))
        self.assertEqual(headers["host"], "server.test:8443")
        self.assertRegex(headers["user-agent"], r"^txtokensock/[0-9.]+$")

    def test_ipv6(self) -> None:
        """An IPv6 address has brackets in the Host header."""
        self.connected(url="http://[::1]:8080/sockets")
        self.assertEqual(self.session.headers["host"], "[::1]:8080")

    def test_zone(self) -> None:
        """The zone of an address is for this machine, and not in the Host header."""
        self.connected(url="http://[fe80::1%25eth0]:8080/sockets")
        self.assertEqual(self.session.headers["host"], "[fe80::1]:8080")

    def test_usual_port(self) -> None:
        """The Host header names no port that goes without saying, as with browsers."""
        for url in ("http://server.test/sockets", "https://server.test/sockets"):
            self.connected(url=url)
            self.assertEqual(self.session.headers["host"], "server.test")

    def test_host_header(self) -> None:
        """The user's own is the only one."""
        wire = _Wire()
        connecting = self.connecting(endpoint=wire, headers={"host": "other.test"})
        hosts = [line for line in wire.sent.splitlines() if line.lower().startswith(b"host:")]
        self.assertEqual(hosts, [b"Host: other.test"])
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)

    def test_interim_answers(self) -> None:
        """Before 101 there may be others: RFC 9110, section 15.2.  Their cookies count."""

        def handshake(session: ScriptedSession) -> None:
            session.send_raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n")
            session.send_raw(b"Link: </style.css>\r\nSet-Cookie: early=1; Path=/\r\n\r\n")
            session.accept_handshake()

        self.server.script(handshake=handshake)
        endpoint = self.endpoint()
        for _ in range(2):
            endpoint.connect(Factory.forProtocol(self.protocol))
            self.server.settle()
        self.assertEqual(self.session.headers["cookie"], "early=1")

    def test_endless_interim_answers(self) -> None:
        """They are no way to keep a client busy for ever."""

        def handshake(session: ScriptedSession) -> None:
            session.send_raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000)

        self.server.script(handshake=handshake)
        connecting = self.connecting()
        self.server.advance(10)
        self.failureResultOf(connecting, HandshakeRefused, AttemptTimeout)

    def test_headers_that_are_not_ascii(self) -> None:
        """The values of an answer may be any bytes but control characters."""
        for value in (b"caf\xe9", "café".encode(), b"\xff\xfe"):

            def handshake(session: ScriptedSession, value: bytes = value) -> None:
                session.accept_handshake(f"X-Server: {value.decode(errors='surrogateescape')}")

            self.server.script(handshake=handshake)
            self.connected()

    def test_new_session_each_time(self) -> None:
        """Each connection is a session of its own."""
        for _ in range(2):
            self.connected()
        self.assertNotEqual(*(session.path for session in self.server.sessions))

    def test_transport(self) -> None:
        """The protocol's transport is what the interface says, with real addresses."""
        transport = self.connected().transport
        verifyObject(ISockJSTransport, transport)
        self.assertEqual(
            (transport.getPeer().host, transport.getHost().host), ("10.0.0.2", "10.0.0.1")
        )

    def test_interface(self) -> None:
        """The endpoint is a stream client endpoint, and its repr names the address alone."""
        endpoint = self.endpoint(headers={"Cookie": "secret"})
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertEqual(repr(endpoint), "<SockJSClientEndpoint http://server.test/sockets>")

    def test_messages(self) -> None:
        """One dataReceived a message; write is one message, writeSequence one frame."""
        protocol = self.connected()
        self.session.send_text("one", "", "é\u2028😀")
        self.session.send_text("two")
        protocol.transport.write(b"a")
        protocol.transport.writeSequence([b"b", "é".encode()])
        protocol.transport.writeSequence([])
        self.server.settle()
        self.assertEqual(protocol.received, [b"one", b"", "é\u2028😀".encode(), b"two"])
        self.assertEqual(self.session.frames, [["a"], ["b", "é"]])

    def test_no_protocol(self) -> None:
        """A factory that builds none refuses the session."""

        class NoProtocols(Factory):
            def buildProtocol(self, addr: object) -> None:
                return None

        error = self.failureResultOf(self.connecting(NoProtocols()), SockJSRefused).value
        self.assertEqual(error.phase, "open")

    def test_factory_that_raises(self) -> None:
        """A factory that raises is logged as what it is, and leaves nothing open."""

        class Broken(Factory):
            def buildProtocol(self, addr: object) -> Any:
                raise RuntimeError("factory")

        self.failureResultOf(self.connecting(Broken()), SockJSRefused)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_protocol_that_closes_at_once(self) -> None:
        """connectionMade may drop the session; whoever waits still gets the protocol."""

        class Closing(Recorder):
            def connectionMade(self) -> None:
                self.transport.abortConnection()

        factory = Factory.forProtocol(Closing)
        protocol = self.successResultOf(self.connecting(factory))
        self.assertIsInstance(self.lost(protocol), ConnectionAborted)


class FailureTests(EndpointTestCase):
    """A session that does not open: which phase, and what is left."""

    def failed(self, kind: type[Exception], phase: str, **script: Any) -> Any:
        """The error of an attempt where the server does this."""
        self.server.script(**script)
        connecting = self.connecting()
        error = self.failureResultOf(connecting, kind).value
        self.assertEqual(error.phase, phase)
        self.assertEqual(self.server.open_connections, 0)
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.assertEqual(self.protocols, [])
        return error

    def test_connect(self) -> None:
        """Refused."""
        self.assertIn("server.test", str(self.failed(ConnectFailed, "connect", connect="refuse")))

    def test_other_errors_of_the_endpoint(self) -> None:
        """Whatever the endpoint below fails with is a failure to connect."""

        @implementer(IStreamClientEndpoint)
        class Failing:
            def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
                return fail(DNSLookupError("no such host"))

        error = self.failureResultOf(self.connecting(endpoint=Failing()), ConnectFailed).value
        self.assertIn("no such host", str(error))
        self.assertIsInstance(error.__cause__, DNSLookupError)

    def test_handshake(self) -> None:
        """Refused, reset, closed, nonsense; the status can be read."""
        for step in ("drop", "hang up", "garbage"):
            self.failed(HandshakeRefused, "handshake", handshake=step)
        self.assertIn("403", str(self.failed(HandshakeRefused, "handshake", handshake="refuse")))

    def test_what_a_refusal_says(self) -> None:
        """The status, when to come back, and where to; and nothing of a query."""

        def refuse(session: Any) -> None:
            session.send_raw(
                b"HTTP/1.1 503 Away\r\nRetry-After: 7\r\n"
                b"Location: http://secret@b.test/?secret\r\n\r\n"
            )

        error = self.failed(HandshakeRefused, "handshake", handshake=refuse)
        self.assertEqual((error.status, error.retry_after), (503, 7.0))
        self.assertIn("http://b.test/", str(error))
        self.assertNotIn("secret", str(error))

    def test_wrong_handshakes(self) -> None:
        """Answers that are none to our question."""
        for answer in (
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: wrong\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 302 Found\r\nLocation: http://other.test/\r\n\r\n",
            b"SSH-2.0-OpenSSH\r\n\r\n",
        ):
            self.failed(
                HandshakeRefused,
                "handshake",
                handshake=lambda session, answer=answer: session.send_raw(answer),
            )

    def test_flood(self) -> None:
        """An answer that does not end is left after 64 KiB, not kept."""

        def flood(session: Any) -> None:
            session.send_raw(b"HTTP/1.1 101 Switching\r\n" + b"X-A: b\r\n" * 30_000)

        error = self.failed(HandshakeRefused, "handshake", handshake=flood)
        self.assertIn("64 KiB", str(error))

    def test_open(self) -> None:
        """Refused, reset, closed, nonsense; the code can be read."""
        for step in ("drop", "hang up", "garbage"):
            self.failed(SockJSRefused, "open", open=step)
        self.assertIn("3000 Go away!", str(self.failed(SockJSRefused, "open", open="refuse")))

    def test_messages_before_open(self) -> None:
        """Messages, binary or not, before ``o`` are a violation; heartbeats are not."""
        self.failed(SockJSRefused, "open", open=lambda s: s.send_text("early"))
        self.failed(SockJSRefused, "open", open=lambda s: s.send_binary(b"o"))
        self.server.script(open=lambda s: (s.send_frame("h"), s.send_frame(""), s.send_frame("o")))
        self.connected()

    def test_deadlines(self) -> None:
        """Each phase has one of its own, which begins with the phase."""
        for phase, seconds in (("connect", 1), ("handshake", 2), ("open", 3)):
            self.server.script(**{phase: "ignore"})
            connecting = self.connecting(timeouts=Timeouts(connect=1, handshake=2, open=3))
            self.server.advance(seconds - 0.1)
            self.assertNoResult(connecting)
            self.server.advance(0.1)
            error = self.failureResultOf(connecting, AttemptTimeout).value
            self.assertEqual(error.phase, phase)
            self.assertIn(f"{seconds} seconds", str(error))
            self.assertEqual(self.server.open_connections, 0)

    def test_old_names(self) -> None:
        """An argument for each of them still works, and is warned of."""
        for phase, seconds in (("connect", 1), ("handshake", 2), ("open", 3)):
            self.server.script(**{phase: "ignore"})
            connecting = self.connecting(connect_timeout=1, handshake_timeout=2, open_timeout=3)
            self.server.advance(seconds)
            error = self.failureResultOf(connecting, AttemptTimeout).value
            self.assertEqual(error.phase, phase)
            texts = [warning["message"] for warning in self.flushWarnings()]
            self.assertEqual(len(texts), 3)
            self.assertIn("use timeouts=Timeouts(connect=) instead", texts[0])
        for name in ("connect_timeout", "send_timeout", "close_timeout"):
            self.assertRaises(InvalidOption, self.endpoint, **{name: 0})
        self.flushWarnings()
        self.assertRaises(TypeError, self.endpoint, token_timeout=1)

    def test_slow_close_instead_of_open(self) -> None:
        """A server that refuses and then does not end is left in time."""
        self.server.script(open=lambda s: s.send_frame('c[3000,"no"]'), close="ignore")
        connecting = self.connecting(timeouts=Timeouts(close=2))
        self.server.advance(2)
        self.assertIn("no", str(self.failureResultOf(connecting, SockJSRefused).value))


class CancelTests(EndpointTestCase):
    """Attempts that are cancelled."""

    def test_each_phase(self) -> None:
        """Nothing is left open, wherever it was."""
        for phase in ("connect", "handshake", "open"):
            self.server.script(**{phase: "ignore"})
            connecting = self.connecting()
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.server.settle()
            self.assertEqual(self.server.open_connections, 0)
            self.assertEqual(list(self.server.clock.getDelayedCalls()), [])

    def test_endpoint_that_cannot_be_cancelled(self) -> None:
        """A connection that comes after all is dropped."""
        inner = self.server.network.endpoint()

        @implementer(IStreamClientEndpoint)
        class Stubborn:
            def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
                connected: Deferred[IProtocol] = Deferred()
                clock.callLater(5, lambda: inner.connect(protocolFactory).chainDeferred(connected))
                return connected

        clock = self.server.clock
        for end in (Deferred.cancel, lambda _: self.server.advance(1)):
            connecting = self.connecting(endpoint=Stubborn(), timeouts=Timeouts(connect=1))
            end(connecting)
            self.failureResultOf(connecting, CancelledError, AttemptTimeout)
            self.server.advance(10)
            self.assertEqual(self.server.open_connections, 0)
        self.assertEqual(self.protocols, [])


class AddressTests(SynchronousTestCase):
    """Where it connects to by itself."""

    def test_tcp_and_tls(self) -> None:
        """The URL's host and port; for https the policy is asked for that host's name."""
        asked: list[Any] = []

        @implementer(IPolicyForHTTPS)
        class Policy:
            def creatorForNetloc(self, hostname: bytes, port: int) -> Any:
                asked.append((hostname, port))
                return optionsForClientTLS("127.0.0.1")

        for url, port in (("http://127.0.0.1:8080/s", 8080), ("https://127.0.0.1/s", 443)):
            reactor = MemoryReactorClock()
            connecting = SockJSClientEndpoint(reactor, url, tls=Policy()).connect(
                Factory.forProtocol(Recorder)
            )
            reactor.advance(0)
            self.assertEqual([client[:2] for client in reactor.tcpClients], [("127.0.0.1", port)])
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            reactor.advance(0)
            self.assertEqual(reactor.getDelayedCalls(), [])
        self.assertEqual(asked, [(b"127.0.0.1", 443)])


class OptionTests(EndpointTestCase):
    """Options that cannot be."""

    def test_invalid(self) -> None:
        """Each is refused by the constructor."""
        for options in (
            {"transports": []},
            {"transports": "websocket"},
            {"transports": ["smoke"]},
            {"headers": {"A": "b\r\nC: d"}},
            {"headers": {"A\n": "b"}},
            {"headers": {"A:": "b"}},
            {"headers": {"": "b"}},
            {"headers": {"A": 1}},
            {"headers": [("A", "b")]},
        ):
            self.assertRaises(InvalidOption, self.endpoint, **options)
        for url in (
            "",
            "ftp://server.test",
            "http://user:pw@server.test/",
            "http://server.test/?a",
        ):
            self.assertRaises(InvalidAddress, self.endpoint, url)
