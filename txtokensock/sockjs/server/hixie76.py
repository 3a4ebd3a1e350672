"""
WebSockets of draft-hixie-thewebsocketprotocol-76, which came before RFC 6455.

SockJS has it (``test_haproxy`` of sockjs-protocol), for browsers of 2010 and 2011;
Autobahn dropped it.  A text message is ``00 text ff``, the close is ``ff 00``, and there
is nothing else: no ping, no close code.  Other frames, which the draft reserves and lets
be skipped, end the connection here.
"""

from __future__ import annotations

import enum
import hashlib
import re
import struct
from dataclasses import dataclass
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import Request

from ...errors import SockJSClosed
from .request_info import header
from .upgrade import BadUpgrade, check_upgrade
from .websocket_session import WebSocketSession
from .wire import TCPWire

__all__ = ["Hixie76", "Opening", "speaks_hixie76"]

_TEXT = 0x00
_END = b"\xff"
_CLOSE = 0xFF
_CLOSE_FRAME = b"\xff\x00"

_BODY_SIZE = 8
"""Bytes of the client's that follow the headers, and that no header announces."""

_RESPONSE = (
    b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"
    b"Upgrade: WebSocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Origin: %s\r\n"
    b"Sec-WebSocket-Location: %s\r\n"
    b"\r\n"
)


def speaks_hixie76(request: Request) -> bool:
    """Whether the request asks for this version, as against all later ones."""
    headers = request.requestHeaders
    return headers.hasHeader(b"sec-websocket-key1") and not headers.hasHeader(
        b"sec-websocket-version"
    )


@dataclass(frozen=True, slots=True)
class Opening:
    """
    The server's part of a handshake: section 5.2 of the draft.

    :ivar response: what is sent before the client's last eight bytes come: haproxy passes
        those on only when it has seen the response.
    :ivar numbers: what the client's two keys stand for.
    """

    response: bytes
    numbers: tuple[int, int]

    @classmethod
    def of(cls, request: Request) -> Opening:
        """
        :raises BadUpgrade: if it is no handshake of this version.
        """
        check_upgrade(request)
        headers = request.requestHeaders
        if headers.hasHeader(b"content-length") or headers.hasHeader(b"transfer-encoding"):
            raise BadUpgrade("A WebSocket handshake has no body.")
        host, origin = request.getHeader(b"host"), request.getHeader(b"origin")
        if not host or not origin:
            raise BadUpgrade('"Host" and "Origin" are needed.')
        numbers = _number(request, b"sec-websocket-key1"), _number(request, b"sec-websocket-key2")
        scheme = b"wss" if request.isSecure() else b"ws"
        location = b"%s://%s%s" % (scheme, host, request.uri)
        return cls(_RESPONSE % (origin, location), numbers)

    def answer(self, body: bytes) -> bytes:
        """
        :param body: the client's eight bytes.
        :return: the sixteen bytes that prove that this is a WebSocket server.
        """
        challenge = struct.pack(">II", *self.numbers) + body
        return hashlib.md5(challenge, usedforsecurity=False).digest()


def _number(request: Request, name: bytes) -> int:
    """A key's digits as a number of 32 bits, divided by how many spaces are between them."""
    key = header(request, name) or ""
    digits, spaces = "".join(re.findall("[0-9]", key)), key.count(" ")
    # Long ones are not even converted: int() takes its time, and then refuses.
    if 1 <= len(digits) <= 10 and int(digits) < 2**32 and spaces and not int(digits) % spaces:
        return int(digits) // spaces
    raise BadUpgrade("Not a valid websocket request")


class _State(enum.Enum):
    OPENING = enum.auto()  # the client's eight bytes have not come
    OPEN = enum.auto()
    CLOSING = enum.auto()  # our close is sent, the client's has not come
    DONE = enum.auto()  # nothing more is read


class Hixie76(TCPWire, Protocol):
    """
    One WebSocket of this version, from its response on.

    It cannot find out with a ping whether its peer lives.  With TCP's keep-alive the
    system does that, in hours.

    :param opening: the handshake.
    :param max_message_size: bytes; a larger message ends the connection.
    :param session: whose WebSocket this is.
    """

    def __init__(self, opening: Opening, max_message_size: int, session: WebSocketSession) -> None:
        self._opening = opening
        self._max_message_size = max_message_size
        self._session = session
        self._state = _State.OPENING
        self._kind: int | None = None  # the first byte of the frame that is coming in
        self._received = bytearray()  # of that frame, or of the eight bytes
        self._end: Exception = ConnectionLost("the connection was lost")

    def __repr__(self) -> str:
        return f"<Hixie76 of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        """The request is there: answer it."""
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpKeepAlive(True)
        self._session.wire_opening(self)
        self.transport.write(self._opening.response)

    def dataReceived(self, data: bytes) -> None:
        """The eight bytes, then frames, in pieces of any size."""
        self._session.bytes_received()
        start = 0
        while start < len(data) and self._state is not _State.DONE:
            if self._state is _State.OPENING:
                start = self._read_body(data)
            elif self._kind is None:
                self._kind = data[start]
                start += 1
            elif self._kind == _TEXT:
                start = self._read_text(data, start)
            elif self._kind == _CLOSE and data[start] == 0:
                self._closed_by_peer()
            else:
                self._violation("a frame that is no text")

    def connectionLost(self, reason: Any = None) -> None:
        """The end, however it came."""
        self._state = _State.DONE
        self._received.clear()
        self._session.wire_lost(Failure(self._end))

    # -- reading

    def _read_body(self, data: bytes) -> int:
        """:return: where the frames begin."""
        size = _BODY_SIZE - len(self._received)
        self._received += data[:size]
        if len(self._received) == _BODY_SIZE:
            self.transport.write(self._opening.answer(bytes(self._received)))
            self._received.clear()
            self._state = _State.OPEN
            self._follow_buffer()
            self._session.wire_open(self)
        return size

    def _read_text(self, data: bytes, start: int) -> int:
        """:return: where the next frame begins, if this one ends here."""
        end = data.find(_END, start)
        stop = len(data) if end < 0 else end
        if len(self._received) + stop - start > self._max_message_size:
            self._violation("a message that is too large")
        else:
            self._received += data[start:stop]
            if end >= 0:
                message = bytes(self._received)
                self._received.clear()
                self._kind = None
                self._session.message_received(message, is_binary=False)
        return stop + 1

    # -- the end

    def _closed_by_peer(self) -> None:
        self._end = SockJSClosed(1005, "")
        self._finish()

    def _violation(self, what: str) -> None:
        self._end = ConnectionLost(f"the peer sent {what}")
        self._finish()

    def _finish(self) -> None:
        """Nothing more of the peer's counts: close, and give it time to read what was sent."""
        self._session.wire_closing()
        if self._state is _State.OPEN:
            self.transport.write(_CLOSE_FRAME)
        self._state = _State.DONE
        self._received.clear()
        self.unregisterProducer()
        self.transport.loseConnection()

    # -- WebSocketWire

    def send_text(self, payload: bytes) -> None:
        """Send one message: UTF-8, which never has the byte that ends a frame."""
        if self._state is _State.OPEN:
            self.transport.write(b"\x00%s\xff" % payload)

    def ping(self) -> bool:
        """There is none."""
        return False

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake, which carries neither code nor reason."""
        if self._state is _State.OPENING:
            self._finish()
        elif self._state is _State.OPEN:
            self.transport.write(_CLOSE_FRAME)
            self._state = _State.CLOSING
