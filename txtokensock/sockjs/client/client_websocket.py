"""
A WebSocket that moves the frames of a client's SockJS session, made of Autobahn's.

What it uses of Autobahn that is not public is listed in :mod:`~txtokensock.sockjs.websocket`.
"""

from __future__ import annotations

import re
from typing import Any, cast

from autobahn.twisted.websocket import WebSocketClientFactory, WebSocketClientProtocol
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...address import url_host
from ...errors import InvalidData, SockJSClosed, shorten
from ...support.timer import Timer
from ...web.client.http_context import HTTPContext
from ...web.tls.policy import is_tls_problem
from ..frames import encode_client_frame
from ..producer import ProducerFlow
from ..text_frames import TextFrameReader, masked_text_frame
from ..websocket import TIMERS_OFF, WebSocketConnection
from .refusals import refused
from .session import ClientSession
from .session_target import SessionTarget

__all__ = ["open_raw_websocket", "open_websocket"]

_LONGEST_HANDSHAKE = 64 * 1024
_STATUS = re.compile(r"HTTP/1\.[01] ([0-9]{3})(?![0-9])")
_INTERIM = re.compile(rb"HTTP/1\.1 1(?!01)[0-9]{2}[ \r]")
"""Such as 100 Continue and 103 Early Hints, which an answer may follow: RFC 9110, section 15.2."""
_IMPOSSIBLE = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\n[^:\r\n]*[^\0-~][^:\r\n]*:")
"""Characters that are in no head, and names that are not in ASCII: RFC 9110, section 5."""
_HOST = re.compile(rb"\r\nHost: [^\r]*")
_SET_COOKIE = re.compile(rb"\r\nset-cookie:[ \t]*([^\r\n]*)", re.IGNORECASE)

_HEARTBEAT = 25.0
"""Seconds between our pings where the server sends none; the interval of SockJS servers."""


# mypy compares Autobahn's own bases as soon as there is a further one, and they differ.
class _ClientWebSocket(WebSocketConnection, WebSocketClientProtocol):  # type: ignore[misc]
    """
    One WebSocket, from the TCP connection to its end.

    :param session: gets the frames.
    :param http_context: keeps the cookies that the answer to the handshake sets.
    :param url: of the handshake's request.
    :param host: the value of its ``Host``.
    :param max_message_size: bytes of a message.
    """

    most_fragments = 10_000

    def __init__(
        self,
        session: ClientSession,
        http_context: HTTPContext,
        url: str,
        host: str,
        max_message_size: int,
    ) -> None:
        super().__init__(TextFrameReader(masked=False, limit=max_message_size))
        self._session = session
        self._http_context = http_context
        self._url = url
        self._host = host
        self._handshake_size = 0
        self._lost_by: BaseException | None = None
        self._flow = ProducerFlow(http_context.reactor)

    def __repr__(self) -> str:
        return f"<WebSocket of {self._session!r}>"

    # -- from Twisted

    def connectionMade(self) -> None:
        self._session.connection_made(self)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CLOSED:
            return  # Autobahn would keep it
        in_handshake = self.state == self.STATE_CONNECTING
        if in_handshake and self._handshake_size > _LONGEST_HANDSHAKE:
            self.failHandshake("the answer to the handshake is longer than 64 KiB")
            return
        if in_handshake:
            self._handshake_size += len(data)
        self._session.bytes_received(len(data))
        self._session.read_begins()
        try:
            self.bytes_received(data)
        except Exception:
            # No bytes from a peer may reach the reactor as an exception.  Autobahn lets
            # some of the handshake pass unchecked, such as bytes that are not UTF-8; what
            # it raises later is a bug, of its or of ours.
            if not in_handshake:
                self._log.failure(
                    "Autobahn could not read what the server sent", event="sockjs.failed"
                )
            self._session.violation("bytes that are not WebSocket frames")
        self._session.read_ends()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost_by = reason.value
        super().connectionLost(reason)

    # -- from Autobahn

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        if self.state == self.STATE_CONNECTING:
            # Autobahn's own names the port always, and would be the second of two where the
            # user has set one.
            host = b"\r\nHost: " + self._host.encode()
            data = _HOST.sub(lambda _: host, data, count=1)
        super().sendData(data)

    def processHandshake(self) -> None:
        head, end, rest = bytes(self.data).partition(b"\r\n\r\n")
        while end and _INTERIM.match(head):
            self._http_context.take_cookies(self._url, _SET_COOKIE.findall(head))
            self.data = rest
            head, end, rest = rest.partition(b"\r\n\r\n")
        if not end:
            return
        # Autobahn joins several headers of one name, which cookies do not survive, and reads
        # UTF-8 alone.
        self._http_context.take_cookies(self._url, _SET_COOKIE.findall(head))
        if _IMPOSSIBLE.search(head):
            raise ValueError("not the head of an answer")
        self.data = head.decode("latin-1").encode() + end + rest
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
        self.follow_buffer()
        self._session.connection_open()

    def texts_received(self, payloads: list[bytes]) -> None:
        self._session.frames_received(payloads)

    def binary_received(self, _: bytes) -> None:
        self._session.violation("a binary message")

    def activity(self) -> None:
        self._session.activity()

    def too_many_fragments(self) -> None:
        self._session.violation("too many fragments")

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
        elif self.wasMaxMessagePayloadSizeExceeded:
            limit = self.maxMessagePayloadSize
            why = ConnectionLost(
                f"the server sent a message of more than max_message_size={limit} bytes"
            )
        else:
            why = ConnectionLost(shorten(self.wasNotCleanReason or "the connection was lost"))
        self._flow.stop()
        self._session.connection_lost(Failure(why))

    # -- FrameConnection, with what both sides have

    def send(self, messages: list[bytes]) -> None:
        self.send_frame(masked_text_frame(encode_client_frame(messages)))

    def end(self) -> None:
        self.sendClose(1000)

    def register_producer(self, producer: Any, streaming: bool) -> None:
        self._flow.register(producer, streaming)

    def unregister_producer(self) -> None:
        self._flow.unregister()

    def buffer_full(self) -> None:
        self._flow.hold()

    def buffer_drained(self) -> None:
        self._flow.release()

    def peer_address(self) -> IAddress:
        return self.transport.getPeer()  # type: ignore[no-any-return]

    def host_address(self) -> IAddress:
        return self.transport.getHost()  # type: ignore[no-any-return]


