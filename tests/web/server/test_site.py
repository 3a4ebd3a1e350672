"""
The site that bounds bodies and responses.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IHalfCloseableDescriptor
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import formatEvent, globalLogPublisher
from twisted.protocols.policies import WrappingFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site
from zope.interface import directlyProvides

from tests.kit.http import request
from tests.kit.site_client import Connection
from tests.kit.turns import one_turn
from tests.kit.websocket import TEXT, UPGRADE, WebSocketClient, encode_frame
from txtokensock.errors import InvalidOption
from txtokensock.sockjs.server.resource import SockJSResource
from txtokensock.web.server.bounded_channel import TurnedAway
from txtokensock.web.server.site import BoundedSite
from txtokensock.web.server.site_limits import SiteLimits
from txtokensock.web.server.trusted_proxies import TrustedProxies

from ...sockjs.server.support import Recorders, Server


class Page(Resource):
    """Says how much it was sent."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.too_large: list[bool] = []

    def render(self, request: Any) -> bytes:
        self.sizes.append(len(request.content.read()))
        self.too_large.append(request.too_large)
        return b"x" * 1000


class SiteTests(SynchronousTestCase):
    """``BoundedSite``."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.page = Page()
        self.recorders = Recorders()
        root = Resource()
        root.putChild(b"page", self.page)
        root.putChild(b"echo", SockJSResource(self.recorders, reactor=self.clock))
        self.site = BoundedSite(root, SiteLimits(max_body=1000), reactor=self.clock)

    def connect(self) -> Connection:
        """A new client."""
        return Connection(self, "10.0.0.1")

    def test_bodies(self) -> None:
        """Up to the limit, in one piece or in chunks."""
        connection = self.connect()
        self.assertEqual(connection.request("POST", "/page", body=b"x" * 1000).status, 200)
        connection = self.connect()
        head = b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.send(head + b"1f4\r\n" + b"x" * 500 + b"\r\n1f4\r\n" + b"x" * 500 + b"\r\n")
        connection.send(b"0\r\n\r\n")
        self.assertEqual(connection.response().status, 200)
        self.assertEqual(self.page.sizes, [1000, 1000])

    def test_long_heads(self) -> None:
        """A head that is too long is answered 431, and nothing after it is looked at."""
        again = b"\r\n\r\nGET /page HTTP/1.1\r\n\r\n"
        for head in (
            b"GET /" + b"x" * 17_000 + b" HTTP/1.1" + again,
            b"GET /" + b"x" * 17_000,
            b"GET /page HTTP/1.1\r\nX: " + b"x" * 17_000 + again,
            b"GET /page HTTP/1.1" + (b"\r\nX: " + b"x" * 1000) * 17 + again,
            b"GET /page HTTP/1.1" + b"\r\nX: x" * 129 + again,
        ):
            connection = self.connect()
            connection.send(head)
            self.assertEqual(connection.response().status, 431)
            connection.take()
            connection.send(again)
            self.assertEqual(connection.take(), b"")
            self.clock.advance(0)
            self.assertTrue(connection.tcp.lost)
        self.assertEqual(self.page.sizes, [])

    def test_longest_head(self) -> None:
        """What is just not too long is answered, as often as it comes."""
        connection = self.connect()
        for _ in range(3):
            connection.send(b"GET /page HTTP/1.1" + (b"\r\nX: " + b"x" * 100) * 128 + b"\r\n\r\n")
            self.assertEqual(connection.response().status, 200)
            connection.take()

    def test_long_head_over_tcp(self) -> None:
        """The answer is not lost where the client still sends: it is read, for five seconds."""
        connection = self.connect()
        directlyProvides(connection.tcp, IHalfCloseableDescriptor)
        ended: list[bool] = []
        connection.tcp.loseWriteConnection = lambda: ended.append(True)
        connection.send(b"GET /" + b"x" * 17_000)
        self.assertEqual(connection.response().status, 431)
        self.assertEqual(ended, [True])
        self.assertFalse(connection.tcp.disconnecting)
        connection.send(b"x" * 100_000)
        self.clock.pump([5, 0])
        self.assertTrue(connection.tcp.lost)

    def test_too_large(self) -> None:
        """One more is refused before it comes, and the connection ends."""
        connection = self.connect()
        connection.send(b"POST /page HTTP/1.1\r\nContent-Length: 1001\r\n\r\n")
        self.assertEqual(connection.response().status, 413)
        self.assertTrue(connection.tcp.disconnecting)
        connection.send(b"x" * 1001)
        self.clock.advance(0)
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(self.page.sizes, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_announced(self) -> None:
        """Who asks before it sends a body that is too large is not told to go on."""
        head = b"POST /page HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        connection = self.connect()
        connection.send(head % 1001)
        self.assertEqual(connection.take().count(b"HTTP/1.1"), 1)
        connection.send(b"x" * 1001)
        self.assertEqual(connection.take(), b"")
        connection = self.connect()
        connection.send(head % 1000)
        self.assertEqual(connection.take(), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(b"x" * 1000)
        self.assertEqual(connection.response().status, 200)

    def test_too_many_chunks(self) -> None:
        """Where no length was told, it is refused when it is there."""
        connection = self.connect()
        connection.send(b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.send(b"1f4\r\n" + b"x" * 500 + b"\r\n")
        self.assertEqual(connection.take(), b"")
        connection.send((b"1f4\r\n" + b"x" * 500 + b"\r\n") * 2 + b"0\r\n\r\n")
        self.assertEqual(connection.take().count(b"413"), 1)
        self.clock.advance(0)
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(self.page.sizes, [])

    def test_responses_that_are_not_read(self) -> None:
        """Requests are left with the client until it reads; then all are answered."""
        connection = self.connect()
        connection.tcp.stop_reading()
        request = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
        sent = 0
        while connection.tcp.producerState == "producing":
            connection.send(request * 10)
            sent += 10
        self.assertLess(sent, 100)
        # What came in one piece with the last that had room has to wait as well.
        self.assertLess(sent - len(self.page.sizes), 10)
        connection.tcp.read_again()
        self.assertEqual(connection.tcp.producerState, "producing")
        connection.send(request)
        self.assertEqual(len(self.page.sizes), sent + 1)
        connection.drop()

    def test_one_piece(self) -> None:
        """Requests that came in one piece wait for room, and not for ever."""
        connection = self.connect()
        connection.tcp.stop_reading()
        connection.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        answered = len(self.page.sizes)
        self.assertLess(answered, 100)
        connection.tcp.read_again()
        self.assertGreater(len(self.page.sizes), answered)
        connection.tcp.stop_reading()
        connection.send(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        self.clock.advance(60)
        self.assertTrue(connection.tcp.disconnecting)
        connection.drop()
        self.clock.advance(60)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_many_at_once(self) -> None:
        """Of more requests than fit into one turn, each connection's next one has its turn."""
        request = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
        greedy, other = self.connect(), self.connect()
        greedy.tcp.protocol.dataReceived(request * 100)
        self.assertLess(len(self.page.sizes), 30)
        self.assertEqual(greedy.tcp.producerState, "paused")
        other.tcp.protocol.dataReceived(b"POST /page HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc")
        self.assertEqual(other.take(), b"")
        self.clock.advance(0)
        self.assertEqual(other.response().status, 200)
        self.assertEqual(len(self.page.sizes), 101)
        self.assertLess(self.page.sizes.index(3), 30)
        self.assertEqual(greedy.take().count(b"HTTP/1.1 200"), 100)
        self.assertEqual(greedy.tcp.producerState, "producing")

    def test_large_heads(self) -> None:
        """Fewer requests fit into a turn where their heads are large."""
        request = b"GET /page?%b HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a&" * 7900)
        connections = [self.connect() for _ in range(20)]
        for connection in connections:
            connection.tcp.protocol.dataReceived(request)
        self.assertLess(len(self.page.sizes), 4)
        one_turn(self.clock)
        self.assertLess(len(self.page.sizes), 8)
        self.clock.advance(0)
        self.clock.pump([0] * 20)
        self.assertEqual(len(self.page.sizes), 20)

    def test_behind_a_request_that_waits(self) -> None:
        """What comes behind it is read in order, by a WebSocket too, if it was one for that."""
        self.connect().tcp.protocol.dataReceived(b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        late = self.connect()
        late.tcp.protocol.dataReceived(
            b"POST /page HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
            + request("GET", "/echo/000/late/websocket", UPGRADE)
            + encode_frame('["a"]', TEXT)
        )
        late.tcp.protocol.dataReceived(encode_frame('["b"]', TEXT))
        self.clock.pump([0] * 100)
        self.assertEqual(late.response().status, 200)
        self.assertIn(b" 101 ", late.take())
        [protocol] = self.recorders.built
        self.assertEqual(protocol.received, [b"a", b"b"])
        late.drop()

    def test_lost_while_it_waits(self) -> None:
        """A request whose client has gone before its turn is not processed."""
        request = b"GET /page HTTP/1.1\r\nHost: x\r\n\r\n"
        self.connect().tcp.protocol.dataReceived(request * 100)
        gone = self.connect()
        gone.tcp.protocol.dataReceived(request * 2)
        gone.drop()
        self.clock.pump([0] * 100)
        self.assertEqual(len(self.page.sizes), 100)

    def test_small_chunks(self) -> None:
        """A body of which most are sizes of chunks is refused, however small it is."""
        head = b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        few = self.connect()
        few.send(head + b"1\r\nx\r\n" * 900 + b"0\r\n\r\n")
        self.assertEqual(few.response().status, 200)
        many = self.connect()
        many.send(head + b"1\r\nx\r\n" * 1100)
        self.assertEqual(many.response().status, 400)
        self.assertTrue(many.tcp.disconnecting)
        many.send(b"1\r\nx\r\n" * 1000)
        self.clock.advance(0)
        self.assertTrue(many.tcp.lost)
        self.assertEqual(self.page.sizes, [900])

    def test_chunks_of_a_large_body(self) -> None:
        """Each has to have 256 bytes on average, for its size takes as long as these."""
        self.site.limits = SiteLimits(max_body=10_000_000)
        for size, status in ((200, 400), (256, 200)):
            connection = self.connect()
            connection.send(b"POST /page HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
            connection.send(chunk * 2000 + b"0\r\n\r\n")
            self.assertEqual(connection.response().status, status)
        self.assertEqual(self.page.sizes, [512_000])

    def test_connections(self) -> None:
        """One too many is closed at once; the limit may change, and there is room again."""
        self.site.limits = SiteLimits(max_body=1, connections=2)
        first, _ = self.connect(), self.connect()
        self.assertEqual(len(self.site.connections), 2)
        self.assertIsInstance(self.site.buildProtocol(first.tcp.getPeer()), TurnedAway)
        first.drop()
        self.connect()
        self.assertIsInstance(self.site.buildProtocol(first.tcp.getPeer()), TurnedAway)
        self.site.limits = SiteLimits(max_body=1, connections=3)
        self.connect()

    def test_connections_over_tls(self) -> None:
        """One too many is closed also where its connection is wrapped, as TLS does."""
        self.site.limits = SiteLimits(max_body=1, connections=1)
        connection = self.connect()
        self.assertEqual(connection.request("GET", "/echo/websocket", UPGRADE).status, 101)
        bounded, self.site = self.site, WrappingFactory(self.site)
        refused = self.connect()
        self.clock.advance(0)
        self.assertTrue(refused.tcp.lost)
        self.assertEqual(len(bounded.connections), 1)

    def test_websocket_in_a_wrapper(self) -> None:
        """A WebSocket on a connection that is wrapped has what comes, and is counted."""
        bounded, self.site = self.site, WrappingFactory(self.site)
        connection = self.connect()
        connection.request("GET", "/echo/websocket", UPGRADE, b"body")
        client = WebSocketClient(connection)
        self.assertEqual(dict(bounded._body_bytes), {})
        client.send(b"hello")
        self.assertIn((TEXT, b"hello"), client.frames())
        self.assertEqual(len(bounded.connections), 1)
        connection.drop()
        self.assertEqual(len(bounded.connections), 0)

    def test_end(self) -> None:
        """All connections can be closed, those of WebSockets too, and dropped."""
        for end in (self.site.close_connections, self.site.abort_connections):
            connections = [self.connect() for _ in range(3)]
            headers = UPGRADE
            self.assertEqual(connections[0].request("GET", "/echo/websocket", headers).status, 101)
            gone = end()
            self.assertNoResult(gone)
            self.clock.advance(0)
            self.assertIsNone(self.successResultOf(gone))
            self.assertEqual([each.tcp.lost for each in connections], [True] * 3)
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertIsNone(self.successResultOf(self.site.close_connections()))

    def test_resource_that_answers(self) -> None:
        """It hears that a body was too large, up to a point, so that its answer is read."""
        site = BoundedSite(
            self.page, SiteLimits(max_body=10), answers_too_large=True, reactor=self.clock
        )
        self.site = site
        for size, status in ((10, 200), (11, 200), (160, 200), (161, 413)):
            for in_chunks in (False, True):
                connection = self.connect()
                if in_chunks:
                    body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, b"x" * size)
                    connection.send(
                        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + body
                    )
                else:
                    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n"
                    connection.send(head % size + b"x" * size)
                self.assertEqual(connection.response().status, status, size)
                self.assertEqual(connection.tcp.disconnecting, status == 413)
                connection.drop()
        self.assertEqual(self.page.too_large, [False] * 2 + [True] * 4)
        self.assertLessEqual(max(self.page.sizes), 10)

    def test_jsonp_send(self) -> None:
        """The one form that a SockJS client sends is read where it is for."""
        poll = "/echo/000/abc/jsonp?c=x"
        self.assertEqual(self.connect().request("GET", poll).body, b'/**/x("o");\r\n')
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        send = "/echo/000/abc/jsonp_send"
        response = self.connect().request("POST", send, headers, b"d=%5B%22%26+%3D%22%5D")
        self.assertEqual((response.status, response.body), (200, b"ok"))
        self.assertEqual(self.connect().request("GET", poll).body, b'/**/x("a[\\"& =\\"]");\r\n')
        self.clock.advance(60)

    def test_websocket(self) -> None:
        """What becomes a WebSocket has limits of its own."""
        connection = self.connect()
        headers = UPGRADE
        self.assertEqual(connection.request("GET", "/echo/websocket", headers).status, 101)
        connection.drop()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_http_1(self) -> None:
        """No HTTP/2, which has no WebSockets here."""
        self.assertEqual(self.site.acceptableProtocols(), [b"http/1.1"])

    def test_bad_option(self) -> None:
        """A limit must be one."""
        for bad in (0, -1, None, "1000"):
            with self.assertRaises(InvalidOption):
                SiteLimits(max_body=bad)  # type: ignore[arg-type]
        for worse in (0, -1, "1000", True):
            with self.assertRaises(InvalidOption):
                SiteLimits(max_body=1, connections=worse)  # type: ignore[arg-type]


class TrustedProxyTests(SynchronousTestCase):
    """A site behind a proxy that it trusts."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.requests: list[Any] = []
        page = Resource()
        page.isLeaf = True
        page.render = self.render  # type: ignore[method-assign]
        self.site = BoundedSite(
            page,
            SiteLimits(max_body=10),
            trusted_proxies=TrustedProxies(["10.0.0.1"]),
            reactor=self.clock,
        )
        self.site.startFactory()
        self.addCleanup(self.site.stopFactory)

    def render(self, request: Any) -> bytes:
        """Keep the request."""
        self.requests.append((request.getClientAddress().host, request.isSecure()))
        return b"here"

    def ask(self, proxy: str) -> str:
        """What is logged of a request that a proxy makes for a client with TLS."""
        headers = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
        connection = Connection(self, proxy)
        connection.request("GET", "/", headers)
        connection.drop()
        return " ".join(map(formatEvent, self.logged))

    def test_client(self) -> None:
        """Pages and the access log are told the client, not the proxy."""
        self.assertIn('"203.0.113.7" - - ', self.ask("10.0.0.1"))
        self.assertEqual(self.requests, [("203.0.113.7", True)])

    def test_stranger(self) -> None:
        """What somebody else says is not looked at."""
        self.assertIn('"10.0.0.2" - - ', self.ask("10.0.0.2"))
        self.assertEqual(self.requests, [("10.0.0.2", False)])

    def test_changed(self) -> None:
        """Others may be trusted from now on."""
        self.site.trusted_proxies = TrustedProxies(["10.0.0.2"])
        self.ask("10.0.0.1")
        self.ask("10.0.0.2")
        self.assertEqual(self.requests, [("10.0.0.1", False), ("203.0.113.7", True)])

    def test_keep_alive(self) -> None:
        """A proxy sends requests of several clients over one connection."""
        connection = Connection(self, "10.0.0.1")
        for client in ("203.0.113.7", "203.0.113.8"):
            connection.request("GET", "/", {"X-Forwarded-For": client})
        connection.request("GET", "/")
        clients = [host for host, _ in self.requests]
        self.assertEqual(clients, ["203.0.113.7", "203.0.113.8", "10.0.0.1"])
        connection.drop()


class ParsedFormsTests(SynchronousTestCase):
    """A SockJS resource in a site of somebody else's."""

    def setUp(self) -> None:
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.server = Server(parse_forms=True)

    def posted(self, query: str = "") -> list[str]:
        """The levels of what is logged for a form."""
        before = len(self.logged)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        self.server.request("POST", "/000/abc/jsonp_send" + query, headers, b"d=[]")
        return [event["log_level"].name for event in list(self.logged)[before:]]

    def test_parsed(self) -> None:
        """One warning for each site, which says what to do."""
        self.assertEqual(self.posted("?d=1"), ["warn"])
        text = self.logged[0]["log_format"]
        self.assertIn("server.site()", text)
        self.assertIn("parsePOSTFormSubmission=False", text)
        self.assertEqual(self.posted(), [])
        self.server = Server(parse_forms=True)
        self.assertEqual(self.posted(), ["warn"])

    def test_not_parsed(self) -> None:
        """No warning where forms are left alone, whatever the query holds."""
        root = self.server.site.resource
        self.server.site = Site(
            root, reactor=self.server.clock, timeout=None, parsePOSTFormSubmission=False
        )
        for query in ("", "?d=1", "?d=1;e&d=2&f="):
            self.assertEqual(self.posted(query), [])

    def test_other_requests(self) -> None:
        """Nor for what is no form."""
        self.server.request("GET", "/info?a=b")
        self.server.poll()
        self.server.send("[]")
        self.assertEqual(list(self.logged), [])


class AccessLogTests(SynchronousTestCase):
    """What sites log of the requests of SockJS."""

    def test_session(self) -> None:
        """The name of a session, which is a credential, is in no line, whatever the answer."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        server = Server()
        bounded = BoundedSite(server.site.resource, SiteLimits(max_body=9), reactor=server.clock)
        for site in (server.site, bounded):
            server.site = site
            site.startFactory()
            for method, path, line in (
                ("POST", "/000/s3cret/xhr", "POST /echo/000/-/xhr "),
                ("POST", "/000/s3cret/xhr_send", "POST /echo/000/-/xhr_send "),
                ("POST", "/000/s3cret/jsonp_send", "POST /echo/000/-/jsonp_send "),
                ("POST", "/000/s%33cret/xh%72_send", "POST /echo/000/-/xh%72_send "),
                ("POST", "/000/s3cret/xhr_send/", "POST /echo/000/-/xhr_send/ "),
                ("POST", "/000/s3cret/XHR", "POST /echo/000/-/XHR "),
                ("POST", "/000/s3cret", "POST /echo/000/- "),
                ("POST", "/000/s3cret/", "POST /echo/000/-/ "),
                ("POST", "//000/s3cret/xhr", "POST /echo//-/-/xhr "),
                ("POST", "/000/s3cret//xhr", "POST /echo/000/-/-/xhr "),
                ("POST", "/000/s3cret/xhr/a/b", "POST /echo/000/-/-/-/b "),
                ("GET", "/info", "GET /echo/info "),
            ):
                before = len(logged)
                connection = server.open(method, path, body=b'["a"]')
                connection.response()
                text = repr(list(logged)[before:])
                self.assertIn(line, text)
                self.assertNotIn("cret", text)
            site.stopFactory()

    def test_elsewhere(self) -> None:
        """Nor is it where there is no SockJS, and not in the referrer."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        server = Server()
        server.site = BoundedSite(Resource(), SiteLimits(max_body=9), reactor=server.clock)
        server.site.startFactory()
        for target in (
            *("/000/s3cret/xhr", "//echo/000/s3cret/xhr_send", "/000/s3cret/eventsource/"),
            *(
                "http://a/echo/000/s3cret/JSONP?c=a",
                "/echo/000%2Fs3cret%2fxhr",
                "/s3cret/htmlfile;a",
            ),
        ):
            connection = Connection(server, "10.0.0.1")
            referrer = {"Referer": "http://a/echo/000/s3cret/htmlfile?c=a"}
            connection.request("GET", target, referrer)
        text = " ".join(map(formatEvent, logged))
        self.assertEqual(text.count('"http://a/echo/000/-/htmlfile"'), 6)
        self.assertIn("GET /000/-/xhr ", text)
        self.assertNotIn("s3cret", text)
        server.site.stopFactory()
