"""
HTTP requests of the client.
"""

from __future__ import annotations

import gzip
import time
import tracemalloc
from http.cookiejar import CookieJar
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from txtokensock.testing import MemoryNetwork
from txtokensock.web.client.content_coding import CompressedResponse
from txtokensock.web.client.http11 import BadResponse
from txtokensock.web.client.http_client import BodyTooLong, WebClient, read_body

from ...common import Calls, collect_garbage


class Peer(Protocol):
    """Notes what comes in, and answers as it is told to."""

    transport: Any

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._data = b""

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            self.heads.append(head)

    def answer(self, body: bytes = b"", *headers: bytes, status: bytes = b"200 OK") -> None:
        lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers, b"", body]
        self.transport.write(b"\r\n".join(lines[:-1]) + b"\r\n" + body)


@implementer(IAgentEndpointFactory)
class Network:
    """A network in memory, whose peers are noted."""

    def __init__(self, clock: Clock) -> None:
        self.peers: list[Peer] = []
        self.network = MemoryNetwork(clock, Factory.forProtocol(self._peer))  # type: ignore[arg-type]

    def _peer(self) -> Peer:
        self.peers.append(Peer())
        return self.peers[-1]

    def endpointForURI(self, uri: Any) -> Any:
        return self.network.endpoint()


class ClientTestCase(SynchronousTestCase):
    """With a client, which leaves nothing behind once it is aborted."""

    persistent = False

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = Network(self.clock)
        self.connected = Calls()
        self.cookies = CookieJar()
        self.client = WebClient(
            self.clock,
            self.network,
            self.cookies,
            persistent=self.persistent,
            connected=self.connected,
        )
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.client.abort()
        self.settle()
        self.assertEqual(self.network.network.open, [])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        collect_garbage()

    def settle(self) -> None:
        self.clock.advance(0)
        self.clock.pump([0] * 20)

    def send(self, method: str = "GET", body: bytes | None = None) -> Deferred[Any]:
        """A request, on its way."""
        answer = self.client.request(
            method, "http://a.test/path?q", headers={"X-A": "b"}, body=body
        )
        self.settle()
        return answer

    def send_repeated(self) -> Deferred[Any]:
        """The same request, as one that is sent many times."""
        answer = self.client.repeated("GET", "http://a.test/path?q", {"X-A": "b"}).send()
        self.settle()
        return answer

    @property
    def peer(self) -> Peer:
        return self.network.peers[-1]


