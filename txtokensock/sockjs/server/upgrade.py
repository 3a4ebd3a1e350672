"""
From an HTTP request to a WebSocket: RFC 6455, section 4.2.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.interfaces import IProtocol, ITransport
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, HTTPChannel, Request
from twisted.web.server import NOT_DONE_YET
from zope.interface import implementer

from ...support.portable import Portable
from ...web.server.answers import Answer, answer
from ...web.server.bounded_channel import BoundedChannel
from ...web.server.header_text import header
from ...web.server.site import BoundedSite

__all__ = ["BadUpgrade", "refuse_upgrade", "take_over", "websocket_key"]

_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")

_VERSION = "13"
"""The version of RFC 6455; the drafts before it had others, or none."""

UPGRADE_REQUIRED = 426
"""RFC 9110, section 15.5.22; twisted.web has no name for it."""


class BadUpgrade(Portable):
    """
    A request does not open a WebSocket.  The texts are those of sockjs-node, where it has one.

    :ivar status: of the answer.
    """

    def __init__(self, text: str, status: int = BAD_REQUEST) -> None:
        super().__init__(text)
        self.status = status


def websocket_key(request: Request) -> str:
    """
    Check a handshake: RFC 6455, section 4.2.1.

    :return: the request's ``Sec-WebSocket-Key``.
    :raises BadUpgrade: if it is not a valid handshake.
    """
    if request.clientproto != b"HTTP/1.1" or not isinstance(request.channel, HTTPChannel):
        raise BadUpgrade("WebSocket needs HTTP/1.1.")
    if "websocket" not in _tokens(request, b"upgrade"):
        raise BadUpgrade('Can "Upgrade" only to "WebSocket".')
    # Firefox 6 sends "keep-alive, Upgrade".
    if "upgrade" not in _tokens(request, b"connection"):
        raise BadUpgrade('"Connection" must be "Upgrade".')
    if header(request, b"sec-websocket-version") != _VERSION:
        raise BadUpgrade("Only supported WebSocket protocol is RFC 6455.", UPGRADE_REQUIRED)
    key = (header(request, b"sec-websocket-key") or "").strip()
    if not _KEY.fullmatch(key):
        raise BadUpgrade("Not a valid websocket request")
    return key


def refuse_upgrade(request: Request, problem: BadUpgrade) -> Answer:
    """
    Answer a request that does not open a WebSocket.  The answer names the version that would
    (RFC 6455, section 4.2.2), and a 426 the protocol to upgrade to (RFC 9110, section 15.5.22).
    """
    request.setHeader(b"sec-websocket-version", _VERSION.encode())
    if problem.status == UPGRADE_REQUIRED:
        request.setHeader(b"upgrade", b"websocket")
        request.responseHeaders.addRawHeader(b"connection", b"Upgrade")
    return answer(request, problem.status, str(problem))


@implementer(IProtocol)
class _Upgraded:
    """
    A connection that was HTTP, and is a WebSocket.  It is all that is left of HTTP: its channel
    and its request have some kilobytes.

    :param request: which opened the WebSocket, if somebody waits for its end.
    :param site: counts the connection, if it counts any.
    """

    __slots__ = ("_request", "_site", "_websocket", "dataReceived", "transport")

    def __init__(
        self, websocket: IProtocol, request: Request | None, site: BoundedSite | None
    ) -> None:
        self._websocket = websocket
        self._request = request
        self._site = site
        self.transport: Any = None
        self.dataReceived = websocket.dataReceived

    def makeConnection(self, transport: ITransport) -> None:
        """Become the protocol of a transport."""
        self.transport = transport
        if isinstance(transport, ProtocolWrapper):
            transport.wrappedProtocol = self
        elif hasattr(transport, "protocol"):
            transport.protocol = self
        self._websocket.makeConnection(transport)

    def connectionMade(self) -> None:
        """Do nothing: the connection has been there before."""

    def connectionLost(self, reason: Failure) -> None:
        """Tell the WebSocket, and what was told of the end of the HTTP connection."""
        self._websocket.connectionLost(reason)
        self.transport = None
        if self._site is not None:
            self._site.closed(self)
        if self._request is not None:
            self._request.connectionLost(reason)

    def loseConnection(self) -> None:
        """Close when all that was written has left."""
        self.transport.loseConnection()


def take_over(request: Request, protocol: IProtocol) -> Answer:
    """
    Give the request's connection to a protocol that speaks the server's part of a
    WebSocket: the answer to the handshake, and all that follows.

    :return: what ``render`` returns.
    """
    channel: Any = request.channel
    transport = channel.transport
    awaited = request if request.notifications else None
    site = channel.site if isinstance(channel, BoundedChannel) else None
    upgraded = _Upgraded(protocol, awaited, site)
    # The channel is a producer: it pauses reading while its responses are not read.
    transport.unregisterProducer()
    # What came in the same read as the request is still the channel's, and all that follows is
    # where the transport is none of Twisted's.
    channel.dataReceived = channel.rawDataReceived = protocol.dataReceived
    channel.connectionLost = upgraded.connectionLost
    if isinstance(channel, BoundedChannel):
        channel.taken_over(upgraded)
    channel.requests.remove(request)
    upgraded.makeConnection(transport)
    return NOT_DONE_YET


def _tokens(request: Request, name: bytes) -> set[str]:
    values = request.requestHeaders.getRawHeaders(name, [])
    text = b",".join(values).decode("utf-8", "replace")
    return {token.strip().lower() for token in text.split(",")}
