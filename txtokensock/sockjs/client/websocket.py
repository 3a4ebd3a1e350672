"""
A WebSocket as the wire of a SockJS session: the client's home of Autobahn.

Autobahn's own timers run on the global reactor whatever reactor it is given, so
all are off, and every deadline is kept by those who use this, on their clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocolFactory, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import SockJSClosed, shorten
from ...web.tls import explain, is_tls_problem
from ..quiet import Quiet
from .session import ClientSession

__all__ = ["websocket_factory"]

_LONGEST_HANDSHAKE = 64 * 1024
_TEXT = 1

_MOST_FRAGMENTS = 10_000
"""Frames of one message.  Empty ones cost memory too, and count for no size limit."""


class _WebSocketWire(WebSocketClientProtocol):
    """
    :param session: whose frames these are.
    """

    transport: Any
    log = Quiet()
    _log = Logger()

    def __init__(self, session: ClientSession) -> None:
        super().__init__()
        self._session = session
        self._lost_by: BaseException | None = None
        self._fragments = 0
        self._full = False
        self._unanswered: bytes | None = None  # a ping that waits for room in the buffer

    def __repr__(self) -> str:
        return f"<WebSocket of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        self._session.wire_connected(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and len(self.data) > _LONGEST_HANDSHAKE:
            self.failHandshake(  # type: ignore[no-untyped-call]
                "the answer to the handshake is longer than 64 KiB"
            )
            return
        in_handshake = self.state == self.STATE_CONNECTING
        try:
            self._dataReceived(data)
        except Exception:
            # A peer's bytes must never reach the reactor as an exception.  Autobahn lets
            # some of the handshake pass unchecked, such as bytes that are no UTF-8; what
            # it raises later is a bug, of its or of ours.
            if not in_handshake:
                self._log.failure("Autobahn could not read what the server sent")
            self._session.violation("bytes that are no WebSocket")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost_by = reason.value
        super().connectionLost(reason)

    # -- from Autobahn

    def onOpen(self) -> None:
        self._session.wire_open()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary:
            self._session.violation("a binary message")
        else:
            self._session.frame_received(payload)

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)
        self._fragments = 0

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        self._fragments += 1
        if self._fragments > _MOST_FRAGMENTS:
            self._session.violation("too many fragments")

    def onPing(self, payload: bytes) -> None:
        self._session.activity()
        if self._full:
            # A server that pings and does not read must not fill the memory with pongs.
            # Only the last ping needs an answer: RFC 6455 section 5.5.3.
            self._unanswered = payload
        else:
            super().onPing(payload)

    def onPong(self, payload: bytes) -> None:
        self._session.activity()

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> Any:
        failed = super().onCloseFrame(code, reasonRaw)
        if self.wasClean:
            reason = SockJSClosed(self.remoteCloseCode or 1005, self.remoteCloseReason or "")
            self._session.wire_closing(reason)
        else:
            self._session.wire_closing()
        return failed

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        why: Exception
        if wasClean:
            why = SockJSClosed(code or 1005, reason or "")
        elif self._lost_by is not None and is_tls_problem(self._lost_by):
            why = ConnectionLost(explain(self._lost_by))
        else:
            why = ConnectionLost(shorten(self.wasNotCleanReason or "the connection was lost"))
        self._session.wire_lost(Failure(why))

    # -- Wire

    def send_frame(self, frame: bytes) -> None:
        # sendMessage would apply the limit for incoming messages to outgoing ones.
        if self.state == self.STATE_OPEN:
            self.sendFrame(opcode=_TEXT, payload=frame)

    def close(self, code: int, reason: str) -> None:
        self.sendClose(code, reason or None)

    def abort(self) -> None:
        self.transport.abortConnection()

    def pause(self) -> None:
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.transport.resumeProducing()

    def register_producer(self, producer: Any, streaming: bool) -> None:
        self.registerProducer(_Followed(self, producer) if streaming else producer, streaming)

    def unregister_producer(self) -> None:
        self.unregisterProducer()
        self.follow_buffer(full=False)

    def follow_buffer(self, *, full: bool) -> None:
        """The write buffer is full, or has room."""
        self._full = full
        if not full and self._unanswered is not None:
            payload, self._unanswered = self._unanswered, None
            super().onPing(payload)

    def peer_address(self) -> IAddress:
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def host_address(self) -> IAddress:
        return self.transport.getHost()  # type: ignore[no-any-return]


@implementer(IPushProducer)
class _Followed:
    """A producer whose wire hears of the write buffer as well."""

    def __init__(self, wire: _WebSocketWire, producer: IPushProducer) -> None:
        self._wire = wire
        self._producer = producer

    def pauseProducing(self) -> None:
        self._wire.follow_buffer(full=True)
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._wire.follow_buffer(full=False)
        self._producer.resumeProducing()

    def stopProducing(self) -> None:
        self._producer.stopProducing()


def websocket_factory(
    session: ClientSession,
    reactor: Any,
    *,
    host_header: str,
    port: int,
    resource: str,
    headers: Mapping[str, str],
    max_message_size: int,
) -> IProtocolFactory:
    """
    The factory for one WebSocket connection that carries ``session``.

    :param host_header: the host for the ``Host`` header, IPv6 in brackets.
    :param port: the port for the ``Host`` header.
    :param resource: path and query.
    :param headers: more headers for the handshake.
    :param max_message_size: bytes; a larger message ends the connection.
    """
    factory = WebSocketClientFactory(useragent=None, headers=dict(headers), reactor=reactor)
    factory.host, factory.port, factory.resource = host_header, port, resource
    factory.log = _WebSocketWire.log
    factory.noisy = False
    build: Any = lambda: _WebSocketWire(session)  # noqa: E731
    factory.protocol = build
    factory.setProtocolOptions(
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        autoPingInterval=0,
        maxMessagePayloadSize=max_message_size,
        maxFramePayloadSize=max_message_size,
        utf8validateIncoming=False,  # the JSON decoder does
    )
    return factory