class _RawClientWebSocket(_ClientWebSocket):
    """
    A WebSocket without SockJS frames: a WebSocket message is a message, and the session is
    open as soon as the WebSocket is.  sockjs-node sends no heartbeat there.  So pings go out
    from here: they show whether the server is alive, and proxies do not take the connection
    for idle.
    """

    def __init__(
        self,
        session: ClientSession,
        http_context: HTTPContext,
        url: str,
        host: str,
        max_message_size: int,
    ) -> None:
        super().__init__(session, http_context, url, host, max_message_size)
        self._beat = Timer(http_context.reactor, self._on_beat)

    def onOpen(self) -> None:
        super().onOpen()
        self._beat.start(_HEARTBEAT)
        self._session.session_open()

    def texts_received(self, payloads: list[bytes]) -> None:
        for payload in payloads:
            if _is_text(payload):
                self._session.message_received(payload)
            else:
                self.binary_received(payload)

    def binary_received(self, _: bytes) -> None:
        self._session.violation("a message that is not text in UTF-8")

    def onClose(self, wasClean: bool, code: int | None, reason: str | None) -> None:
        self._beat.stop()
        super().onClose(wasClean, code, reason)

    def send(self, messages: list[bytes]) -> None:
        if not all(map(_is_text, messages)):
            raise InvalidData("a SockJS message must be text in UTF-8")
        for message in messages:
            self.send_frame(masked_text_frame(message))

    def _on_beat(self) -> None:
        self._beat.start(_HEARTBEAT)
        if not self.buffer_is_full:  # pings would fill a buffer that the server does not empty
            self.ping()


def _is_text(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


def open_websocket(session: ClientSession, target: SessionTarget) -> Deferred[IProtocol]:
    """
    Open a session over a WebSocket with SockJS frames.

    :return: fires when the TCP connection is made; from then on ``ready`` and ``opened`` of
        the session tell how the attempt goes.
    """
    return _connect(_ClientWebSocket, session, target, f"{target.new_session()}/websocket")


def open_raw_websocket(session: ClientSession, target: SessionTarget) -> Deferred[IProtocol]:
    """Open a session over a WebSocket without SockJS frames; it has no name in the URL."""
    return _connect(_RawClientWebSocket, session, target, "/websocket")


def _connect(
    websocket: type[_ClientWebSocket], session: ClientSession, target: SessionTarget, path: str
) -> Deferred[IProtocol]:
    address, url = target.address, target.url(path)
    headers = target.request_headers(url)
    names = [name for name in headers if name.lower() == "host"]
    host = headers.pop(names[0]) if names else address.host_header
    factory = WebSocketClientFactory(
        useragent=None, headers=headers, reactor=target.http_context.reactor
    )
    factory.host = url_host(address.host)
    factory.port, factory.resource = address.port, f"{address.prefix}{path}"
    factory.log = _ClientWebSocket.log
    factory.noisy = False
    limit = target.max_message_size

    def build() -> _ClientWebSocket:
        made = websocket(session, target.http_context, url, host, limit)
        # Autobahn would compose a debug message of what it copies from the factory, which takes
        # longer than the handshake.
        vars(made).update((name, getattr(factory, name)) for name in made.CONFIG_ATTRS)
        made.CONFIG_ATTRS = []
        return made

    factory.protocol = cast(Any, build)
    factory.setProtocolOptions(
        **TIMERS_OFF,
        serverConnectionDropTimeout=0,
        maxMessagePayloadSize=limit,
        maxFramePayloadSize=limit,
        utf8validateIncoming=False,  # it is checked with the frame
    )
    endpoint = target.http_context.dialer.endpoint(
        address.host, address.port, secure=address.secure
    )
    return endpoint.connect(factory)
