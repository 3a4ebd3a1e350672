"""
A WebSocket that moves the frames of a SockJS session: the client's home of Autobahn.

Autobahn's own timers run on the global reactor whatever reactor it is given, so
all are off, and every deadline is kept by those who use this, on their clock.
"""

from __future__ import annotations

import re
from typing import Any

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol, IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import InvalidData, SockJSClosed, shorten
from ...support.quiet_log import Quiet
from ...support.timer import Timer
from ...web.client.http_context import HTTPContext
from ...web.tls.policy import is_tls_problem
from ..frames import encode_client_frame
from ..pongs import Pongs
from .refusals import refused
from .session import ClientSession
from .session_target import SessionTarget

__all__ = ["open_raw_websocket", "open_websocket"]

_LONGEST_HANDSHAKE = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([0-9]{3})(?![0-9])")
_SET_COOKIE = re.compile(rb"\r\nset-cookie:[ \t]*([^\r\n]*)", re.IGNORECASE)
_TEXT = 1

_HEARTBEAT = 25.0
"""Seconds between our pings where the server sends none; the interval of SockJS servers."""

_MOST_FRAGMENTS = 10_000
"""Frames of one message.  Empty ones cost memory too, and count for no size limit."""


class _ClientWebSocket(WebSocketClientProtocol):
    """
    :param session: whose frames these are.
    :param http_context: keeps the cookies that the answer to the handshake sets.
    :param url: what was asked in the handshake.
    """

    transport: Any
    log = Quiet()
    _log = Logger()

    def __init__(self, session: ClientSession, http_context: HTTPContext, url: str) -> None:
        super().__init__()
        self._session = session
        self._http_context = http_context
        self._url = url
        self._lost_by: BaseException | None = None
        self._fragments = 0
        self._pongs = Pongs(super().onPing)

    def __repr__(self) -> str:
        return f"<WebSocket of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        self._session.connection_made(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CLOSED:
            return  # Autobahn would keep it
        if self.state == self.STATE_CONNECTING and len(self.data) > _LONGEST_HANDSHAKE:
            self.failHandshake("the answer to the handshake is longer than 64 KiB")
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

    def processHandshake(self) -> None:
        head, end, _ = bytes(self.data).partition(b"\r\n\r\n")
        if end:  # Autobahn joins several headers of one name, which cookies do not survive
            self._http_context.take_cookies(self._url, _SET_COOKIE.findall(head))
        super().processHandshake()  # type: ignore[no-untyped-call]

    def failHandshake(self, reason: str) -> None:
        found = _STATUS.match(getattr(self, "http_status_line", ""))
        if found is not None and found[1] != "101":
            headers = self.http_headers
            refusal = refused(
                "the WebSocket handshake", int(found[1]), lambda name: headers.get(name, "")
            )
            self._session.connection_closing(refusal)
            # A reset ends a process that runs sockjs-node 0.3.24 without WebSockets.
            self.dropConnection(abort=False)
        else:
            super().failHandshake(reason)  # type: ignore[no-untyped-call]

    def onOpen(self) -> None:
        self._session.connection_open()

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
        self._pongs.pinged(payload)

    def onPong(self, payload: bytes) -> None:
        self._session.activity()

    def onCloseFrame(self, code: Any, reasonRaw: Any) -> Any:
        failed = super().onCloseFrame(code, reasonRaw)
        if self.wasClean:
            reason = SockJSClosed(self.remoteCloseCode or 1005, self.remoteCloseReason or "")
            self._session.connection_closing(reason)
        else:
            self._session.connection_closing()
        return failed

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        why: BaseException
        if wasClean:
            why = SockJSClosed(code or 1005, reason or "")
        elif self._lost_by is not None and is_tls_problem(self._lost_by):
            why = self._lost_by
        else:
            why = ConnectionLost(shorten(self.wasNotCleanReason or "the connection was lost"))
        self._session.connection_lost(Failure(why))

    # -- FrameConnection

    def send(self, messages: list[bytes]) -> None:
        self._send_text(encode_client_frame(messages))

    def _send_text(self, payload: bytes) -> None:
        # sendMessage would apply the limit for incoming messages to outgoing ones.
        if self.state == self.STATE_OPEN:
            self.sendFrame(opcode=_TEXT, payload=payload)

    def close(self, code: int, reason: str) -> None:
        self.sendClose(code, reason or None)

    def end(self) -> None:
        self.sendClose(1000)

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
        if full:
            self._pongs.hold()
        else:
            self._pongs.release()

    def peer_address(self) -> IAddress:
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def host_address(self) -> IAddress:
        return self.transport.getHost()  # type: ignore[no-any-return]


