"""
Which transport is tried, and when the next one is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, fail
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Timeouts
from txtokensock.errors import (
    AllTransportsFailed,
    AttemptTimeout,
    ConnectFailed,
    HandshakeRefused,
    InvalidOption,
    SockJSRefused,
    TLSFailed,
)
from txtokensock.sockjs import DEFAULT_TRANSPORTS, TRANSPORTS, SockJSClientEndpoint
from txtokensock.sockjs.client import attempt
from txtokensock.sockjs.client.transports import Preference
from txtokensock.testing.rfc6455 import TEXT, accept_key, encode_frame

from .http_peer import PeerTestCase, Request

Answer = Callable[[Request], object]


def websocket(request: Request, *frames: bytes) -> None:
    """Accept the WebSocket handshake, and send frames."""
    key = accept_key(request.headers["sec-websocket-key"])
    request.raw(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key.encode() + b"\r\n\r\n"
    )
    for frame in frames:
        request.raw(encode_frame(frame, TEXT))


class OptionTests(SynchronousTestCase):
    """``transports`` and ``info``."""

    def test_names(self) -> None:
        """All there are, in any order and number, and the default."""
        self.assertEqual(DEFAULT_TRANSPORTS, ("websocket", "xhr-streaming", "xhr-polling"))
        for transports in (DEFAULT_TRANSPORTS, tuple(TRANSPORTS), ["eventsource"]):
            SockJSClientEndpoint(Clock(), "http://a.test", transports=transports)

    def test_what_cannot_be(self) -> None:
        """Each is refused, and the text says what there is."""
        bad: tuple[Any, ...] = (
            *("websocket", (), ("websocket", "websocket"), ("iframe",), (None,), ([],)),
            *(None, 5, {"websocket"}, b"websocket"),
        )
        for transports in bad:
            with self.assertRaises(InvalidOption) as caught:
                SockJSClientEndpoint(Clock(), "http://a.test", transports=transports)
            self.assertIn("transports", str(caught.exception))
        for info in (None, 1, "yes"):
            with self.assertRaises(InvalidOption):
                SockJSClientEndpoint(Clock(), "http://a.test", info=info)  # type: ignore[arg-type]


class PreferenceTests(SynchronousTestCase):
    """What is remembered."""

    def test_order(self) -> None:
        """What worked last goes first, the others keep their order, for ten minutes."""
        clock = Clock()
        preference = Preference(clock)
        self.assertEqual(preference.order("abc"), ["a", "b", "c"])
        clock.advance(1000)
        preference.worked("b")
        preference.worked("c")
        clock.advance(599)
        self.assertEqual(preference.order("abc"), ["c", "a", "b"])
        self.assertEqual(preference.order("ab"), ["a", "b"])
        clock.advance(1)
        self.assertEqual(preference.order("abc"), ["a", "b", "c"])


class FallbackTests(PeerTestCase):
    """An attempt with several transports."""

    def tried(self) -> list[str]:
        """What was asked for since this was last called."""
        pages = [request.page for request in self.requests]
        self.requests.clear()
        return pages

    def test_next_one(self) -> None:
        """After each kind of failure in handshake or open; what failed leaves nothing."""
        failures: tuple[Answer, ...] = (
            lambda r: r.respond(400),
            lambda r: r.respond(503),
            Request.drop,
            Request.hang_up,
            lambda r: r.raw(b"nonsense\r\n\r\n"),
            lambda r: (websocket(r), r.hang_up()),
            lambda r: websocket(r, b"?"),
            lambda r: websocket(r, b'a["early"]'),
        )
        for failure in failures:
            self.answers["websocket"] = failure
            self.answers["xhr_streaming"] = lambda r: r.frame(b"o", b'a["x"]')
            protocol = self.successResultOf(self.connecting(*DEFAULT_TRANSPORTS))
            self.host.settle()
            self.assertEqual(protocol.received, [b"x"])
            self.assertEqual(self.tried(), ["websocket", "xhr_streaming"])
            self.assertEqual(self.host.open_connections, 1)
            protocol.transport.abortConnection()

    def test_refused_websocket_is_closed_in_order(self) -> None:
        """Of a reset, sockjs-node dies where it offers no WebSockets."""
        self.answers["websocket"] = lambda r: r.respond(404)
        self.answers["xhr_streaming"] = lambda r: r.frame(b"o")
        self.successResultOf(self.connecting(*DEFAULT_TRANSPORTS))
        self.assertIsInstance(self.requests[0].ended, ConnectionDone)

    def test_wrong_path(self) -> None:
        """Where every transport gets 404, the error names the URL, and asks about the path."""
        for page in ("websocket", "xhr_streaming", "eventsource", "xhr"):
            self.answers[page] = lambda r: r.respond(404)
        connecting = self.connecting(*DEFAULT_TRANSPORTS)
        error = self.failureResultOf(connecting, AllTransportsFailed).value
        where = r"^no transport worked at http://\S+ \(is socket_prefix right\?\): websocket: "
        self.assertRegex(str(error), where)

    def test_deadlines(self) -> None:
        """Each transport has its own; a proxy that swallows streams is fallen through."""
        self.answers["websocket"] = websocket
        self.answers["xhr_streaming"] = lambda r: r.open()
        connecting = self.connecting(
            *DEFAULT_TRANSPORTS, timeouts=Timeouts(handshake=2, open=3, connect=9)
        )
        self.assertEqual(self.tried(), ["websocket"])
        self.host.advance(3)
        self.assertEqual(self.tried(), ["xhr_streaming"])
        self.host.advance(3)
        self.assertEqual(self.tried(), ["xhr"])
        self.assertNoResult(connecting)
        self.host.advance(2)
        error = self.failureResultOf(connecting, AllTransportsFailed).value
        self.assertEqual(
            [(name, type(one), one.phase) for name, one in error.errors.items()],
            [
                ("websocket", AttemptTimeout, "open"),
                ("xhr-streaming", AttemptTimeout, "open"),
                ("xhr-polling", AttemptTimeout, "handshake"),
            ],
        )
        self.assert_nothing_left()

    def test_all_fail(self) -> None:
        """One error, which says what each came to."""
        self.answers["websocket"] = lambda r: r.respond(403)
        self.answers["xhr_streaming"] = lambda r: r.respond(429, b"", "Retry-After: 7")
        self.answers["xhr"] = lambda r: r.respond(503, b"", "Retry-After: 5")
        error = self.failureResultOf(
            self.connecting(*DEFAULT_TRANSPORTS), AllTransportsFailed
        ).value
        self.assertEqual((error.phase, error.status, error.retry_after), ("handshake", 503, 7.0))
        self.assertFalse(error.permanent)
        self.assertIs(error.__cause__, error.errors["xhr-polling"])
        for part in ("websocket: ", "403", "xhr-streaming: ", "429", "xhr-polling: ", "503"):
            self.assertIn(part, str(error))
        self.assert_nothing_left()

    def test_single_transport(self) -> None:
        """Its error as it is."""
        self.answers["xhr"] = lambda r: r.respond(503)
        self.failureResultOf(self.connecting("xhr-polling"), HandshakeRefused)

    def test_no_connection(self) -> None:
        """No other transport would have one."""
        self.accept = False
        self.failureResultOf(self.connecting(*DEFAULT_TRANSPORTS), ConnectFailed)
        self.accept = None
        connecting = self.connecting(*DEFAULT_TRANSPORTS, timeouts=Timeouts(connect=2))
        self.host.advance(2)
        self.assertEqual(self.failureResultOf(connecting, AttemptTimeout).value.phase, "connect")
        self.assertEqual(self.tried(), [])

    def test_server_says_no(self) -> None:
        """A close frame of SockJS: it would say the same again."""
        self.answers["websocket"] = lambda r: websocket(r, b'c[3000,"Go away!"]')
        connecting = self.connecting(*DEFAULT_TRANSPORTS, timeouts=Timeouts(close=1))
        self.host.advance(1)
        self.assertEqual(self.failureResultOf(connecting, SockJSRefused).value.code, 3000)
        self.assertEqual(self.tried(), ["websocket"])

    def test_tls(self) -> None:
        """What is wrong with TLS is wrong for all transports."""
        problem = TLSFailed("no trust", "handshake", permanent=True)
        self.patch(attempt, "TRANSPORTS", {"websocket": lambda *_: fail(problem)})
        self.failureResultOf(self.connecting(*DEFAULT_TRANSPORTS), TLSFailed)

    def test_cancel(self) -> None:
        """In the second transport as in the first."""
        self.answers["websocket"] = lambda r: r.respond(403)
        connecting = self.connecting(*DEFAULT_TRANSPORTS)
        self.assertEqual(self.tried(), ["websocket", "xhr_streaming"])
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assert_nothing_left()
        self.assertEqual(self.tried(), [])

    def test_remembered(self) -> None:
        """What worked goes first, for ten minutes; the others are still there."""
        self.answers["websocket"] = lambda r: r.respond(403)
        self.answers["xhr_streaming"] = lambda r: r.frame(b"o")
        endpoint = self.endpoint(*DEFAULT_TRANSPORTS)

        def connect() -> list[str]:
            connecting = endpoint.connect(self.factory())
            self.host.settle()
            self.successResultOf(connecting).transport.abortConnection()
            return self.tried()

        self.assertEqual(connect(), ["websocket", "xhr_streaming"])
        self.assertEqual(connect(), ["xhr_streaming"])
        self.answers["xhr_streaming"] = lambda r: r.respond(404)
        self.answers["websocket"] = lambda r: websocket(r, b"o")
        self.assertEqual(connect(), ["xhr_streaming", "websocket"])
        self.assertEqual(connect(), ["websocket"])
        self.answers["websocket"] = lambda r: r.respond(403)
        self.answers["xhr_streaming"] = lambda r: r.frame(b"o")
        connect()
        self.host.advance(600)
        self.assertEqual(connect(), ["websocket", "xhr_streaming"])

    def test_new_session_for_each(self) -> None:
        """Each transport opens a session of its own."""
        self.answers["websocket"] = lambda r: r.respond(403)
        connecting = self.connecting(*DEFAULT_TRANSPORTS)
        paths = {request.path.rsplit("/", 1)[0] for request in self.requests}
        self.assertEqual(len(paths), 2)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)


class InfoTests(PeerTestCase):
    """The probe."""

    def info(self, body: bytes, *transports: str) -> Any:
        """An attempt where /info answers this."""
        self.answers["info"] = lambda r: r.respond(200, body, "Content-Type: application/json")
        self.answers["xhr_streaming"] = lambda r: r.frame(b"o")
        self.answers["websocket"] = lambda r: websocket(r, b"o")
        self.requests.clear()
        return self.connecting(*(transports or DEFAULT_TRANSPORTS), info=True)

    def pages(self) -> list[str]:
        return [request.page for request in self.requests]

    def test_websockets_on_offer(self) -> None:
        """Also where it says nothing of them; ``base_url`` leads nowhere else."""
        for body in (b'{"websocket":true}', b"{}", b'{"base_url":"http://evil.test/"}'):
            self.successResultOf(self.info(body))
            self.assertEqual(self.pages(), ["info", "websocket"])
            self.assertEqual(self.requests[0].path, "/sockets/info")

    def test_no_websockets(self) -> None:
        """Neither of them is tried; where nothing else is wanted, that is an error."""
        body = b'{"websocket":false,"entropy":1}'
        self.successResultOf(self.info(body, "websocket", "websocket-raw", "xhr-streaming"))
        self.assertEqual(self.pages(), ["info", "xhr_streaming"])
        error = self.failureResultOf(
            self.info(body, "websocket", "websocket-raw"), HandshakeRefused
        ).value
        self.assertIn("WebSocket", str(error))
        self.assertEqual(self.pages(), ["info"])

    def test_no_answer(self) -> None:
        """The attempt fails: whoever wants to ask wants to know."""
        answers: tuple[Answer, ...] = (
            lambda r: r.respond(404),
            lambda r: r.raw(b"HTTP/1.1 404 No\r\nContent-Length: 9\r\n\r\n"),
            lambda r: r.respond(200, b"<html>"),
            lambda r: r.respond(200, b"[]"),
            lambda r: r.respond(200, b"{" + b" " * 70_000 + b"}"),
            Request.drop,
            Request.hang_up,
            lambda r: r.raw(b"nonsense\r\n\r\n"),
            lambda r: (r.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"), r.hang_up()),
        )
        for answer in answers:
            self.answers["info"] = answer
            connecting = self.connecting(*DEFAULT_TRANSPORTS, info=True)
            error = self.failureResultOf(connecting, HandshakeRefused).value
            self.assertEqual(error.phase, "handshake")
            self.assert_nothing_left()
        self.assertEqual(set(self.pages()), {"info"})

    def test_deadlines_and_cancelling(self) -> None:
        """In both of its phases."""
        for phase, accept in (("connect", None), ("handshake", True)):
            self.accept = accept
            connecting = self.connecting(
                *DEFAULT_TRANSPORTS, info=True, timeouts=Timeouts(connect=2, handshake=2)
            )
            self.host.advance(2)
            self.assertEqual(self.failureResultOf(connecting, AttemptTimeout).value.phase, phase)
            self.assert_nothing_left()
            connecting = self.connecting(*DEFAULT_TRANSPORTS, info=True)
            connecting.cancel()
            self.failureResultOf(connecting, CancelledError)
            self.assert_nothing_left()
        self.accept = False
        connecting = self.connecting(*DEFAULT_TRANSPORTS, info=True)
        self.failureResultOf(connecting, ConnectFailed)
