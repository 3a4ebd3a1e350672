"""
The client's end of a WebSocket, frame by frame.
"""

from __future__ import annotations

import struct

from txtokensock.testing import rfc6455
from txtokensock.testing.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, FrameReader

from .site_client import Connection

__all__ = [
    "ACCEPT",
    "BINARY",
    "CLOSE",
    "KEY",
    "PING",
    "PONG",
    "TEXT",
    "UPGRADE",
    "WebSocketClient",
    "close_frame",
    "encode_frame",
]

KEY = "x3JJHMbDL1EzLkh9GBhXDw=="
ACCEPT = "HSmrc0sMlYUkAGmm5OPpG2HaGWk="

UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
"""The headers of a request for a WebSocket."""


class WebSocketClient:
    """
    The client's end of a WebSocket, frame by frame.

    :param connection: it has asked for a WebSocket, and got it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.tcp = connection.tcp
        self._reader = FrameReader(masked=False)
        head, _, frames = connection.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        self._unread = self._reader.feed(frames)

    def send(self, text: str | bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        """Send one frame."""
        self.connection.send(encode_frame(text, opcode, final=final))

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self.send(struct.pack("!H", code), CLOSE)

    def frames(self) -> list[tuple[int, bytes]]:
        """The frames that came, as (opcode, payload)."""
        frames = self._unread + self._reader.feed(self.connection.take())
        self._unread = []
        return frames

    def texts(self) -> list[str]:
        """The text messages that came; anything else is an error."""
        frames = self.frames()
        assert all(opcode == TEXT for opcode, _ in frames), frames
        return [payload.decode() for _, payload in frames]


def encode_frame(text: str | bytes, opcode: int, *, final: bool = True) -> bytes:
    """A client's frame, which has a mask."""
    payload = text.encode() if isinstance(text, str) else text
    return rfc6455.encode_frame(payload, opcode, final=final, masked=True)


def close_frame(code: int, reason: str = "") -> tuple[int, bytes]:
    """A close frame as :meth:`WebSocketClient.frames` gives it."""
    return CLOSE, struct.pack("!H", code) + reason.encode()
