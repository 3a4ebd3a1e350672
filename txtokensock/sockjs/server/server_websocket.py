"""
A WebSocket on the server, made of Autobahn's.

What it uses of Autobahn that is not public is listed in :mod:`~txtokensock.sockjs.websocket`.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...errors import SockJSClosed, shorten
from ..text_frames import TextFrameReader
from ..websocket import TIMERS_OFF, WebSocketConnection
from .websocket_session import WebSocketSession

__all__ = ["WebSocketFactory"]

_PIECE = 4096
"""Bytes that Autobahn gets together, where they hold many frames."""

_MANY_FRAMES = 16

_LONGEST_CLOSE = 131
"""Bytes of a client's longest close frame: head, mask, and a payload of 125."""


_HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)

_ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n\r\n"
)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What an accepted key is hashed with: RFC 6455, section 1.3."""


class _Opened(WebSocketServerProtocol):
    """
    One of Autobahn's that begins with what it has after the handshake, which a subclass has as
    attributes of its class: they are the same for all, and several kilobytes.
    """

    def __init__(self) -> None:
        """Do nothing: Autobahn's own makes what the class has."""

    @property
    def is_closed(self) -> Deferred[Any]:
        """What Autobahn fires at the end, for nobody."""
        return Deferred()


def _opened(factory: WebSocketServerFactory) -> dict[str, Any]:
    """The attributes of a WebSocket of Autobahn's after the handshake."""
    template = WebSocketServerProtocol()
    template.factory = factory
    template.log = factory.log
    template.sendData = lambda *_: None  # type: ignore[method-assign]
    template._connectionMade()
    template.dataReceived(_HANDSHAKE)
    assert template.state == template.STATE_OPEN
    attributes = dict(vars(template))
    for own in ("is_closed", "log", "sendData"):
        del attributes[own]
    return attributes


