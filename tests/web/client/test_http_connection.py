"""
One connection of the HTTP client, on a transport in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IClientRequest, IResponse
from zope.interface.verify import verifyObject

from txtokensock.web.client.http11 import BadResponse
from txtokensock.web.client.http_connection import HTTPConnection, State
from txtokensock.web.client.http_request import ClientRequest

OK = b"HTTP/1.1 200 OK\r\n"
EMPTY = OK + b"Content-Length: 0\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
LOST = Failure(ConnectionLost())


class Owner:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.reads = 0

    def read_ended(self) -> None:
        self.reads += 1

    def __getattr__(self, name: str) -> Callable[[object], None]:
        return lambda connection: self.heard.append(name.removeprefix("connection_"))


class Reader(Protocol):
    """Notes a body; ``then`` is called with each piece of it."""

    transport: Any

    def __init__(self, then: Callable[[Reader], object] = lambda _: None) -> None:
        self.received: list[bytes] = []
        self.reason: Any = None
        self._then = then

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)
        self._then(self)

    def connectionLost(self, reason: Failure | None = None) -> None:
        assert self.reason is None, "a second end"
        assert reason is not None
        self.reason = reason.value


class PausedReader(Reader):
    """One that wants nothing at first."""

    def connectionMade(self) -> None:
        self.transport.pauseProducing()


class ConnectionTestCase(SynchronousTestCase):
    """With a connection, whose transport says nothing by itself."""

    def setUp(self) -> None:
        self.owner: Any = Owner()
        self.transport = StringTransport()
        self.transport.abortConnection = self._abort  # type: ignore[method-assign]
        self.aborted = 0
        self.connection = HTTPConnection(self.owner, "a.test")
        self.connection.makeConnection(self.transport)

    def _abort(self) -> None:
        self.aborted += 1

    def send(
        self,
        method: bytes = b"GET",
        headers: dict[str, list[str]] | None = None,
        *,
        content: bytes | None = None,
        last: bool = False,
    ) -> Deferred[Any]:
        """A request."""
        request = ClientRequest(
            method, b"http://a.test/x", b"/x", b"a.test", Headers(headers or {}), last=last
        )
        return self.connection.send(request, content)

    def respond(self, data: bytes, **options: Any) -> IResponse:
        """The response to a request that is sent for it."""
        sent = self.send(**options)
        self.connection.dataReceived(data)
        response: IResponse = self.successResultOf(sent)
        return response

    def read(self, response: IResponse) -> Reader:
        """A reader of its body."""
        reader = Reader()
        response.deliverBody(reader)
        return reader


class RequestTests(ConnectionTestCase):
    """What is sent."""

    def test_without_a_body(self) -> None:
        """Host first, then the headers as they are."""
        self.send(headers={"X-Any": ["ë", " b "]})
        self.assertEqual(
            self.transport.value(),
            "GET /x HTTP/1.1\r\nHost: a.test\r\nX-Any: ë\r\nX-Any: b\r\n\r\n".encode(),
        )

    def test_last(self) -> None:
        """The server is asked to close the connection."""
        self.send(last=True)
        self.assertIn(b"\r\nConnection: close\r\n", self.transport.value())

    def test_content(self) -> None:
        """Head and body leave in one piece; an empty one has a length as well."""
        written: list[bytes] = []
        self.transport.write = written.append  # type: ignore[method-assign]
        self.connection.makeConnection(self.transport)
        self.respond(EMPTY, method=b"POST", content=b"abc")
        self.respond(EMPTY, method=b"POST", content=b"")
        self.respond(EMPTY, method=b"PUT")
        self.respond(EMPTY, method=b"DELETE")
        head = b" /x HTTP/1.1\r\nHost: a.test\r\n"
        self.assertEqual(
            written,
            [
                b"POST" + head + b"Content-Length: 3\r\n\r\nabc",
                b"POST" + head + b"Content-Length: 0\r\n\r\n",
                b"PUT" + head + b"Content-Length: 0\r\n\r\n",
                b"DELETE" + head + b"\r\n",
            ],
        )

    def test_one_at_a_time(self) -> None:
        """A connection that is busy, or gone, sends nothing."""
        self.send()
        self.failureResultOf(self.send(), ConnectionLost)
        self.assertEqual(self.transport.value().count(b"GET"), 1)


class ResponseTests(ConnectionTestCase):
    """What comes back."""

    def test_attributes(self) -> None:
        """As Twisted's agents have them, for treq."""
        response = self.respond(
            b"HTTP/1.1 201 Made it\r\nX-A: 1\r\nX-A: \xff\r\nContent-Length: 2\r\n\r\n"
        )
        verifyObject(IResponse, response)
        verifyObject(IClientRequest, response.request)
        self.assertEqual(response.version, (b"HTTP", 1, 1))
        self.assertEqual((response.code, response.phrase), (201, b"Made it"))
        self.assertEqual(response.headers.getRawHeaders(b"x-a"), [b"1", b"\xff"])
        self.assertEqual((response.length, response.previousResponse), (2, None))
        self.assertEqual(response.request.absoluteURI, b"http://a.test/x")
        response.setPreviousResponse(response)
        self.assertIs(response.previousResponse, response)
        self.assertNotIn("X-A", f"{response!r} {response.request!r}")

    def test_length(self) -> None:
        """0 without a body, and unknown in chunks or until the end."""
        for method, head, length in (
            (b"HEAD", OK + b"Content-Length: 5\r\n", 0),
            (b"GET", b"HTTP/1.1 204 None\r\n", 0),
            (b"GET", b"HTTP/1.1 304 Same\r\nContent-Length: 5\r\n", 0),
            (b"GET", OK + b"Content-Length: 0\r\n", 0),
            (b"GET", OK + b"Content-Length: 5\r\n", 5),
            (b"GET", OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", UNKNOWN_LENGTH),
            (b"GET", OK, UNKNOWN_LENGTH),
        ):
            self.setUp()
            response = self.respond(head + b"\r\n", method=method)
            self.assertEqual(response.length, length, head)
            ended = self.read(response).reason is not None
            self.assertEqual(ended, length == 0)
            self.assertIs(self.connection.state, State.IDLE if ended else State.BODY)

    def test_interim(self) -> None:
        """100 and 103 are passed over, whether they were expected or not."""
        sent = self.send(b"POST", {"Expect": ["100-continue"]}, content=b"x")
        self.connection.dataReceived(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.assertNoResult(sent)
        self.connection.dataReceived(b"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + EMPTY)
        self.assertEqual(self.successResultOf(sent).code, 200)

    def test_body(self) -> None:
        """In the pieces that come; what ends it is the response, and not the connection."""
        response = self.respond(CHUNKED + b"2\r\nab\r\n")
        reader = self.read(response)
        self.connection.dataReceived(b"3\r\ncde\r")
        self.connection.dataReceived(b"\n0\r\n\r\n")
        self.assertEqual(reader.received, [b"ab", b"cde"])
        self.assertIsInstance(reader.reason, ResponseDone)
        self.assertRaises(RuntimeError, response.deliverBody, Reader())

    def test_until_the_end(self) -> None:
        """Nobody can tell whether that was all."""
        reader = self.read(self.respond(OK + b"\r\nab"))
        self.connection.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(reader.received, [b"ab"])
        self.assertIsInstance(reader.reason, PotentialDataLoss)

    def test_breaks_off(self) -> None:
        """The reader is told why."""
        for head in (CHUNKED + b"5\r\n", OK + b"Content-Length: 5\r\n\r\n"):
            self.setUp()
            reader = self.read(self.respond(head + b"ab"))
            self.connection.connectionLost(LOST)
            self.assertEqual(reader.received, [b"ab"])
            self.assertIsInstance(reader.reason, ResponseFailed)
            self.assertEqual(reader.reason.reasons, [LOST])

    def test_broken(self) -> None:
        """A chunk that is none: the connection is closed, and the reader told why."""
        reader = self.read(self.respond(CHUNKED + b"2\r\nab\r\n"))
        self.connection.dataReceived(b"zz\r\n")
        self.assertIsInstance(reader.reason.reasons[0].value, BadResponse)
        self.assertEqual(self.aborted, 1)

    def test_no_response(self) -> None:
        """The request fails with what the connection ended with, or what came instead."""
        sent = self.send()
        self.connection.dataReceived(b"HTTP/1.1 2")
        self.connection.connectionLost(LOST)
        self.assertIs(self.failureResultOf(sent), LOST)
        self.setUp()
        sent = self.send()
        self.connection.dataReceived(b"SSH-2.0\r\n")
        self.failureResultOf(sent, BadResponse)
        self.assertEqual(self.aborted, 1)

    def test_reader_that_raises(self) -> None:
        """As what decompresses does: its connection ends, with just that as the reason."""

        def fail(_: object) -> None:
            raise ValueError("not today")

        reader = Reader(fail)
        self.respond(CHUNKED + b"2\r\nab\r\n3\r\ncde\r\n").deliverBody(reader)
        self.assertEqual(reader.received, [b"ab"])
        self.assertEqual(reader.reason.reasons[0].value.args, ("not today",))
        self.assertEqual(self.aborted, 1)


class FlowTests(ConnectionTestCase):
    """Bodies that are not read at once."""

    def test_unread(self) -> None:
        """Nothing is read from the network until somebody wants the body."""
        response = self.respond(CHUNKED + b"2\r\nab\r\n")
        self.assertEqual(self.transport.producerState, "paused")
        reader = self.read(response)
        self.assertEqual((self.transport.producerState, reader.received), ("producing", [b"ab"]))

    def test_paused(self) -> None:
        """What has come in already waits, too, and comes in order."""
        reader = Reader(lambda reader: reader.transport.pauseProducing())
        self.respond(CHUNKED + b"1\r\na\r\n1\r\nb\r\n").deliverBody(reader)
        self.connection.dataReceived(b"1\r\nc\r\n0\r\n\r\n")
        for expected in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
            self.assertEqual(reader.received, expected)
            reader.transport.resumeProducing()
        self.assertIsInstance(reader.reason, ResponseDone)
        self.assertEqual(self.transport.producerState, "producing")

    def test_read_ended(self) -> None:
        """The chunks of one read come one by one, and then it is said that it was all."""
        reads: list[int] = []
        self.respond(CHUNKED).deliverBody(Reader(lambda _: reads.append(self.owner.reads)))
        before = self.owner.reads
        self.connection.dataReceived(b"1\r\na\r\n1\r\nb\r\n")
        self.assertEqual((reads, self.owner.reads), ([before, before], before + 1))

    def test_end_while_paused(self) -> None:
        """It is no data: the connection takes the next request."""
        reader = Reader(lambda reader: reader.transport.pauseProducing())
        self.respond(CHUNKED + b"1\r\na\r\n0\r\n\r\n").deliverBody(reader)
        self.assertIsInstance(reader.reason, ResponseDone)
        self.assertIs(self.connection.state, State.IDLE)
        self.assertEqual(self.transport.producerState, "producing")

    def test_lost_while_unread(self) -> None:
        """What had come in is delivered all the same."""
        response = self.respond(OK + b"Content-Length: 5\r\n\r\nab")
        self.connection.connectionLost(LOST)
        self.assertIs(self.connection.state, State.DRAINING)
        reader = self.read(response)
        self.assertEqual(reader.received, [b"ab"])
        self.assertEqual(reader.reason.reasons, [LOST])
        self.assertIs(self.connection.state, State.CLOSED)

    def test_dropped(self) -> None:
        """By each of the ways that transports have; the end comes with that of the
        connection."""
        for name in ("stopProducing", "loseConnection", "abortConnection"):
            self.setUp()
            reader = Reader(lambda reader, name=name: getattr(reader.transport, name)())  # type: ignore[misc]
            self.respond(CHUNKED + b"1\r\na\r\n1\r\nb\r\n").deliverBody(reader)
            self.assertEqual((reader.received, reader.reason), ([b"a"], None))
            self.assertEqual(self.aborted, 1)
            self.connection.dataReceived(b"1\r\nc\r\n")
            self.connection.connectionLost(LOST)
            self.assertEqual((reader.received, reader.reason.reasons), ([b"a"], [LOST]))

    def test_dropped_at_once(self) -> None:
        """A reader that wants nothing of a body hears once that it has ended."""

        class Refusing(Reader):
            def connectionMade(self) -> None:
                self.transport.loseConnection()

        reader = Refusing()
        response = self.respond(CHUNKED + b"1\r\na\r\n")
        self.connection.connectionLost(LOST)
        response.deliverBody(reader)
        self.assertEqual((reader.received, reader.reason.reasons), ([], [LOST]))

    def test_dropped_while_draining(self) -> None:
        """There is no other end to come."""
        reader = Reader(lambda reader: reader.transport.loseConnection())
        response = self.respond(CHUNKED + b"1\r\na\r\n1\r\nb\r\n")
        self.connection.connectionLost(LOST)
        response.deliverBody(reader)
        self.assertEqual((reader.received, reader.reason.reasons), ([b"a"], [LOST]))

    def test_afterwards(self) -> None:
        """The transport of a body that has ended leaves the next response alone."""
        reader = self.read(self.respond(EMPTY))
        sent = self.send()
        for name in ("pauseProducing", "resumeProducing", "stopProducing", "abortConnection"):
            getattr(reader.transport, name)()
        self.assertEqual((self.aborted, self.transport.producerState), (0, "producing"))
        self.connection.dataReceived(EMPTY)
        self.successResultOf(sent)


class ReuseTests(ConnectionTestCase):
    """What becomes of the connection."""

    def test_idle(self) -> None:
        """The owner has it back before anybody hears that the response is complete."""
        heard_by_then: list[str] = []

        class Last(Reader):
            def connectionLost(_, reason: Failure | None = None) -> None:
                heard_by_then.extend(self.owner.heard)

        reader = Last()
        self.respond(CHUNKED + b"1\r\na\r\n").deliverBody(reader)
        self.connection.dataReceived(b"0\r\n\r\n")
        self.assertEqual(heard_by_then, ["made", "idle"])

    def test_without_a_reader(self) -> None:
        """A response without a body, which nobody need ask for, is complete by itself."""
        self.respond(CHUNKED + b"0\r\n\r\n")
        self.assertEqual(self.owner.heard, ["made", "idle"])

    def test_closed(self) -> None:
        """In order where one side said so, at once where more came than was asked for."""
        for data, options, ending in (
            (EMPTY, {"last": True}, "closing"),
            (OK + b"Connection: Close\r\nContent-Length: 0\r\n\r\n", {}, "closing"),
            (EMPTY + b"behind", {}, "closing"),
        ):
            self.setUp()
            self.respond(data, **options)
            self.assertEqual(self.owner.heard, ["made", ending])
            self.assertTrue(self.transport.disconnecting)
            self.assertIs(self.connection.state, State.CLOSED)

    def test_uninvited(self) -> None:
        """What comes on an idle connection ends it."""
        self.connection.dataReceived(b"HTTP/1.1 408 Timeout\r\n\r\n")
        self.assertEqual((self.aborted, self.connection.state), (1, State.CLOSED))

    def test_cancelled(self) -> None:
        """The connection is closed; what comes later does not matter."""
        sent = self.send()
        sent.cancel()
        self.failureResultOf(sent, CancelledError)
        self.assertEqual(self.aborted, 1)
        self.connection.dataReceived(EMPTY)
        self.connection.connectionLost(LOST)
        self.assertEqual(self.owner.heard, ["made", "lost"])


class StateTests(ConnectionTestCase):
    """Every input in every state."""

    def reach(self, state: State) -> tuple[list[Any], Reader | None]:
        """
        :return: what the request under way ends with will be in the list; and the reader of
            the body, if there is one.
        """
        self.setUp()
        ends: list[Any] = []
        reader = None
        if state is not State.IDLE:
            self.send().addBoth(ends.append)
        if state in (State.BODY, State.DRAINING):
            self.connection.dataReceived(CHUNKED + b"1\r\na\r\n")
            reader = Reader() if state is State.BODY else PausedReader()
            ends.pop().deliverBody(reader)
        if state is State.DRAINING:
            self.connection.connectionLost(LOST)
        if state is State.CLOSED:
            self.connection.abort()
        self.assertIs(self.connection.state, state)
        return ends, reader

    def test_all(self) -> None:
        """None raises, and whatever was under way ends once when the connection does."""
        inputs: dict[str, Callable[[], object]] = {
            "a response": lambda: self.connection.dataReceived(EMPTY),
            "a chunk": lambda: self.connection.dataReceived(b"1\r\nb\r\n"),
            "the last chunk": lambda: self.connection.dataReceived(b"0\r\n\r\n"),
            "noise": lambda: self.connection.dataReceived(b"\xff\xff\r\n"),
            "send": lambda: self.send().addErrback(lambda _: None),
            "abort": lambda: self.connection.abort(),
            "lose": lambda: None,
        }
        after = {
            (State.IDLE, "send"): State.WAITING,
            (State.IDLE, "lose"): State.IDLE,
            (State.WAITING, "a response"): State.IDLE,
            (State.WAITING, "send"): State.WAITING,
            (State.WAITING, "lose"): State.WAITING,
            (State.BODY, "a chunk"): State.BODY,
            (State.BODY, "the last chunk"): State.IDLE,
            (State.BODY, "send"): State.BODY,
            (State.BODY, "lose"): State.BODY,
            (State.DRAINING, "send"): State.DRAINING,
            (State.DRAINING, "lose"): State.DRAINING,
        }
        for state in State:
            for name, happens in inputs.items():
                ends, reader = self.reach(state)
                if state is State.DRAINING and name not in ("send", "abort", "lose"):
                    continue  # nothing comes on a connection that is lost
                happens()
                expected = after.get((state, name), State.CLOSED)
                self.assertIs(self.connection.state, expected, (state, name))
                if state is not State.DRAINING:
                    self.connection.connectionLost(LOST)
                elif reader is not None and reader.reason is None:
                    reader.transport.resumeProducing()
                self.assertIs(self.connection.state, State.CLOSED)
                self.assertEqual(len(ends), 0 if reader or state is State.IDLE else 1)
                if reader is not None:
                    self.assertIsNotNone(reader.reason, (state, name))
