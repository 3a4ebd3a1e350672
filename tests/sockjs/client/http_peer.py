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

    def __init__(self, transport: Any, method: str, path: str, headers: dict[str, str]) -> None:
        self.transport = transport
        self.method = method
        self.path = path
        self.page = path.rsplit("/", 1)[1]
        self.headers = headers
        self.body = b""

    def raw(self, data: bytes) -> None:
        """Send bytes."""
        self.transport.write(data)

    def respond(self, status: int = 200, body: bytes = b"", *headers: str) -> None:
        """A whole response."""
        lines = [f"HTTP/1.1 {status} Status", f"Content-Length: {len(body)}", *headers, "", ""]
        self.raw("\r\n".join(lines).encode() + body)

    def head(self, *headers: str, status: int = 200) -> None:
        """The head of a response in chunks."""
        lines = [f"HTTP/1.1 {status} Status", "Transfer-Encoding: chunked", *headers, "", ""]
        self.raw("\r\n".join(lines).encode())

    def chunk(self, data: bytes) -> None:
        """More of its body."""
        self.raw(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self) -> None:
        """Its end."""
        self.raw(b"0\r\n\r\n")

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
        self._data = b""
        self._request: Request | None = None
        self._last: Request | None = None

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while self._take():
            pass

    def _take(self) -> bool:
        if self._request is None:
            head, end, rest = self._data.partition(b"\r\n\r\n")
            if not end:
                return False
            self._data = rest
            first, *lines = head.decode("latin-1").split("\r\n")
            method, path, _ = first.split(" ", 2)
            fields = (line.partition(":") for line in lines)
            headers = {name.lower(): value.strip() for name, _, value in fields}
            self._request = Request(self.transport, method, path, headers)
        request = self._request
        size = int(request.headers.get("content-length", "0"))
        if len(self._data) < size:
            return False
        request.body, self._data = self._data[:size], self._data[size:]
        self._request = None
        self._last = request
        self._heard(request)
        return True

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
