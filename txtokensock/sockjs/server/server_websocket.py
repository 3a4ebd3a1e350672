"""
A WebSocket on the server, made of Autobahn's.

What it uses of Autobahn that is not public is listed in :mod:`~txtokensock.sockjs.websocket`.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ...errors import SockJSClosed, shorten
from ..text_frames import TextFrameReader, text_frame
from ..websocket import TIMERS_OFF, WebSocketConnection
from .websocket_session import WebSocketSession

__all__ = ["WebSocketFactory"]

_LONGEST_CLOSE = 131
"""Bytes of a client's longest close frame: head, mask, and a payload of 125."""


# mypy compares Autobahn's own bases as soon as there is a further one, and they differ.
class _ServerWebSocket(WebSocketConnection, WebSocketServerProtocol):  # type: ignore[misc]
    """
    One WebSocket.

    Autobahn gets a minimal handshake that is made up here: the request was checked already,
    and Autobahn needs neither its cookies nor its query.

    :param key: the request's ``Sec-WebSocket-Key``.
    :param session: whose WebSocket this is.
    :param max_message_size: bytes; a larger message closes the WebSocket with 1009.
    """

    most_fragments = 1000
    encode_text = staticmethod(text_frame)

    def __init__(self, key: str, session: WebSocketSession, max_message_size: int) -> None:
        super().__init__(
            session.texts_received,
            session.binary_received,
            session.activity,
            TextFrameReader(masked=True, limit=max_message_size),
        )
        self._key = key
        self._session = session
        self._after_violation = b""

    def __repr__(self) -> str:
        return f"<WebSocket of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        super().connectionMade()
        self.dataReceived(
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: %s\r\n\r\n" % self._key.encode("ascii")
        )

    def dataReceived(self, data: bytes) -> None:
        self._session.bytes_received()
        if self.failedByMe:
            # What follows a violation is ignored, but it has to be read from the socket:
            # closing a socket with unread bytes resets the connection, and the close frame
            # that says what was wrong would be lost.
            self._look_for_close(data)
            return
        try:
            self.bytes_received(data)
        except Exception:
            # No bytes from a peer may reach the reactor as an exception.
            self._log.failure("Autobahn could not read what the client sent")
            self._session.abort()
        else:
            if self.failedByMe:
                self._session.websocket_closing()

    def _look_for_close(self, data: bytes) -> None:
        """
        Drop the connection once the peer has answered our close.  Where its frames begin and
        end is not known any more after a violation, but its answer is the last that it sends.
        """
        tail = self._after_violation = (self._after_violation + data)[-_LONGEST_CLOSE:]
        for start in range(len(tail) - 5):
            if tail[start] == 0x88 and tail[start + 1] == 0x80 | (len(tail) - start - 6):
                self.dropConnection()
                return

    # -- from Autobahn

    def onOpen(self) -> None:
        self.follow_buffer()
        self._session.websocket_open(self)

    def fail(self, code: int, reason: str) -> None:
        self._fail_connection(code, reason)

    def too_many_fragments(self) -> None:
        self.fail(self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG, "too many fragments")

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
        self._factory = factory
        self._max_message_size = max_message_size

    def build(self, key: str, session: WebSocketSession) -> WebSocketServerProtocol:
        """
        :param key: the request's ``Sec-WebSocket-Key``.
        :return: a protocol that sends the answer to the handshake when it is connected.
        """
        protocol = _ServerWebSocket(key, session, self._max_message_size)
        protocol.factory = self._factory
        return protocol
