"""
A WebSocket on the server: the only module here that imports Autobahn.

Autobahn's own timers run on the global reactor whatever reactor it is given, so
all are off, and every deadline is kept by the session, on its clock.
"""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.error import ConnectionLost
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import SockJSClosed, shorten
from ...support.quiet_log import Quiet
from ..pongs import Pongs
from .websocket_session import WebSocketSession
from .wire import TCPWire

__all__ = ["WebSocketFactory"]

_TEXT = 1  # the opcode of a text frame, RFC 6455 section 5.2

_MOST_FRAGMENTS = 1000
"""Frames of one message.  Empty ones cost memory too, and count for no size limit."""


# mypy compares Autobahn's own bases as soon as there is a further one, and they differ.
class _ServerWebSocket(TCPWire, WebSocketServerProtocol):  # type: ignore[misc]
    """
    One WebSocket.

    It gets a handshake of our own making: the request was checked already, and its
    cookies, query and other headers are nothing to a WebSocket library.

    :param key: the request's ``Sec-WebSocket-Key``.
    :param session: whose WebSocket this is.
    """

    log = Quiet()
    _log = Logger()

    def __init__(self, key: str, session: WebSocketSession) -> None:
        super().__init__()
        self._key = key
        self._session = session
        self._pongs = Pongs(super().onPing)

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
            # What follows a violation is not worth reading, but it has to be taken off
            # the socket: closing over unread bytes resets the connection, and the close
            # frame that says what was wrong would be lost.
            return
        try:
            self._dataReceived(data)
        except Exception:
            # Autobahn parses defensively, but a peer's bytes must never reach the
            # reactor as an exception.
            self._log.failure("Autobahn could not read what the client sent")
            self._session.abort()
        else:
            if self.failedByMe:
                self._session.websocket_closing()

    # -- from Autobahn

    def onOpen(self) -> None:
        self._follow_buffer()
        self._session.websocket_open(self)

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._fragments = 0

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        self._fragments += 1
        if self._fragments > _MOST_FRAGMENTS and not self.failedByMe:
            self._fail_connection(self.CLOSE_STATUS_CODE_MESSAGE_TOO_BIG, "too many fragments")

    def onMessageEnd(self) -> None:
        # Autobahn's own would also make a Deferred for listeners that we do not have.
        data, self.message_data = self.message_data, []
        if not self.failedByMe:
            self._session.message_received(b"".join(data), self.message_is_binary)

    def onPing(self, payload: bytes) -> None:
        self._session.activity()
        self._pongs.pinged(payload)

    def onPong(self, payload: bytes) -> None:
        self._session.activity()

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

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        # Autobahn's own can also trickle, and logs: a quarter of what a message costs.
        self.transport.write(data)

    def dropConnection(self, abort: bool = False) -> None:
        # Autobahn resets the connection after a clean close; the peer may not have read
        # the close frame yet.  The session's deadline sees to it that it ends.
        super().dropConnection(abort=abort and not self.wasClean)

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """The buffer is full."""
        self._pongs.hold()
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """The buffer has drained."""
        self._pongs.release()
        super().resumeProducing()

    # -- WebSocketWire

    def send_text(self, payload: bytes) -> None:
        # sendMessage would apply the limit for incoming messages to outgoing ones.
        if self.state == self.STATE_OPEN:
            self.sendFrame(opcode=_TEXT, payload=payload)

    def ping(self) -> None:
        self.sendPing()

    def close(self, code: int, reason: str) -> None:
        self.sendClose(code, reason)


class WebSocketFactory:
    """
    Makes the WebSockets of one server.

    :param reactor: given to Autobahn, which uses it for nothing with its timers off.
    :param max_message_size: bytes; a larger message closes the WebSocket with 1009.
    """

    def __init__(self, reactor: Any, max_message_size: int) -> None:
        factory = WebSocketServerFactory(server=None, reactor=reactor)
        factory.log = _ServerWebSocket.log
        factory.noisy = False
        factory.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            autoPingInterval=0,
            maxMessagePayloadSize=max_message_size,
            maxFramePayloadSize=max_message_size,
            failByDrop=False,  # tell the peer what was wrong
            utf8validateIncoming=False,  # the JSON decoder does
        )
        self._factory = factory

    def build(self, key: str, session: WebSocketSession) -> WebSocketServerProtocol:
        """
        :param key: the request's ``Sec-WebSocket-Key``.
        :return: a protocol that answers the handshake as soon as it is connected.
        """
        protocol = _ServerWebSocket(key, session)
        protocol.factory = self._factory
        return protocol