class RequestTests(ClientTestCase):
    """One request a connection."""

    def test_request_and_answer(self) -> None:
        """What is sent, and what comes back."""
        sent = self.send("POST", b"")
        (head,) = self.peer.heads
        self.assertTrue(head.startswith(b"POST /path?q HTTP/1.1\r\n"), head)
        self.assertIn(b"Content-Length: 0", head)
        self.assertIn(b"X-A: b", head)
        self.peer.answer(b"body")
        self.settle()
        self.assertEqual(self.successResultOf(read_body(self.successResultOf(sent), 4)), b"body")
        self.assertEqual(len(self.connected), 1)

    def test_redirects_are_answers(self) -> None:
        """They are not followed."""
        sent = self.send()
        self.peer.transport.write(
            b"HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
        )
        self.settle()
        self.assertEqual(self.successResultOf(sent).code, 302)

    def test_body_too_long(self) -> None:
        """A byte more than the limit."""
        sent = self.send()
        self.peer.answer(b"12345")
        self.settle()
        body = read_body(self.successResultOf(sent), 4)
        self.settle()
        self.failureResultOf(body, BodyTooLong)

    def test_cancel_a_body(self) -> None:
        """The connection is dropped."""
        sent = self.send()
        self.peer.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab")
        self.settle()
        body = read_body(self.successResultOf(sent), 9)
        body.cancel()
        self.settle()
        self.assertEqual(self.network.network.open, [])
        self.failureResultOf(body, Exception)

    def test_abort(self) -> None:
        """Requests under way fail, once; nothing stays open."""
        sent = self.send()
        self.client.abort()
        self.settle()
        self.assertEqual(self.network.network.open, [])
        self.failureResultOf(sent, Exception)

    def test_connection_that_comes_late(self) -> None:
        """An endpoint that cannot be cancelled connects after all: it is dropped."""
        connected: Deferred[Any] = Deferred()

        @implementer(IStreamClientEndpoint)
        class Late:
            def connect(self, factory: Any) -> Deferred[Any]:
                self.factory = factory
                return connected

        late = Late()
        self.network.endpointForURI = lambda uri: late  # type: ignore[method-assign]
        sent = self.send()
        self.client.abort()
        self.network.network.endpoint().connect(late.factory).chainDeferred(connected)
        self.settle()
        self.assertEqual((self.network.network.open, self.connected), ([], []))
        self.failureResultOf(sent, Exception)

    def test_head_without_end(self) -> None:
        """It is given up after 64 KiB, not kept."""
        sent = self.send()
        self.peer.transport.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 40_000)
        self.settle()
        self.assertIn("head", str(self.failureResultOf(sent, BadResponse).value))
        self.assertEqual(self.network.network.open, [])

    def test_body_and_encoding(self) -> None:
        """A body is sent at once; a compressed answer is not asked for."""
        sent = self.send("POST", b"abc")
        self.assertIn(b"Content-Length: 3", self.peer.heads[0])
        self.assertIn(b"Accept-Encoding: identity", self.peer.heads[0])
        self.assertEqual(self.peer._data, b"abc")
        self.peer.answer()
        self.settle()
        self.successResultOf(sent)

    def test_compressed_answer(self) -> None:
        """It is not taken by who wants none: a thousand bytes may come from one."""
        for coding in (b"gzip", b"identity, gzip", b"br"):
            sent = self.send_repeated()
            self.peer.answer(b"x", b"Content-Encoding: " + coding)
            self.settle()
            self.failureResultOf(sent, CompressedResponse)
        for coding in (b"Identity", b""):
            sent = self.send_repeated()
            self.peer.answer(b"x", b"Content-Encoding: " + coding)
            self.settle()
            self.successResultOf(sent)

    def test_compressed_refusal(self) -> None:
        """The status says what there is to know; of the body nothing is made."""
        for send, coding in (
            (self.send_repeated, b"gzip"),
            (self.send_repeated, b"br"),
            (self.send, b"br"),
        ):
            sent = send()
            body = gzip.compress(b"abc")
            self.peer.answer(body, b"Content-Encoding: " + coding, status=b"503 Busy")
            self.settle()
            response = self.successResultOf(sent)
            self.assertEqual(response.code, 503)
            self.assertEqual(self.successResultOf(read_body(response, 100)), body)

    def test_no_gzip(self) -> None:
        """A body that cannot be read is none, also where some of it could."""
        for body in (b"no gzip", gzip.compress(bytes(range(256)))[:200] + b"\xff" * 100):
            sent = self.send()
            self.peer.answer(body, b"Content-Encoding: gzip")
            self.settle()
            reading = read_body(self.successResultOf(sent), 1000)
            self.settle()
            self.failureResultOf(reading, CompressedResponse)
            self.assertEqual(self.network.network.open, [])

    def test_gzip(self) -> None:
        """Who does not refuse it gets what it means, once."""
        sent = self.send()
        self.peer.answer(gzip.compress(b"abc"), b"Content-Encoding: GZIP")
        self.settle()
        response = self.successResultOf(sent)
        coding = response.headers.getRawHeaders(b"content-encoding")
        self.assertEqual(coding, [b"identity"])
        self.assertEqual(self.successResultOf(read_body(response, 3)), b"abc")
        sent = self.send()
        self.peer.answer(gzip.compress(b"abc"), b"Content-Encoding: x-gzip")
        self.settle()
        read = read_body(self.successResultOf(sent), 3)
        self.assertEqual(self.successResultOf(read), b"abc")
        for coding in (b"gzip, gzip", b"br", b"deflate"):
            sent = self.send()
            self.peer.answer(b"x", b"Content-Encoding: " + coding)
            self.settle()
            self.failureResultOf(sent, CompressedResponse)

    def test_gzip_that_becomes_large(self) -> None:
        """What a small answer becomes is not held in memory, and its connection is closed."""
        bomb = gzip.compress(bytes(64 * 1024 * 1024))
        for limit, problem in ((1000, BodyTooLong), (1 << 30, CompressedResponse)):
            sent = self.send()
            self.peer.answer(bomb, b"Content-Encoding: gzip")
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            self.settle()
            reading = read_body(self.successResultOf(sent), limit)
            self.settle()
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            self.failureResultOf(reading, problem)
            self.assertLess(peak, 4 * 1024 * 1024)
            self.assertEqual(self.network.network.open, [])

    def test_interim_answers(self) -> None:
        """They mean nothing, and are not logged one by one."""
        logged: list[Any] = []
        globalLogPublisher.addObserver(logged.append)
        self.addCleanup(globalLogPublisher.removeObserver, logged.append)
        sent = self.send()
        self.peer.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)
        self.peer.answer()
        self.settle()
        self.assertEqual((self.successResultOf(sent).code, logged), (200, []))

    def test_cookies(self) -> None:
        """They are kept, and go with the next request."""
        self.send()
        self.peer.answer(b"", b"Set-Cookie: sid=1; Path=/")
        self.settle()
        again = self.send()
        self.assertIn(b"Cookie: sid=1", self.peer.heads[0])
        self.peer.answer()
        self.settle()
        self.successResultOf(again)

    def test_cookies_of_any_bytes(self) -> None:
        """What is no text is left out; the answer is one all the same."""
        sent = self.send()
        self.peer.answer(
            b"", b"Set-Cookie: a=\xff", b"Set-Cookie: b=\xc3\xab", b"Set-Cookie: c=\1"
        )
        self.settle()
        self.assertEqual(self.successResultOf(sent).code, 200)
        self.assertEqual([(c.name, c.value) for c in self.cookies], [("b", "ë")])


