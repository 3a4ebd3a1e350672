"""
The HTTP client's agent: where requests go, and what they say of it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txtokensock.errors import InvalidOption
from txtokensock.testing import MemoryNetwork
from txtokensock.web.client.agent import Agent
from txtokensock.web.client.connection_pool import ConnectionPool

HEAD = b"GET /x HTTP/1.1\r\n"


@implementer(IAgentEndpointFactory)
class AgentTests(SynchronousTestCase):
    """An agent, and a server in memory that says nothing."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.heads: list[bytes] = []
        self.network = MemoryNetwork(self.clock, Factory.forProtocol(self._server))  # type: ignore[arg-type]
        self.asked: list[tuple[bytes, bytes, int]] = []
        self.pool = ConnectionPool(self.clock, idle_timeout=3)
        self.agent = Agent(self, self.pool)
        self.addCleanup(self._end)

    def _server(self) -> Protocol:
        server = Protocol()
        server.dataReceived = self.heads.append  # type: ignore[method-assign]
        return server

    def endpointForURI(self, uri: Any) -> Any:
        self.asked.append((uri.scheme, uri.host, uri.port))
        if uri.host == b"nowhere.test":
            raise InvalidOption("nowhere")
        return self.network.endpoint()

    def _end(self) -> None:
        self.pool.abort()
        self.clock.pump([0] * 10)
        self.assertEqual((self.network.open, self.clock.getDelayedCalls()), ([], []))

    def send(self, uri: bytes, headers: Headers | None = None) -> None:
        """Send a request, and give it up when it is there."""
        sent = self.agent.request(b"GET", uri, headers)
        self.clock.pump([0] * 10)
        sent.cancel()
        self.failureResultOf(sent, CancelledError)

    def test_interface(self) -> None:
        """It goes where Twisted's goes."""
        verifyObject(IAgent, self.agent)

    def test_addresses(self) -> None:
        """Whom they lead to, and what is asked for there."""
        for uri, asked, head in (
            (b"http://a.test/x", (b"http", b"a.test", 80), b"/x a.test"),
            (b"http://a.test:80/x", (b"http", b"a.test", 80), b"/x a.test"),
            (b"https://a.test:80/x", (b"https", b"a.test", 80), b"/x a.test:80"),
            (b"https://a.test", (b"https", b"a.test", 443), b"/ a.test"),
            (b"HTTPS://a.test?q=1/2", (b"https", b"a.test", 443), b"/?q=1/2 a.test"),
            (b"http://[::1]:8080/x;y?z#f", (b"http", b"::1", 8080), b"/x;y?z [::1]:8080"),
        ):
            self.send(uri)
            target, host = head.split()
            self.assertEqual(self.asked[-1], asked)
            self.assertEqual(
                self.heads[-1], b"GET %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, host)
            )

    def test_asked_once(self) -> None:
        """The way to a server is looked for once."""
        for uri in (b"http://a.test/1", b"http://a.test/2", b"http://a.test:81/"):
            self.send(uri)
        self.assertEqual(len(self.asked), 2)

    def test_host_of_the_user(self) -> None:
        """It takes the place of ours: no request has two."""
        self.send(b"http://a.test/x", Headers({"host": ["b.test"]}))
        self.assertEqual(self.heads, [HEAD + b"Host: b.test\r\n\r\n"])

    def test_framing_of_the_user(self) -> None:
        """How long a body is depends on the body."""
        headers = Headers({"Content-Length": ["5"], "Transfer-Encoding": ["gzip"]})
        self.send(b"http://a.test/x", headers)
        self.assertEqual(self.heads, [HEAD + b"Host: a.test\r\n\r\n"])

    def test_impossible(self) -> None:
        """It fails before anything is connected, and is not quoted."""
        for method, uri, headers in (
            (b"GET", b"ftp://s3cret/", None),
            (b"GET", b"/s3cret", None),
            (b"GET", b"http://a.test/s3 cret", None),
            (b"GET", b"http://a.test/s3cret\xff", None),
            (b"G T", b"http://a.test/", None),
            (b"GET", b"http://a.test/", Headers({"X": ["s3cret\0"]})),
            (b"GET", b"http://a.test/", Headers({"Host": ["a", "b"]})),
        ):
            sent = self.agent.request(method, uri, headers)
            self.assertNotIn("cret", str(self.failureResultOf(sent, ValueError).value))
        self.assertEqual(self.network.connections, [])

    def test_no_way(self) -> None:
        """Where there is no endpoint, the request fails with just that."""
        self.failureResultOf(self.agent.request(b"GET", b"http://nowhere.test/"), InvalidOption)
