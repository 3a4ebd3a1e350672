"""
Connections that begin with a header of the PROXY protocol.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from tests.kit.site_client import Connection
from tests.kit.websocket import UPGRADE, WebSocketClient
from tests.sockjs.server.support import Recorders
from txtokensock.sockjs.server.resource import SockJSResource
from txtokensock.web.server.proxy_protocol import server_endpoint
from txtokensock.web.server.site import BoundedSite
from txtokensock.web.server.site_limits import SiteLimits

PROXY = IPv4Address("TCP", "10.0.0.1", 54321)
CLIENT = IPv4Address("TCP", "203.0.113.7", 4711)
CLIENT_6 = IPv6Address("TCP", "2001:db8::7", 4711)
SERVERS: dict[Any, Any] = {
    CLIENT: IPv4Address("TCP", "192.0.2.1", 80),
    CLIENT_6: IPv6Address("TCP", "2001:db8::1", 80),
}
"""What the connections of these clients came to, by their headers."""

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def binary(command: int, family: int, content: bytes) -> bytes:
    """A header in version 2."""
    return SIGNATURE + struct.pack("!BBH", command, family, len(content)) + content


PORTS = struct.pack("!HH", 4711, 80)
IPV4 = socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + PORTS
IPV6 = (
    socket.inet_pton(socket.AF_INET6, "2001:db8::7")
    + socket.inet_pton(socket.AF_INET6, "2001:db8::1")
    + PORTS
)

GOOD: list[tuple[bytes, Any]] = [
    (b"PROXY TCP4 203.0.113.7 192.0.2.1 4711 80\r\n", CLIENT),
    (b"PROXY TCP6 2001:db8:0::7 2001:db8::1 4711 80\r\n", CLIENT_6),
    (b"PROXY TCP6 ::ffff:203.0.113.7 ::ffff:192.0.2.1 4711 80\r\n", CLIENT),
    (b"PROXY UNKNOWN\r\n", PROXY),
    (b"PROXY UNKNOWN ffff:f:f:f:f:f:f:f ffff:f:f:f:f:f:f:f 65535 65535\r\n", PROXY),
    (binary(0x21, 0x11, IPV4), CLIENT),
    (binary(0x21, 0x21, IPV6), CLIENT_6),
    (binary(0x21, 0x11, IPV4 + b"\x04\x00\x01x"), CLIENT),  # more about the connection
    (binary(0x21, 0x11, IPV4 + b"x" * 4000), CLIENT),
    (binary(0x20, 0x00, b""), PROXY),  # a health check of the proxy itself
    (binary(0x20, 0x11, IPV4), PROXY),
    (binary(0x21, 0x00, b""), PROXY),
    (binary(0x21, 0x31, b"/run/app.sock".ljust(216, b"\0")), PROXY),
]

BAD = [
    REQUEST,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",  # TLS
    b"PROXY\r\n",
    b"PROXY \r\n",
    b"PROXY TCP5 1.1.1.1 1.1.1.1 1 1\r\n",
    b"PROXY TCP4 1.1.1.1\r\n",
    b"PROXY TCP4 1.1.1.1 1.1.1.1 x y\r\n",
    b"PROXY TCP4 1.1.1.1 1.1.1.1 65536 1\r\n",
    b"PROXY TCP4 1.1.1.1 1.1.1.1 " + b"9" * 5000 + b" 1\r\n",
    b"PROXY TCP4 evil.example 1.1.1.1 1 1\r\n",
    b"PROXY TCP6 fe80::1%x ::1 1 1\r\n",
    b"PROXY TCP4 \xff 1.1.1.1 1 1\r\n",
    b"PROXY UNKNOWN" + b" " * 200 + b"\r\n",
    b"PROXY UNKNOWN\n" + REQUEST + b"x" * 200,
    binary(0x22, 0x11, IPV4),
    binary(0x11, 0x11, IPV4),
    binary(0x21, 0x11, IPV4[:-1]),
    binary(0x21, 0x21, IPV4),
    binary(0x21, 0x11, IPV4 + b"x" * 60_000),
]


class Page(Resource):
    """Notes where its requests come from."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.clients: list[Any] = []
        self.hosts: list[Any] = []

    def render(self, request: Any) -> bytes:
        self.clients.append(request.getClientAddress())
        self.hosts.append(request.getHost())
        return b"here"


