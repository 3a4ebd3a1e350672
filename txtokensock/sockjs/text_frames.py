"""
WebSocket frames that hold one whole text message, as nearly all do: RFC 6455, section 5.2.

Everything else is Autobahn's: control frames, fragments, what a peer gets wrong, and what is long.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

__all__ = ["TextFrameReader", "masked_text_frame", "text_frame"]

_FINAL_TEXT = 0x81  # FIN, no reserved bit, opcode 1
_MASKED = 0x80
_SHORT = 125  # longer ones have their length in two bytes more
_LONG = 0xFFFF  # longer ones have it in eight

_MASKS_AT_ONCE = 256
_PIECE = 64 * 1024  # a multiple of the mask's length


class TextFrameReader:
    """
    Takes whole text frames off the beginning of what was read.

    :param masked: whether the peer masks its frames, as clients must and servers must not.
    :param limit: bytes of a payload; a longer frame is left to Autobahn, as are those of more
        than 64 KiB.
    :ivar tail: the beginning of a frame that is kept for what follows.
    """

    __slots__ = ("_limit", "_masked", "tail")

    def __init__(self, *, masked: bool, limit: int) -> None:
        self._masked = masked
        self.limit(limit)
        self.tail = b""

    def limit(self, size: int) -> None:
        """Leave frames with a longer payload to Autobahn from now on."""
        self._limit = min(size, _LONG)

    def take(self, data: bytes, most: int = sys.maxsize) -> tuple[list[bytes], bytes]:
        """
        :param data: what was read.
        :param most: how many frames to take.
        :return: the payloads of the frames that are whole, and what follows them; without any,
            it is for Autobahn.  The beginning of one more such frame is kept for the next call.
        """
        if self.tail:
            data = self.tail + data
            self.tail = b""
        payloads: list[bytes] = []
        start, end = 0, len(data)
        mask_size = 4 if self._masked else 0
        flag = _MASKED if self._masked else 0
        while end - start > 1 and data[start] == _FINAL_TEXT:
            size = data[start + 1] ^ flag
            body = start + 2
            if size > _SHORT:
                # 127, or not masked as it has to be, is none of ours; neither is a length in more
                # bytes than it needs.
                if size != _SHORT + 1:
                    break
                body += 2
                if end < body:
                    self.tail = data[start:]
                    return payloads, b""
                size = data[start + 2] << 8 | data[start + 3]
                if size <= _SHORT:
                    break
            if size > self._limit:
                break
            payload = body + mask_size
            following = payload + size
            if end < following:
                self.tail = data[start:]
                return payloads, b""
            if mask_size:
                payloads.append(_masked(data[payload:following], data[body:payload]))
            else:
                payloads.append(data[payload:following])
            start = following
            if len(payloads) == most:
                return payloads, data[start:]
        if end - start == 1 and data[start] == _FINAL_TEXT:
            self.tail = data[start:]
            return payloads, b""
        return payloads, data[start:] if start else data

    def release(self) -> bytes:
        """:return: the beginning of a frame that was kept, which is Autobahn's now."""
        tail, self.tail = self.tail, b""
        return tail


def text_frame(payload: bytes) -> bytes:
    """Make the frame of a server's text message."""
    return _head(len(payload), 0) + payload


def masked_text_frame(payload: bytes) -> bytes:
    """
    Make the frame of a client's text message, with a mask that nobody can predict: RFC 6455,
    section 5.3.
    """
    mask = next(_masks)
    return b"%b%b%b" % (_head(len(payload), _MASKED), mask, _masked(payload, mask))


def _head(size: int, flag: int) -> bytes:
    if size <= _SHORT:
        return bytes((_FINAL_TEXT, flag | size))
    if size <= _LONG:
        return bytes((_FINAL_TEXT, flag | _SHORT + 1, size >> 8, size & 0xFF))
    return bytes((_FINAL_TEXT, flag | _SHORT + 2)) + size.to_bytes(8, "big")


def _masked(payload: bytes, mask: bytes) -> bytes:
    """Mask, or unmask: all bytes of a piece at once, as one number."""
    size = len(payload)
    if size > _PIECE:  # a piece stays in the processor's cache: half the time
        starts = range(0, size, _PIECE)
        return b"".join([_masked(payload[start : start + _PIECE], mask) for start in starts])
    masks = (mask * (size // 4 + 1))[:size]
    number = int.from_bytes(payload, "little") ^ int.from_bytes(masks, "little")
    return number.to_bytes(size, "little")


def _random_masks() -> Iterator[bytes]:
    while True:
        block = os.urandom(4 * _MASKS_AT_ONCE)
        for start in range(0, len(block), 4):
            yield block[start : start + 4]


_masks = _random_masks()
