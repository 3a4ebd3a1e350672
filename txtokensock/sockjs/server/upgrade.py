"""
From an HTTP request to a WebSocket: RFC 6455, section 4.2.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import HTTPChannel, Request
from twisted.web.server import NOT_DONE_YET

from ...support.portable import Portable
from ...web.server.answers import Answer, answer
from ...web.server.header_text import header

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

    def __init__(self, text: str, status: int = http.BAD_REQUEST) -> None:
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


def take_over(request: Request, protocol: IProtocol) -> Answer:
    """
    Give the request's connection to a protocol that speaks the server's part of a
    WebSocket: the answer to the handshake, and all that follows.

    :return: what ``render`` returns.
    """
    channel: Any = request.channel
    transport = channel.transport
    http_connection_lost = channel.connectionLost

    def connection_lost(reason: Failure) -> None:
        protocol.connectionLost(reason)
        http_connection_lost(reason)  # fires notifyFinish, and tells the site
        # A circle would keep the transport, and with it what was written and not read.
        del channel.dataReceived, channel.rawDataReceived, channel.connectionLost

    # The channel is a producer: it pauses reading while its responses are not read.
    transport.unregisterProducer()
    # Twisted calls rawDataReceived with what came in the same read as the request.
    channel.dataReceived = channel.rawDataReceived = protocol.dataReceived
    channel.connectionLost = connection_lost
    if not request.notifications:
        # Nobody waits for its end, and with its headers it has some kilobytes.
        channel.requests.remove(request)
    protocol.makeConnection(transport)
    return NOT_DONE_YET


def _tokens(request: Request, name: bytes) -> set[str]:
    values = request.requestHeaders.getRawHeaders(name, [])
    text = b",".join(values).decode("utf-8", "replace")
    return {token.strip().lower() for token in text.split(",")}