class ProxyProtocolTests(SynchronousTestCase):
    """``haproxy:`` endpoints."""

    def setUp(self) -> None:
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.clock = self.reactor = MemoryReactorClock()
        self.page = Page()
        self.root = root = Resource()
        root.putChild(b"", self.page)
        self.recorders = Recorders()
        root.putChild(b"echo", SockJSResource(self.recorders, reactor=self.clock))
        self.bounded = BoundedSite(root, SiteLimits(max_body=10), reactor=self.clock)
        self.successResultOf(server_endpoint(self.reactor, "haproxy:tcp:80").listen(self.bounded))
        self.site: Any = self.reactor.tcpServers[0][1]
        self.site.doStart()
        self.addCleanup(self.site.doStop)

    def connect(self) -> Connection:
        """A connection of the proxy."""
        return Connection(self, PROXY.host)

    def lines(self) -> str:
        """What was logged."""
        return "\n".join(map(str, map(formatEvent, self.logged)))

    def test_good(self) -> None:
        """Requests come from where the header says, in both versions; else from the proxy."""
        for header, client in GOOD:
            connection = self.connect()
            connection.send(header + REQUEST)
            connection.send(REQUEST)
            self.assertEqual(self.page.clients, [client, client], header)
            self.assertIn(f'"{client.host}" - - ', self.lines())
            server = SERVERS.get(client, connection.tcp.getHost())
            self.assertEqual(self.page.hosts, [server, server], header)
            self.page.clients.clear()
            self.page.hosts.clear()
            connection.drop()

    def test_pieces(self) -> None:
        """A header may come byte by byte, and alone."""
        for header, client in GOOD:
            connection = self.connect()
            for position in range(len(header)):
                connection.send(header[position : position + 1])
            self.assertEqual(self.page.clients, [])
            connection.send(REQUEST)
            self.assertEqual(self.page.clients, [client], header)
            self.page.clients.clear()
            connection.drop()

    def test_bad(self) -> None:
        """What begins in another way is closed, with one line in the log and no traceback."""
        for header in BAD:
            before = len(self.logged)
            connection = self.connect()
            connection.send(header)
            self.assertTrue(connection.tcp.aborting, header)
            self.clock.advance(0)
            new = [formatEvent(event) or "" for event in list(self.logged)[before:]]
            self.assertEqual(len(new), 1, new)
            self.assertIn("10.0.0.1", new[0])
            self.assertIn("without a valid header of the PROXY protocol", new[0])
        self.assertEqual(self.page.clients, [])
        self.assertEqual(len(self.bounded.connections), 0)

    def test_nothing(self) -> None:
        """A health check that connects and leaves is not worth a line."""
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        for sent in (b"", b"PROXY UNKNOWN\r\n", binary(0x20, 0, b""), b"PRO"):
            connection = self.connect()
            connection.send(sent)
            connection.drop()
        self.assertEqual(list(self.logged), [])

    def test_no_header(self) -> None:
        """Who never sends one is disconnected as who never sends a request."""
        connection = self.connect()
        connection.send(b"PROXY ")
        self.clock.advance(60)
        self.assertTrue(connection.tcp.disconnecting)
        connection.drop()

    def test_refused(self) -> None:
        """A site may refuse connections."""
        refusing = Factory()
        refusing.buildProtocol = lambda address: None  # type: ignore[method-assign]
        self.successResultOf(server_endpoint(self.reactor, "haproxy:tcp:81").listen(refusing))
        factory: Any = self.reactor.tcpServers[1][1]
        self.assertIsNone(factory.buildProtocol(PROXY))

    def test_websocket(self) -> None:
        """What becomes a WebSocket still has the client's address."""
        connection = self.connect()
        connection.send(GOOD[0][0])
        connection.request("GET", "/echo/000/abc/websocket", UPGRADE)
        websocket = WebSocketClient(connection)
        websocket.send('["hello"]')
        self.clock.advance(0)
        self.assertEqual([payload for _, payload in websocket.frames()][-1], b'a["hello"]')
        self.assertEqual(self.recorders.addresses, [CLIENT])
        connection.drop()

    def test_hosts(self) -> None:
        """
        What a trusted proxy passes on may be for any host, also where clients connect to the proxy
        at a loopback address, unless allowed_hosts names those that are served.
        """
        local = b"PROXY TCP4 %s 127.0.0.1 4711 80\r\n"
        for proxies, hosts, header, status in (
            ([PROXY.host], (), local % b"203.0.113.7", 200),
            ([PROXY.host], (), local % b"10.0.0.1", 200),  # a browser beside the proxy
            ([PROXY.host], ["app.example"], local % b"203.0.113.7", 200),
            ([PROXY.host], ["b.example"], local % b"203.0.113.7", 421),
            ([PROXY.host], ["b.example"], GOOD[0][0], 421),
            ([], (), local % b"203.0.113.7", 421),
            (["203.0.113.7"], (), local % b"203.0.113.7", 421),
            ([], (), GOOD[0][0], 200),
        ):
            sockjs = SockJSResource(
                self.recorders,
                reactor=self.clock,
                allowed_origins=None,
                trusted_proxies=proxies,
                allowed_hosts=hosts,
            )
            self.root.putChild(b"hosts", sockjs)
            connection = self.connect()
            connection.send(header)
            response = connection.request("GET", "/hosts/info", {"Host": "app.example"})
            self.assertEqual(response.status, status, (proxies, hosts, header))
            connection.drop()

    def test_other_endpoints(self) -> None:
        """All others are Twisted's."""
        server_endpoint(self.reactor, "tcp:82").listen(self.bounded)
        self.assertIs(self.reactor.tcpServers[-1][1], self.bounded)
        for wrong in ("haproxy:", "haproxy:bogus:1", "bogus:1", ""):
            with self.assertRaises(ValueError):
                server_endpoint(self.reactor, wrong)

    @given(
        st.lists(st.binary(max_size=40), max_size=5), st.sampled_from([b"", b"PROXY ", SIGNATURE])
    )
    def test_anything(self, pieces: list[bytes], start: bytes) -> None:
        """Nothing that comes raises."""
        connection = self.connect()
        for piece in (start, *pieces):
            if not connection.tcp.disconnected:
                connection.send(piece)
        connection.drop()
