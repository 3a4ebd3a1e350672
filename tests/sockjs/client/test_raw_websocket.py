"""
The WebSocket without SockJS frames.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost

from txtokensock.errors import HandshakeRefused, SockJSClosed
from txtokensock.testing.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, FrameReader, encode_frame

from .http_peer import PeerTestCase, Request
from .support import Recorder
from .test_fallback import websocket


class RawWebSocketTests(PeerTestCase):
    """One WebSocket message is one message."""

    def setUp(self) -> None:
        super().setUp()
        self.answers["websocket"] = websocket
        self.read = FrameReader()

    def opened(self, **options: Any) -> tuple[Recorder, Request]:
        """A protocol on a session, and the server's end."""
        protocol: Recorder = self.successResultOf(self.connecting("websocket-raw", **options))
        return protocol, self.requests[-1]

    def frames(self, request: Request) -> list[tuple[int, bytes]]:
        """What the client sent since the handshake."""
        self.host.settle()
        return list(self.read.feed(request.read()))

    def test_path(self) -> None:
        """No session is named, and it is open as soon as the handshake is done."""
        _, request = self.opened()
        self.assertEqual(request.path, "/sockets/websocket")

    def test_messages(self) -> None:
        """As they are, each way."""
        protocol, request = self.opened()
        heard = protocol.transport.frames_received
        request.raw(encode_frame(b"o", TEXT) + encode_frame("é".encode(), TEXT))
        self.host.settle()
        self.assertEqual(protocol.received, [b"o", "é".encode()])
        self.assertEqual(protocol.transport.frames_received, heard + 2)
        protocol.transport.writeSequence([b"a", b""])
        self.assertEqual(self.frames(request), [(TEXT, b"a"), (TEXT, b"")])

    def test_violations(self) -> None:
        """Binary messages, and what is not UTF-8."""
        for payload, opcode in ((b"x", BINARY), (b"\xff", TEXT)):
            protocol, request = self.opened()
            request.raw(encode_frame(payload, opcode))
            self.assertIsInstance(self.lost(protocol), ConnectionLost)
            self.assertEqual(protocol.received, [])

    def test_refused(self) -> None:
        """A server that has none."""
        self.answers["websocket"] = lambda r: r.respond(404)
        connecting = self.connecting("websocket-raw")
        self.assertEqual(self.failureResultOf(connecting, HandshakeRefused).value.status, 404)

    def test_heartbeat(self) -> None:
        """We ask every 25 seconds, and the answer counts as a sign of life."""
        protocol, request = self.opened()
        self.host.advance(24.9)
        self.assertEqual(self.frames(request), [])
        self.host.advance(0.1)
        self.assertEqual(self.frames(request), [(PING, b"")])
        heard = protocol.transport.frames_received
        request.raw(encode_frame(b"", PONG))
        self.host.settle()
        self.assertEqual(protocol.transport.frames_received, heard + 1)
        self.host.advance(25)
        self.assertEqual(self.frames(request), [(PING, b"")])

    def test_close(self) -> None:
        """The WebSocket's own close has the code and the reason, each way."""
        protocol, request = self.opened()
        protocol.transport.close(3001, "Enough")
        ((opcode, payload),) = self.frames(request)
        self.assertEqual((opcode, payload[2:]), (CLOSE, b"Enough"))
        request.raw(encode_frame(payload, CLOSE))
        request.hang_up()
        closed = self.lost(protocol)
        self.assertEqual((type(closed), closed.code), (SockJSClosed, 3001))
        protocol, request = self.opened()
        request.raw(encode_frame(b"\x0b\xb9Away", CLOSE))
        self.host.settle()
        request.hang_up()
        closed = self.lost(protocol)
        self.assertEqual((closed.code, closed.reason), (3001, "Away"))
