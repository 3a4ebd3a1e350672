"""
The server's half of a WebSocket, without manners: it sends what it is told to, so that
a client can be tested against servers that break the rules.
"""

from __future__ import annotations

import base64
import hashlib
import struct

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "FrameReader", "accept_key", "encode_frame"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """``Sec-WebSocket-Accept`` for ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def encode_frame(payload: bytes, opcode: int = TEXT, *, final: bool = True) -> bytes:
    """A server's frame, which has no mask."""
    first = bytes([(0x80 if final else 0) | opcode])
    size = len(payload)
    if size < 126:
        return first + bytes([size]) + payload
    if size < 65536:
        return first + b"\x7e" + struct.pack("!H", size) + payload
    return first + b"\x7f" + struct.pack("!Q", size) + payload


class FrameReader:
    """Takes a client's bytes apart."""

    def __init__(self) -> None:
        self._unread = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """
        :return: the frames that are complete now, as (opcode, payload).
        """
        self._unread += data
        frames = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> tuple[int, bytes] | None:
        data = self._unread
        if len(data) < 2:
            return None
        size, start = data[1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            start += width
            if len(data) < start:
                return None
            size = int.from_bytes(data[2:start], "big")
        if not data[1] & 0x80:
            raise AssertionError("a client must mask its frames")
        end = start + 4 + size
        if len(data) < end:
            return None
        mask = data[start : start + 4] * (size // 4 + 1)
        masked = int.from_bytes(data[start + 4 : end], "big")
        payload = masked ^ int.from_bytes(mask[:size], "big")
        self._unread = data[end:]
        return data[0] & 0x0F, payload.to_bytes(size, "big")
