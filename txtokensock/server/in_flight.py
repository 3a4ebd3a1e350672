"""
What the requests of all peers hold that are being worked on.
"""

from __future__ import annotations

__all__ = ["RequestMemory", "held_by"]

_REQUEST = 4096
"""Bytes that a request holds which waits, besides its data."""

_LIST = 64
_ITEM = 32
_SMALL = 1024


def held_by(text: bytes) -> int:
    """About how many bytes the request holds that was decoded from this text."""
    size = len(text)
    if size > _SMALL:  # or else what it holds hardly counts
        size += _LIST * (text.count(b"[") + text.count(b"{")) + _ITEM * text.count(b",")
    return _REQUEST + size


class RequestMemory:
    """
    Bytes that peers hold.  When all hold too much together, each may have more only while it has
    less than an equal share, so that nobody is refused for what others hold.

    :ivar total: bytes held now.
    """

    __slots__ = ("_holders", "total")

    def __init__(self) -> None:
        self.total = 0
        self._holders = 0

    def has_room(self, held: int, most: int) -> bool:
        """
        Whether a peer may hold more.

        :param held: what it holds now.
        :param most: bytes for all.
        """
        if self.total < most:
            return True
        return held * (self._holders + (not held)) < most

    def change(self, before: int, after: int) -> None:
        """Note that one peer holds another number of bytes now."""
        self.total += after - before
        self._holders += (after > 0) - (before > 0)
