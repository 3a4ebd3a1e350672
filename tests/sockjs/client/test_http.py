"""
Every transport against our own server: what holds for all of them.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface.verify import verifyObject

from txtokensock.errors import InvalidData, SockJSClosed
from txtokensock.sockjs import ISockJSTransport

from .memory import ALL, HTTP, MemoryTestCase


class EveryTransportTests(MemoryTestCase):
    """What a protocol sees is the same."""

    def test_messages_both_ways(self) -> None:
        """In order, whatever is in them, one by one and several at a time."""
        texts = [text.encode() for text in ("one", "", '"\\\n', "é\u2028😀", "100%25 %C3", "{}")]
        for transport in ALL:
            ours, theirs = self.connected(transport)
            ours.transport.write(b"first")
            ours.transport.writeSequence(texts)
            theirs.transport.write(b"first")
            theirs.transport.writeSequence(texts)
            self.host.settle()
            theirs.transport.write(b"last")
            ours.transport.write(b"last")
            self.host.settle()
            for protocol in (ours, theirs):
                self.assertEqual(protocol.received, [b"first", *texts, b"last"], transport)

    def test_transport(self) -> None:
        """It is what the interface says, with real addresses."""
        for transport in ALL:
            ours, _ = self.connected(transport)
            verifyObject(ISockJSTransport, ours.transport)
            self.assertEqual(ours.transport.getPeer().host, "10.0.0.2")
            self.assertEqual(ours.transport.getHost().host, "10.0.0.1")
            verifyObject(IStreamClientEndpoint, self.endpoint(transport))

    def test_what_is_not_text(self) -> None:
        """It is refused where it is written, and nothing of it is sent."""
        for transport in ALL:
            ours, theirs = self.connected(transport)
            with self.assertRaises(InvalidData):
                ours.transport.write(b"\xff")
            with self.assertRaises(InvalidData):
                ours.transport.writeSequence([b"a", b"\xff"])
            ours.transport.write(b"b")
            self.host.settle()
            self.assertEqual(theirs.received, [b"b"], transport)

    def test_many_messages(self) -> None:
        """In order, each way; over HTTP they fill many requests and responses."""
        numbers = [b"%d %s" % (number, b"x" * 300) for number in range(2000)]
        for transport in ALL:
            ours, theirs = self.connected(transport)
            for number in numbers:
                ours.transport.write(number)
                theirs.transport.write(number)
            self.host.settle()
            self.assertEqual(ours.received, numbers, transport)
            self.assertEqual(theirs.received, numbers, transport)

    def test_large_message(self) -> None:
        """Larger than any batch, response or read."""
        large = b"x" * 1_000_000
        for transport in ALL:
            ours, theirs = self.connected(transport)
            ours.transport.write(large)
            theirs.transport.write(large)
            self.host.settle()
            self.assertEqual((ours.received, theirs.received), ([large], [large]), transport)

    def test_server_closes(self) -> None:
        """Messages before the close come first; the code and the reason are known."""
        for transport in ALL:
            ours, theirs = self.connected(transport)
            theirs.transport.write(b"bye")
            theirs.transport.close(3001, "Enough")
            closed = self.lost(ours)
            self.assertIsInstance(closed, SockJSClosed)
            self.assertEqual((closed.code, closed.reason), (3001, "Enough"), transport)
            self.assertEqual(ours.received, [b"bye"])

    def test_client_closes(self) -> None:
        """What was written before goes out first, and is taken."""
        for transport in ALL:
            ours, theirs = self.connected(transport)
            numbers = [b"%d" % number for number in range(100)]
            for number in numbers:
                ours.transport.write(number)
            ours.transport.close(3001, "Enough")
            ours.transport.write(b"too late")
            closed = self.lost(ours)
            self.assertEqual((type(closed), closed.code), (SockJSClosed, 3001), transport)
            self.assertEqual(theirs.received, numbers, transport)
            self.assertEqual(len(theirs.lost), 1, transport)

    def test_abort(self) -> None:
        """Everything is gone in the next turn; the protocol hears of it then, once."""
        for transport in ALL:
            ours, theirs = self.connected(transport)
            ours.transport.write(b"x")
            theirs.transport.write(b"x")
            ours.transport.abortConnection()
            self.assertEqual(ours.lost, [])
            ours.transport.abortConnection()
            ours.transport.loseConnection()
            self.assertIsInstance(self.lost(ours), ConnectionAborted)
            self.assertEqual(self.host.open_connections, 0, transport)

    def test_heartbeats_count(self) -> None:
        """A server that has nothing to say is heard of, without any timer of ours."""
        for transport in ("websocket", *HTTP):
            ours, _ = self.connected(transport)
            heard = ours.transport.frames_received
            self.host.advance(26)
            self.assertGreater(ours.transport.frames_received, heard, transport)
            ours.transport.abortConnection()
            self.host.settle()


class HTTPTests(MemoryTestCase):
    """What is different over HTTP."""

    def test_requests(self) -> None:
        """One session below one path, the caller's headers with each, the form's own."""
        self.serve(cookie_needed=True)
        for transport, page in zip(HTTP, ("xhr_streaming", "eventsource", "xhr"), strict=True):
            self.site.requests.clear()
            ours, theirs = self.connected(
                transport, headers={"X-A": "1", "Cookie": "c=2", "content-type": "a/b"}
            )
            ours.transport.write(b"x")
            self.host.settle()
            paths = [request.path.decode() for request in self.site.requests]
            names = {path.rsplit("/", 1)[0] for path in paths}
            self.assertEqual(len(names), 1)
            self.assertRegex(names.pop(), r"\A/sockets/[0-9]{3}/[a-z0-9]{16}\Z")
            self.assertEqual(set(self.site.pages()), {page, "xhr_send"})
            for request in self.site.requests:
                self.assertEqual(request.getHeader("x-a"), "1")
                self.assertEqual(request.getHeader("accept-encoding"), "identity")
                self.assertEqual(len(request.requestHeaders.getRawHeaders("cookie")), 1)
            last = self.site.requests[-1]
            sends = self.site.requests[self.site.pages().index("xhr_send")]
            self.assertEqual(
                sends.requestHeaders.getRawHeaders("content-type"), ["text/plain;charset=UTF-8"]
            )
            # The cookie of a load balancer goes with all that follows.
            self.assertEqual(last.getHeader("cookie"), "c=2; JSESSIONID=dummy")
            self.assertEqual(theirs.transport.request_info.transport, transport)

    def test_two_connections(self) -> None:
        """They are used again: a hundred messages need no more."""
        for transport in HTTP:
            before = len(self.host.network.connections)
            ours, theirs = self.connected(transport)
            for _ in range(100):
                ours.transport.write(b"x")
                theirs.transport.write(b"y")
                self.host.settle()
            self.assertEqual(len(theirs.received), 100)
            self.assertEqual(len(self.host.network.connections) - before, 2, transport)

    def test_idle_session(self) -> None:
        """For hours, with as many messages after that."""
        for transport in HTTP:
            ours, theirs = self.connected(transport)
            self.host.advance(7200)
            theirs.transport.write(b"a")
            ours.transport.write(b"b")
            self.host.settle()
            self.assertEqual((ours.received, theirs.received), ([b"a"], [b"b"]), transport)
            ours.transport.abortConnection()
            self.host.advance(10)

    def test_small_responses(self) -> None:
        """A server that ends its responses early gives and gets the same messages."""
        self.serve(response_limit=100)
        numbers = [b"%d" % number for number in range(500)]
        for transport in HTTP:
            ours, theirs = self.connected(transport)
            for number in numbers:
                theirs.transport.write(number)
                self.host.settle()
            self.assertEqual(ours.received, numbers, transport)

    def test_one_turn_is_one_request(self) -> None:
        """What is written in one turn, and while a request is under way, goes together."""
        for transport in HTTP:
            ours, theirs = self.connected(transport)
            self.site.requests.clear()
            for _ in range(50):
                ours.transport.write(b"x")
            self.host.settle()
            self.assertEqual(self.site.pages().count("xhr_send"), 1, transport)
            self.assertEqual(len(theirs.received), 50)
