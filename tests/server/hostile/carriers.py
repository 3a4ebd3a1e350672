"""
The ways in which an attacker's messages reach the server: each is one SockJS session, with
nothing between the test and its bytes.
"""

from __future__ import annotations

import json
import struct
from typing import Any, TypeAlias

from tests.kit.http import Response, parse_response
from tests.kit.site_client import Connection
from tests.kit.websocket import CLOSE, PING, PONG, TEXT, UPGRADE, WebSocketClient
from tests.server.support import TokenServer

__all__ = ["CARRIERS", "Carrier", "RawWebSocket", "WebSocket", "Xhr", "upgraded"]

_sessions = iter(range(10**9))


def upgraded(server: TokenServer, path: str, address: str) -> WebSocketClient:
    """A WebSocket of a new client."""
    connection = server.connection(address)
    connection.request("GET", path, UPGRADE)
    return WebSocketClient(connection)


class WebSocket:
    """
    A session over a WebSocket.

    :ivar closed: code and reason of the ``c`` frame, or None.
    :ivar websocket_closed: those of the WebSocket's close frame, or None.
    """

    path = "/sockets/000/{}/websocket"
    framed = True

    def __init__(self, server: TokenServer, address: str = "10.6.6.6") -> None:
        self.server = server
        self.client = upgraded(server, self.path.format(f"evil{next(_sessions)}"), address)
        self.closed: tuple[int, str] | None = None
        self.websocket_closed: tuple[int, str] | None = None
        self._texts: list[str] = []
        self._read()

    def send(self, *texts: str) -> None:
        """Send messages, in one frame."""
        self.body(json.dumps(texts).encode())

    def body(self, body: bytes) -> Response | None:
        """Send what may be a SockJS frame."""
        self.client.send(body)
        return None

    def texts(self) -> list[str]:
        """The messages that came since this was last asked."""
        self.server.turn()
        self._read()
        texts, self._texts = self._texts, []
        return texts

    def leave(self) -> None:
        """Go without a word."""
        self.client.connection.drop()

    def _read(self) -> None:
        for opcode, payload in self.client.frames():
            if opcode == TEXT:
                self._frame(payload)
            elif opcode == PING and not self.client.tcp.lost:
                self.client.send(payload, PONG)
            elif opcode == CLOSE:
                (code,) = struct.unpack("!H", payload[:2])
                self.websocket_closed = code, payload[2:].decode()

    def _frame(self, frame: bytes) -> None:
        if frame[:1] == b"a":
            self._texts += json.loads(frame[1:])
        elif frame[:1] == b"c":
            code, reason = json.loads(frame[1:])
            self.closed = code, reason


class RawWebSocket(WebSocket):
    """The same without SockJS frames: a WebSocket message is a message."""

    path = "/sockets/websocket"
    framed = False

    def send(self, *texts: str) -> None:
        """Send messages."""
        for text in texts:
            if not self.client.tcp.disconnecting:
                self.client.send(text)

    def _read(self) -> None:
        super()._read()
        self.closed = self.websocket_closed

    def _frame(self, frame: bytes) -> None:
        self._texts.append(frame.decode())


class Xhr:
    """A session over ``xhr`` and ``xhr_send``: a poll is open whenever nothing comes."""

    framed = True

    def __init__(self, server: TokenServer, address: str = "10.6.6.6") -> None:
        self.server = server
        self.address = address
        self.path = f"/sockets/000/evil{next(_sessions)}"
        self.closed: tuple[int, str] | None = None
        self._texts: list[str] = []
        self._poll: Connection | None = None
        self._read()

    def send(self, *texts: str) -> None:
        """Send messages, in one request."""
        response = self.body(json.dumps(texts).encode())
        assert response.status == 204, response

    def body(self, body: bytes) -> Response:
        """Send what may be a SockJS frame."""
        connection = self.server.connection(self.address)
        connection.request("POST", f"{self.path}/xhr_send", body=body)
        self.server.turn()
        return connection.response()

    def texts(self) -> list[str]:
        """The messages that came since this was last asked."""
        self._read()
        texts, self._texts = self._texts, []
        return texts

    def leave(self) -> None:
        """Go without a word."""
        if self._poll is not None:
            self._poll.drop()

    def _read(self) -> None:
        while self.closed is None:
            if self._poll is None:
                self._poll = self.server.connection(self.address)
                self._poll.request("POST", f"{self.path}/xhr")
            self.server.turn()
            response = parse_response(self._poll.tcp.value())
            if not response.complete:
                break
            self._poll = None
            assert response.status == 200, response
            self._frame(response.body)

    def _frame(self, frame: bytes) -> None:
        if frame[:1] == b"a":
            self._texts += json.loads(frame[1:])
        elif frame[:1] == b"c":
            code, reason = json.loads(frame[1:])
            self.closed = code, reason


Carrier: TypeAlias = WebSocket | RawWebSocket | Xhr

CARRIERS: dict[str, Any] = {"websocket": WebSocket, "raw_websocket": RawWebSocket, "xhr": Xhr}
