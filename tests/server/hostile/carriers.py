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
from tests.kit.sockjs import ReceivedFrames
from tests.kit.websocket import CLOSE, PING, PONG, TEXT, UPGRADE, WebSocketClient
from tests.server.support import TokenServer

__all__ = ["CARRIERS", "Carrier", "RawWebSocket", "WebSocket", "Xhr", "upgraded"]

_sessions = iter(range(10**9))


def upgraded(server: TokenServer, path: str, address: str) -> WebSocketClient:
    """A WebSocket of a new client."""
    connection = server.connection(address)
    connection.request("GET", path, UPGRADE)
    return WebSocketClient(connection)


class WebSocket(ReceivedFrames):
    """
    A session over a WebSocket.

    :ivar websocket_closed: those of the WebSocket's close frame, or None.
    """

    path = "/sockets/000/{}/websocket"
    framed = True

    def __init__(self, server: TokenServer, address: str = "10.6.6.6") -> None:
        super().__init__()
        self.server = server
        self.client = upgraded(server, self.path.format(f"evil{next(_sessions)}"), address)
        self.websocket_closed: tuple[int, str] | None = None
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
        return self.take_messages()

    def leave(self) -> None:
        """Go without a word."""
        self.client.connection.drop()

    def _read(self) -> None:
        for opcode, payload in self.client.frames():
            if opcode == TEXT:
                self.read_frame(payload)
            elif opcode == PING and not self.client.tcp.lost:
                self.client.send(payload, PONG)
            elif opcode == CLOSE:
                (code,) = struct.unpack("!H", payload[:2])
                self.websocket_closed = code, payload[2:].decode()


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

    def read_frame(self, frame: bytes) -> None:
        """There are none."""
        self.messages.append(frame.decode())


class Xhr(ReceivedFrames):
    """A session over ``xhr`` and ``xhr_send``: a poll is open whenever nothing comes."""

    framed = True

    def __init__(self, server: TokenServer, address: str = "10.6.6.6") -> None:
        super().__init__()
        self.server = server
        self.address = address
        self.path = f"/sockets/000/evil{next(_sessions)}"
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
        return self.take_messages()

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
            self.read_frame(response.body)


Carrier: TypeAlias = WebSocket | RawWebSocket | Xhr

CARRIERS: dict[str, Any] = {"websocket": WebSocket, "raw_websocket": RawWebSocket, "xhr": Xhr}