class PersistentTests(ClientTestCase):
    """Several requests a connection."""

    persistent = True

    def exchange(self) -> None:
        """A request and its answer."""
        sent = self.send("POST", b"")
        self.peer.answer(b"x")
        self.settle()
        read_body(self.successResultOf(sent), 1)
        self.settle()

    def test_connection_is_used_again(self) -> None:
        """For the next request, a moment later."""
        self.exchange()
        self.exchange()
        self.assertEqual(len(self.network.peers), 1)
        self.assertEqual(len(self.peer.heads), 2)

    def test_endpoint_is_asked_for_once(self) -> None:
        """To find the way to a server takes time; a request does not go another one."""
        asked = Calls()
        endpoint = self.network.network.endpoint()

        def endpoint_for(uri: Any) -> Any:
            asked(uri)
            return endpoint

        self.network.endpointForURI = endpoint_for  # type: ignore[method-assign]
        self.exchange()
        self.clock.advance(3)
        self.exchange()
        self.assertEqual((len(self.network.peers), len(asked)), (2, 1))

    def test_idle_connection_on_which_something_comes(self) -> None:
        """It is used no more, also where the server does not close it (with TLS)."""
        self.exchange()
        (client, _), *_ = self.network.network.connections
        self.patch(client, "loseConnection", lambda: None)
        self.peer.transport.write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        self.settle()
        self.exchange()
        self.assertEqual(len(self.network.peers), 2)

    def test_idle_connection_is_closed(self) -> None:
        """Before a server in Node.js does so."""
        self.exchange()
        self.clock.advance(3)
        self.settle()
        self.assertEqual(self.network.network.open, [])

    def test_connections_that_ended_are_forgotten(self) -> None:
        """A long session makes many."""
        for _ in range(5):
            self.exchange()
            self.clock.advance(3)
            self.settle()
        self.assertEqual(len(self.client._pool), 0)

    def test_repeated(self) -> None:
        """A request that is sent many times has the cookies that hold at each of them."""
        request = self.client.repeated("POST", "http://a.test/path", {"Cookie": "own=1"})

        def cookie(*answered: bytes) -> bytes:
            sent = request.send(b"abc")
            self.settle()
            self.peer.answer(b"", *answered)
            self.settle()
            read_body(self.successResultOf(sent), 0)
            head = self.peer.heads[-1].removeprefix(b"abc")
            self.assertIn(b"\r\nAccept-Encoding: identity\r\n", head)
            self.assertTrue(head.endswith(b"\r\nContent-Length: 3"), head)
            return head.partition(b"Cookie: ")[2].partition(b"\r\n")[0]

        self.assertEqual(cookie(b"Set-Cookie: a=1; Max-Age=9; Path=/"), b"own=1")
        self.assertEqual(cookie(b"Set-Cookie: b=2; Path=/elsewhere"), b"own=1; a=1")
        self.assertEqual(cookie(b"Set-Cookie: a=3; Max-Age=9; Path=/"), b"own=1; a=1")
        self.assertEqual(cookie(), b"own=1; a=3")
        later = time.time() + 10
        self.patch(time, "time", lambda: later)
        self.assertEqual(cookie(), b"own=1")
        self.assertEqual(len(self.network.peers), 1)

    def test_repeated_in_vain(self) -> None:
        """What is not valid fails each time, before anything is connected."""
        request = self.client.repeated("POST", "http://a.test/", {"X": "s3cret\0"})
        for _ in range(2):
            problem = self.failureResultOf(request.send(), ValueError).value
            self.assertNotIn("s3cret", str(problem))
        self.assertEqual(self.network.peers, [])

    def test_no_request_is_sent_twice(self) -> None:
        """A connection that ends under a request fails it, also where it was idle before."""
        self.exchange()
        sent = self.send("GET")
        self.peer.transport.abortConnection()
        self.settle()
        self.failureResultOf(sent, Exception)
        self.assertEqual(len(self.network.peers), 1)
