"""
What has come of a message that is not complete (no I/O).
"""

from __future__ import annotations

from mmap import mmap

__all__ = ["MessageBuffer"]

_SMALL = 64 * 1024
"""Bytes that are kept as they came."""

_BLOCK = 256 * 1024
"""Bytes of one block for what is more."""

_MOST_SPARE = 16
_spare: list[mmap] = []
"""Blocks for the next message: to map one takes several times as long as to fill it."""


class MessageBuffer:
    """
    The beginning of a message, piece by piece.

    What is large is kept in blocks that are mapped for it alone.  But for a few, they go back to
    the operating system as soon as they are let go of.  On the heap, hundreds of megabytes of
    pieces would stay with the process: it shrinks only from its end, where something small is
    in use.
    """

    __slots__ = ("_blocks", "_pieces", "size")

    def __init__(self) -> None:
        self._pieces: list[bytes] | tuple[()] = ()  # nearly all messages come whole
        self._blocks: list[mmap] | tuple[()] = ()
        self.size = 0

    def add(self, piece: bytes) -> None:
        """Keep one more piece."""
        self.size += len(piece)
        if self.size <= _SMALL:
            self._pieces = self._pieces or []
            self._pieces.append(piece)
            return
        start = 0
        while start < len(piece):
            block = self._blocks[-1] if self._blocks else None
            if block is None or block.tell() == _BLOCK:
                block = _spare.pop() if _spare else mmap(-1, _BLOCK)
                self._blocks = self._blocks or []
                self._blocks.append(block)
            start += block.write(piece[start : start + _BLOCK - block.tell()])

    def take(self) -> bytes:
        """:return: all pieces as one; nothing is kept any more."""
        if self._blocks:
            full, last = self._blocks[:-1], self._blocks[-1]
            message = b"".join((*self._pieces, *full, last[: last.tell()]))
        else:
            message = b"".join(self._pieces)
        self.clear()
        return message

    def clear(self) -> None:
        """Let go of everything."""
        for block in self._blocks:
            if len(_spare) < _MOST_SPARE:
                block.seek(0)
                _spare.append(block)
            else:
                block.close()
        self._pieces = self._blocks = ()
        self.size = 0
