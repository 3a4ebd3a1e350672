"""
Sessions over HTTP that do not open: which phase, and what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from txtokensock import Timeouts
from txtokensock.errors import AttemptTimeout, ConnectFailed, HandshakeRefused, SockJSRefused
from txtokensock.sockjs import SockJSClientEndpoint
from txtokensock.testing import MemoryNetwork
from txtokensock.web.client.http_connect import ConnectEndpoint

from .http_peer import PAGES, PeerTestCase, Request

Answer = Callable[[Request], object]


class AttemptTests(PeerTestCase):
    """One attempt with one transport."""

    def failed(self, kind: type[Exception], phase: str, answer: Answer | None = None) -> Any:
        """The errors of attempts with each transport where the server answers like this."""
        errors = []
        for transport, page in PAGES.items():
            if answer is not None:
                self.answers[page] = answer
            error: Any = self.failureResultOf(self.connecting(transport), kind).value
            self.assertEqual(error.phase, phase, transport)
            self.assert_nothing_left()
            errors.append(error)
        self.assertEqual(self.protocols, [])
        return errors

    def test_no_connection(self) -> None:
        """Refused."""
        self.accept = False
        for error in self.failed(ConnectFailed, "connect"):
            self.assertIn("server.test", str(error))

    def test_deadline_at_a_proxy(self) -> None:
        """It is the proxy that is named, as with a WebSocket."""
        self.host.network = MemoryNetwork(self.clock, Factory.forProtocol(Protocol))
        proxy = ConnectEndpoint(
            self.host.network.endpoint(), "server.test", 80, proxy_name="http://proxy.test:3128"
        )
        for options in ({}, {"info": True}):
            for transport in PAGES:
                endpoint = SockJSClientEndpoint(
                    self.clock,
                    "http://server.test/sockets",
                    transports=[transport],
                    endpoint=proxy,
                    **options,
                )
                connecting = endpoint.connect(self.factory())
                self.host.advance(10)
                error = self.failureResultOf(connecting, AttemptTimeout).value
                self.assertIn("the proxy http://proxy.test:3128 has not", str(error))
                self.assert_nothing_left()

    def test_statuses(self) -> None:
        """Each but 200 is a no; the status and when to come back can be read."""
        for status in (101, 201, 204, 301, 400, 401, 403, 404, 429, 500, 503):
            if status == 101:
                continue  # an interim answer: see below
            for error in self.failed(
                HandshakeRefused, "handshake", lambda r, s=status: r.respond(s, b"")
            ):
                self.assertEqual(error.status, status)
                self.assertIn(str(status), str(error))
        (error, *_) = self.failed(
            HandshakeRefused, "handshake", lambda r: r.respond(503, b"", "Retry-After: 9")
        )
        self.assertEqual(error.retry_after, 9.0)

    def test_redirect(self) -> None:
        """It is not followed; the error says where to, without a query."""
        (error, *_) = self.failed(
            HandshakeRefused,
            "handshake",
            lambda r: r.respond(302, b"", "Location: http://b.test/x?secret"),
        )
        self.assertIn("http://b.test/x", str(error))
        self.assertNotIn("secret", str(error))

    def test_connections_that_end(self) -> None:
        """Reset, closed, or answered with what is no HTTP."""
        answers: tuple[Answer, ...] = (
            Request.drop,
            Request.hang_up,
            lambda r: (r.raw(b"\0\xff no HTTP\r\n\r\n"), r.hang_up()),
            lambda r: (r.raw(b"HTTP/1.1 200 OK\r\nContent-"), r.drop()),
            lambda r: r.raw(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"),
            lambda r: r.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: odd\r\n\r\n"),
            lambda r: r.raw(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"),
            lambda r: r.raw(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 40_000),
            lambda r: r.raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 11_000),
            lambda r: r.head("Content-Type: text/event-stream", "Content-Encoding: gzip"),
        )
        for answer in answers:
            self.failed(HandshakeRefused, "handshake", answer)

    def test_wrong_content_type(self) -> None:
        """An event stream says that it is one; what says otherwise is no SockJS server."""
        self.answers["eventsource"] = lambda r: r.respond(
            200, b"<html>", "Content-Type: text/html"
        )
        connecting = self.connecting("eventsource")
        error = self.failureResultOf(connecting, HandshakeRefused).value
        self.assertIn("text/html", str(error))

    def test_what_is_no_session(self) -> None:
        """A response that ends, breaks off or holds anything before ``o``."""

        def open_and(then: Answer) -> Answer:
            def answer(request: Request) -> None:
                request.open()
                self.clock.callLater(0, then, request)  # even a reset leaves the head

            return answer

        answers: tuple[Answer, ...] = (
            Request.drop,
            Request.hang_up,
            Request.end,
            lambda r: (r.chunk(b'data: a["x"]\n\n'), r.chunk(b'a["x"]\n')),
            lambda r: (r.chunk(b"data: ?\n\n"), r.chunk(b"?\n")),
            lambda r: (r.chunk(b"data: <html>\n\n"), r.chunk(b"<html>\n")),
            lambda r: (r.chunk(b"data: o"), r.end()),
            lambda r: r.raw(b"no chunk size\r\n"),
        )
        for answer in answers:
            self.failed(SockJSRefused, "open", open_and(answer))

    def test_server_says_no(self) -> None:
        """The close frame instead of ``o``: its code can be read."""
        for error in self.failed(SockJSRefused, "open", lambda r: r.frame(b'c[3000,"Go away!"]')):
            self.assertEqual(error.code, 3000)
            self.assertIn("Go away!", str(error))

    def test_heartbeats_before_open(self) -> None:
        """They mean nothing, however many responses they take."""
        for transport, page in PAGES.items():
            answers = [b"h", b"h", b"o"]
            self.answers[page] = lambda r, a=answers: r.frame(a.pop(0)) if a else None
            connecting = self.connecting(transport)
            if transport != "xhr-polling":
                self.newest(transport).frame(b"h", b"o")
                self.host.settle()
            self.successResultOf(connecting)

    def test_factory_without_protocol(self) -> None:
        """A factory that builds none refuses the session."""
        for transport, page in PAGES.items():
            self.answers[page] = lambda request: request.frame(b"o")
            factory = self.factory()
            factory.buildProtocol = lambda addr: None  # type: ignore[method-assign]
            connecting = self.endpoint(transport).connect(factory)
            self.host.settle()
            self.assertEqual(self.failureResultOf(connecting, SockJSRefused).value.phase, "open")
            self.assert_nothing_left()


class DeadlineTests(PeerTestCase):
    """A server that does not go on."""

    STALLS: tuple[tuple[str, Answer], ...] = (
        ("connect", lambda _: None),
        ("handshake", lambda _: None),
        ("handshake", lambda r: r.raw(b"HTTP/1.1 200 O")),
        ("open", lambda r: r.open()),
        ("open", lambda r: (r.open(), r.chunk(b"h\n\n"))),
    )

    def stalled(self, transport: str, phase: str, answer: Answer, **options: Any) -> Deferred[Any]:
        """An attempt that comes to that phase, and no further."""
        self.accept = None if phase == "connect" else True
        self.answers[PAGES[transport]] = answer
        return self.connecting(transport, **options)

    def test_each_phase(self) -> None:
        """Its own deadline, which begins with the phase."""
        seconds = {"connect": 1, "handshake": 2, "open": 3}
        timeouts = Timeouts(connect=1, handshake=2, open=3)
        for transport in PAGES:
            for phase, answer in self.STALLS:
                connecting = self.stalled(transport, phase, answer, timeouts=timeouts)
                self.host.advance(seconds[phase] - 0.1)
                self.assertNoResult(connecting)
                self.host.advance(0.1)
                error = self.failureResultOf(connecting, AttemptTimeout).value
                self.assertEqual(error.phase, phase)
                self.assert_nothing_left()

    def test_cancel_in_each_phase(self) -> None:
        """Nothing is left open, wherever it was."""
        for transport in PAGES:
            for phase, answer in self.STALLS:
                connecting = self.stalled(transport, phase, answer)
                connecting.cancel()
                self.failureResultOf(connecting, CancelledError)
                self.assert_nothing_left()

    def test_connecting_is_cancelled(self) -> None:
        """The endpoint below hears of it, for what is being connected by then: the request
        for frames, that for /info, and that with messages."""
        cancelled: list[object] = []
        inner, pending = self.host.network.endpoint(), False

        @implementer(IStreamClientEndpoint)
        class Sometimes:
            def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
                return Deferred(cancelled.append) if pending else inner.connect(protocolFactory)

        self.answers["xhr_streaming"] = lambda request: request.frame(b"o")
        connecting = self.connecting("xhr-streaming", endpoint=Sometimes())
        protocol = self.successResultOf(connecting)
        pending = True
        protocol.transport.write(b"x")
        self.host.settle()
        protocol.transport.abortConnection()
        self.lost(protocol)
        self.assertEqual(len(cancelled), 1)
        for info in (False, True):
            connecting = self.connecting("xhr-polling", info=info, endpoint=Sometimes())
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
        self.assertEqual(len(cancelled), 3)

    def test_endpoint_that_cannot_be_cancelled(self) -> None:
        """A connection that comes after all is dropped."""
        inner = self.host.network.endpoint()
        clock = self.clock

        @implementer(IStreamClientEndpoint)
        class Stubborn:
            def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
                connected: Deferred[IProtocol] = Deferred()
                clock.callLater(5, lambda: inner.connect(protocolFactory).chainDeferred(connected))
                return connected

        for transport in PAGES:
            connecting = self.connecting(transport, endpoint=Stubborn())
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.host.advance(10)
            self.assert_nothing_left()
