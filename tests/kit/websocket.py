"""
The client's end of a WebSocket, frame by frame.
"""

from __future__ import annotations

import struct

from .site_client import Connection

KEY = "x3JJHMbDL1EzLkh9GBhXDw=="
ACCEPT = "HSmrc0sMlYUkAGmm5OPpG2HaGWk="

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class WebSocketClient:
    """The client's end of a WebSocket, frame by frame."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.tcp = connection.tcp
        self._unread = b""

    def send(self, text: str | bytes, opcode: int = TEXT, *, final: bool = True) -> None:
        """Send one frame."""
        self.connection.send(encode_frame(text, opcode, final=final))

    def close(self, code: int = 1000) -> None:
        """Send a close frame."""
        self.send(struct.pack("!H", code), CLOSE)

    def frames(self) -> list[tuple[int, bytes]]:
        """The frames that came, as (opcode, payload)."""
        data = self._unread + self.connection.take()
        frames = []
        while len(data) >= 2:
            length, start = data[1] & 127, 2
            if length == 126:
                length, start = struct.unpack("!H", data[2:4])[0], 4
            elif length == 127:
                length, start = struct.unpack("!Q", data[2:10])[0], 10
            if len(data) < start + length:
                break
            frames.append((data[0] & 15, data[start : start + length]))
            data = data[start + length :]
        self._unread = data
        return frames

    def texts(self) -> list[str]:
        """The text messages that came; anything else is an error."""
        frames = self.frames()
        assert all(opcode == TEXT for opcode, _ in frames), frames
        return [payload.decode() for _, payload in frames]


def encode_frame(text: str | bytes, opcode: int, *, final: bool = True) -> bytes:
    """A masked WebSocket frame; the mask is zero, so that tests can be read."""
    payload = text.encode() if isinstance(text, str) else text
    first = bytes([(0x80 if final else 0) | opcode])
    if len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + struct.pack("!H", len(payload))
    else:
        length = b"\xff" + struct.pack("!Q", len(payload))
    return first + length + b"\0\0\0\0" + payload


def close_frame(code: int, reason: str = "") -> tuple[int, bytes]:
    """A close frame as :meth:`WebSocketClient.frames` gives it."""
    return CLOSE, struct.pack("!H", code) + reason.encode()