# mypy compares Autobahn's own bases as soon as there is a further one, and they differ.
class _ServerWebSocket(WebSocketConnection, _Opened):  # type: ignore[misc]
    """
    One WebSocket.  Its request was checked already, so that only the answer is left to send.

    :param key: the request's ``Sec-WebSocket-Key``.
    :param session: whose WebSocket this is.
    :param max_message_size: bytes; a larger message closes the WebSocket with 1009.
    """

    most_fragments = 1000

    def __init__(self, key: str, session: WebSocketSession, max_message_size: int) -> None:
        super().__init__(TextFrameReader(masked=True, limit=max_message_size))
        self.texts_received = session.texts_received  # type: ignore[method-assign]
        self._key = key
        self._session = session
        self._ignoring = False
        self._ignored = b""
        self._unfinished = 0
        self._unread = b""  # waits for a later turn, or until the session reads again
        self._reading_paused = False

    def __repr__(self) -> str:
        return f"<WebSocket of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        accepted = sha1(self._key.encode("ascii") + _GUID, usedforsecurity=False)
        self.transport.write(_ACCEPTED % b64encode(accepted.digest()))
        self._key = ""  # it is not needed any more
        self._session.websocket_open(self)
        if self.state == self.STATE_OPEN:
            self.follow_buffer()

    def dataReceived(self, data: bytes) -> None:
        self._session.bytes_received()
        if self._unread or self._reading_paused:
            self._unread += data
        else:
            self._read(data)

    def _read(self, data: bytes) -> None:
        """Take what one turn of the reactor has room for, and the rest later."""
        slices, transport = self._session.slices, self._session.transport
        size = _PIECE
        while data and not self._reading_paused and slices.units > 0:
            frames, units = transport.frames_received, slices.units
            data = self._take(data, units, size)
            frames = transport.frames_received - frames
            # The transport has counted the messages that it delivered.
            slices.units = min(slices.units, units - 1 - frames)
            if frames < _MANY_FRAMES:
                size *= 4
        self._unread = data
        if data and not self._reading_paused:
            super().pause()
            slices.call(self._read_on)

    def _read_on(self) -> None:
        if self._unread and not self._reading_paused:
            data, self._unread = self._unread, b""
            self._read(data)
            if not self._unread and not self._reading_paused:
                super().resume()

    def pause(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            super().pause()

    def resume(self) -> None:
        self._reading_paused = False
        if self._unread:
            self._session.slices.call(self._read_on)
        else:
            super().resume()

    def _take(self, data: bytes, most: int, size: int) -> bytes:
        """Read some of what has come, whatever it is; returns what is left for later turns."""
        if self._ignoring:
            self._look_for_close(data)
            return b""
        try:
            rest = self.read_some(data, most, size)
        except Exception:
            # No bytes from a peer may reach the reactor as an exception.
            self._log.failure(
                "Autobahn could not read what the client sent", event="sockjs.failed"
            )
            self._session.abort()
            return b""
        if self.failedByMe:
            self.ignore_input()
            self._session.websocket_closing()
        if self._ignoring:
            if self.data:
                self._look_for_close(self._forget_input())
        elif self.inside_message or self.current_frame is not None:
            self._unfinished += len(data) - len(rest)
            self._session.unfinished(self._unfinished)
        elif self._unfinished or self._text_frames.tail:
            self._unfinished = len(self._text_frames.tail)
            self._session.unfinished(self._unfinished)
        return rest

    def consumeData(self) -> None:
        """Read frames, up to the first after which nothing counts any more."""
        while not (self._ignoring or self.failedByMe or self.state == self.STATE_CLOSED):
            if not self.processData():
                return
        self.ignore_input()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        # It may be long until somebody collects the garbage that a connection is, and the
        # transport has what was written and not read.
        self._forget_input()
        self._unread = b""
        self._reading_paused = True
        super().connectionLost(reason)
        self._producing = False
        self._write = self.transport = None

    def ignore_input(self) -> None:
        """
        Look only for the peer's close from now on.

        What follows a violation has to be read from the socket all the same: closing a socket
        with unread bytes resets the connection, and the close frame that says what was wrong
        would be lost.
        """
        if not self._ignoring:
            self._ignoring = True
            self._look_for_close(self._forget_input())

    def _forget_input(self) -> bytes:
        """:return: what was read, and not looked at."""
        rest, self.data = self._text_frames.release() + self.data, b""
        self._message.clear()
        if self._unfinished:
            self._unfinished = 0
            self._session.unfinished(0)
        return rest

    def _look_for_close(self, data: bytes) -> None:
        """
        Drop the connection once the peer has answered our close.  Where its frames begin and
        end is not known any more, but its answer is the last that it sends.
        """
        tail = self._ignored = (self._ignored + data[-_LONGEST_CLOSE:])[-_LONGEST_CLOSE:]
        for start in range(len(tail) - 5):
            if tail[start] == 0x88 and tail[start + 1] == 0x80 | (len(tail) - start - 6):
                self.dropConnection()
                return

    # -- from Autobahn

    def fail(self, code: int, reason: str) -> None:
        self._fail_connection(code, reason)

    def binary_received(self, message: bytes) -> None:
        self._session.binary_received(message)

    def activity(self) -> None:
        self._session.activity()

    def too_many_fragments(self) -> None:
        self.fail(self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG, "too many fragments")

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self._fragments > 1:
            self._session.piece_received()

    def onCloseFrame(self, code: int, reasonRaw: bytes) -> bool | None:
        self._session.websocket_closing()
        return super().onCloseFrame(code, reasonRaw)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        why: Exception
        if wasClean:
            why = SockJSClosed(code or 1005, reason or "")
        else:
            why = ConnectionLost(shorten(self.wasNotCleanReason or "the connection was lost"))
        self._session.websocket_lost(Failure(why))

    def dropConnection(self, abort: bool = False) -> None:
        # Autobahn resets the connection after a clean close, when the peer may not have read
        # the close frame yet.  The session's deadline ends a connection that stays open.
        super().dropConnection(abort=abort and not self.wasClean)

    # -- the TCP buffer

    def buffer_full(self) -> None:
        self._session.buffer_full()

    def buffer_drained(self) -> None:
        self._session.buffer_empty()


class WebSocketFactory:
    """
    Makes the WebSockets of one server.

    :param reactor: given to Autobahn, which does not use it while its timers are off.
    :param max_message_size: bytes; a larger message closes the WebSocket with 1009.
    """

    def __init__(self, reactor: Any, max_message_size: int) -> None:
        factory = WebSocketServerFactory(server=None, reactor=reactor)
        factory.log = _ServerWebSocket.log
        factory.noisy = False
        factory.setProtocolOptions(
            **TIMERS_OFF,
            maxMessagePayloadSize=max_message_size,
            maxFramePayloadSize=max_message_size,
            failByDrop=False,  # tell the peer what was wrong
            utf8validateIncoming=False,  # the JSON decoder does
        )
        self._type = type("_OpenWebSocket", (_ServerWebSocket,), _opened(factory))
        self._max_message_size = max_message_size

    def build(self, key: str, session: WebSocketSession) -> WebSocketServerProtocol:
        """
        :param key: the request's ``Sec-WebSocket-Key``.
        :return: a protocol that sends the answer to the handshake when it is connected.
        """
        websocket: WebSocketServerProtocol = self._type(key, session, self._max_message_size)
        return websocket
