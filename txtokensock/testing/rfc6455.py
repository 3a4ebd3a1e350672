"""
The frames of a WebSocket, unchecked: what is sent is what a test says, so that a peer
can be tested against others that break the rules.
"""

from __future__ import annotations

import base64
import hashlib
import struct

__all__ = ["BINARY", "CLOSE", "PING", "PONG", "TEXT", "FrameReader", "accept_key", "encode_frame"]

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def accept_key(key: str) -> str:
    """The ``Sec-WebSocket-Accept`` that answers a ``Sec-WebSocket-Key``."""
    return base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()


def encode_frame(
    payload: bytes, opcode: int = TEXT, *, final: bool = True, masked: bool = False
) -> bytes:
    """
    One frame.

    :param masked: whether it has a mask, as a client's must, and a server's must not.  The mask
        is zero, so that the payload can be read.
    """
    first = bytes([(0x80 if final else 0) | opcode])
    flag, mask = (0x80, b"\0\0\0\0") if masked else (0, b"")
    size = len(payload)
    if size < 126:
        length = bytes([flag | size])
    elif size < 65536:
        length = bytes([flag | 126]) + struct.pack("!H", size)
    else:
        length = bytes([flag | 127]) + struct.pack("!Q", size)
    return first + length + mask + payload


class FrameReader:
    """
    Splits the bytes of one end into frames.

    :param masked: whether these frames must have a mask, as a client's must.
    """

    def __init__(self, *, masked: bool = True) -> None:
        self._masked = masked
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
        if bool(data[1] & 0x80) is not self._masked:
            raise AssertionError("a client must mask its frames, a server must not")
        width = 4 if self._masked else 0
        mask, start = data[start : start + width], start + width
        end = start + size
        if len(data) < end:
            return None
        payload, self._unread = data[start:end], data[end:]
        return data[0] & 0x0F, _unmask(payload, mask)


def _unmask(payload: bytes, mask: bytes) -> bytes:
    """XOR with the mask, over and over; see section 5.3 of :rfc:`6455`."""
    if mask in (b"", b"\0\0\0\0"):
        return payload
    size = len(payload)
    whole = int.from_bytes((mask * (size // 4 + 1))[:size], "big")
    return (int.from_bytes(payload, "big") ^ whole).to_bytes(size, "big")