class _RawClientWebSocket(_ClientWebSocket):
    """
    A WebSocket without SockJS frames: a WebSocket message is a message, and the session is
    open as soon as the WebSocket is.  sockjs-node sends no heartbeat there, so that it is
    for us to ask whether the server lives, and to keep what is in between from taking the
    connection for idle.
    """

    def __init__(self, session: ClientSession, http_context: HTTPContext, url: str) -> None:
        super().__init__(session, http_context, url)
        self._beat = Timer(http_context.reactor, self._on_beat)

    def onOpen(self) -> None:
        super().onOpen()
        self._beat.start(_HEARTBEAT)
        self._session.session_open()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        if isBinary or not _is_text(payload):
            self._session.violation("a message that is no text in UTF-8")
        else:
            self._session.message_received(payload)

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._beat.stop()
        super().onClose(wasClean, code, reason)

    def send(self, messages: list[bytes]) -> None:
        if not all(map(_is_text, messages)):
            raise InvalidData("a SockJS message must be text in UTF-8")
        for message in messages:
            self._send_text(message)

    def _on_beat(self) -> None:
        self._beat.start(_HEARTBEAT)
        if not self._pongs.held:  # pings would fill a buffer that the server does not empty
            self.sendPing()


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


@implementer(IPushProducer)
class _Followed:
    """A producer whose WebSocket hears of the write buffer as well."""

    def __init__(self, websocket: _ClientWebSocket, producer: IPushProducer) -> None:
        self._websocket = websocket
        self._producer = producer

    def pauseProducing(self) -> None:
        self._websocket.follow_buffer(full=True)
        self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        self._websocket.follow_buffer(full=False)
        self._producer.resumeProducing()

    def stopProducing(self) -> None:
        self._producer.stopProducing()


def open_websocket(session: ClientSession, target: SessionTarget) -> Deferred[IProtocol]:
    """
    Carry a session over a WebSocket with SockJS frames.

    :return: fires when the connection is made; the session says how it goes from there.
    """
    return _connect(_ClientWebSocket, session, target, f"{target.new_session()}/websocket")


def open_raw_websocket(session: ClientSession, target: SessionTarget) -> Deferred[IProtocol]:
    """The same without SockJS frames; the session has no name."""
    return _connect(_RawClientWebSocket, session, target, "/websocket")


def _connect(
    websocket: type[_ClientWebSocket], session: ClientSession, target: SessionTarget, path: str
) -> Deferred[IProtocol]:
    address, url = target.address, target.url(path)
    factory = WebSocketClientFactory(
        useragent=None, headers=target.request_headers(url), reactor=target.http_context.reactor
    )
    factory.host = f"[{address.host}]" if ":" in address.host else address.host
    factory.port, factory.resource = address.port, f"{address.prefix}{path}"
    factory.log = _ClientWebSocket.log
    factory.noisy = False
    build: Any = lambda: websocket(session, target.http_context, url)  # noqa: E731
    factory.protocol = build
    factory.setProtocolOptions(
        openHandshakeTimeout=0,
        closeHandshakeTimeout=0,
        serverConnectionDropTimeout=0,
        autoPingInterval=0,
        maxMessagePayloadSize=target.max_message_size,
        maxFramePayloadSize=target.max_message_size,
        utf8validateIncoming=False,  # it is checked with the frame
    )
    endpoint = target.http_context.dialer.endpoint(
        address.host, address.port, secure=address.secure
    )
    return endpoint.connect(factory)
