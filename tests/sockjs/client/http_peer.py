"""
An HTTP server in memory that does what a test tells it to, right or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.kit import http
from txtokensock.sockjs import SockJSClientEndpoint
from txtokensock.testing.host import MemoryHost

from ...common import collect_garbage
from .support import Recorder

PAGES = {"xhr-streaming": "xhr_streaming", "eventsource": "eventsource", "xhr-polling": "xhr"}


class Request:
    """
    One request, and what is answered to it.

    :ivar page: the last part of its path.
    :ivar ended: why its connection ended, where it was the last one there.
    """

    ended: object = None

    def __init__(self, transport: Any, request: http.Request, reader: http.RequestReader) -> None:
        self.transport = transport
        self._reader = reader
        self.method = request.method
        self.path = request.target
        self.page = request.target.rsplit("/", 1)[1]
        self.headers = request.headers
        self.body = request.body

    def read(self) -> bytes:
        """What came behind it since this was last asked, where it upgrades."""
        data, self._reader.rest = self._reader.rest, b""
        return data

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def respond(self, status: int = 200, body: bytes = b"", *headers: str) -> None:
        """A whole response."""
        self.raw(http.response(status, body, *headers, kind=""))

    def head(self, *headers: str, status: int = 200) -> None:
        """The head of a response in chunks."""
        self.raw(http.head(status, "Transfer-Encoding: chunked", *headers))

    def chunk(self, data: bytes) -> None:
        """More of its body."""
        self.raw(http.chunk(data))

    def end(self) -> None:
        """Its end."""
        self.raw(http.LAST_CHUNK)

    def frame(self, *frames: bytes) -> None:
        """Frames: begins a response that goes on, except for a poll."""
        if self.page == "xhr":
            self.respond(200, b"\n".join([*frames, b""]))
            return
        self.open()
        for one in frames:
            self.chunk(b"data: %s\r\n\r\n" % one if self.page == "eventsource" else one + b"\n")

    def open(self) -> None:
        """The head of a response with frames, once."""
        if not hasattr(self, "opened"):
            self.opened = True
            self.head("Content-Type: text/event-stream")

    def hang_up(self) -> None:
        """Close the connection, after what was sent."""
        self.transport.loseConnection()

    def drop(self) -> None:
        """Reset the connection."""
        self.transport.abortConnection()


class _Connection(Protocol):
    transport: Any

    def __init__(self, heard: Callable[[Request], None]) -> None:
        self._heard = heard
        self._reader = http.RequestReader()
        self._last: Request | None = None

    def dataReceived(self, data: bytes) -> None:
        for request in self._reader.feed(data):
            self._last = Request(self.transport, request, self._reader)
            self._heard(self._last)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._last is not None:
            self._last.ended = reason.value


class PeerTestCase(SynchronousTestCase):
    """
    With such a server; after each test no timer and no connection may be left.

    :ivar answers: what is done with a request, by its page; by default it is noted only.
    :ivar requests: all so far.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.answers: dict[str, Callable[[Request], object]] = {}
        self.requests: list[Request] = []
        factory = Factory.forProtocol(lambda: _Connection(self._heard))  # type: ignore[arg-type]
        self.host = MemoryHost(factory, self.clock)
        self.protocols: list[Recorder] = []
        self.accept: bool | None = True
        self.addCleanup(self._end)

    def _heard(self, request: Request) -> None:
        self.requests.append(request)
        self.answers.get(request.page, lambda _: None)(request)

    def _end(self) -> None:
        for protocol in self.protocols:
            protocol.transport.abortConnection()
        self.host.settle()
        self.assertEqual([len(p.lost) for p in self.protocols], [1] * len(self.protocols))
        self.assert_nothing_left()
        collect_garbage()

    def assert_nothing_left(self) -> None:
        """No connection, no timer."""
        self.host.settle()
        self.assertEqual(self.host.open_connections, 0)
        self.assertEqual(list(self.clock.getDelayedCalls()), [])

    def requested(self, page: str) -> list[Request]:
        """The requests of that page so far."""
        return [request for request in self.requests if request.page == page]

    def newest(self, transport: str) -> Request:
        """The newest request for frames."""
        return self.requested(PAGES[transport])[-1]

    def endpoint(self, *transports: str, **options: Any) -> SockJSClientEndpoint:
        """An endpoint for the server."""
        options.setdefault("endpoint", self.host.network.endpoint(lambda: self.accept))
        return SockJSClientEndpoint(
            self.clock, "http://server.test/sockets", transports=transports, **options
        )

    def connecting(self, *transports: str, **options: Any) -> Deferred[Any]:
        """An attempt that did what it can without time passing."""
        connecting = self.endpoint(*transports, **options).connect(self.factory())
        self.host.settle()
        return connecting

    def factory(self) -> Factory:
        """Builds protocols that are noted."""

        def build() -> Recorder:
            self.protocols.append(Recorder())
            return self.protocols[-1]

        return Factory.forProtocol(build)  # type: ignore[arg-type]

    def connected(self, transport: str, **options: Any) -> Recorder:
        """A protocol on a session whose ``o`` has come; requests wait for answers then."""
        page = PAGES[transport]

        def accept(request: Request) -> None:
            del self.answers[page]
            request.frame(b"o")

        self.answers[page] = accept
        protocol: Recorder = self.successResultOf(self.connecting(transport, **options))
        return protocol

    def lost(self, protocol: Recorder) -> Any:
        """Why it lost its connection, which it must have heard of once."""
        self.host.settle()
        (reason,) = protocol.lost
        return reason.value
