"""
What the sessions of one server hold together.
"""

from __future__ import annotations

from typing import Protocol

from twisted.logger import Logger

__all__ = ["Holder", "SharedBuffers"]


class Holder(Protocol):
    """Something that holds bytes, and can do without."""

    def shed(self) -> None:
        """Give up what is held, at the latest at the second call."""


class SharedBuffers:
    """
    The bytes that wait in all sessions of a server.  When they are too many, those that hold the
    most give theirs up, until an eighth of the bytes is free again.

    :param most: the bound.
    :ivar most: the same; it may change.
    :ivar total: bytes held now.
    """

    _log = Logger()

    def __init__(self, most: int) -> None:
        self.most = most
        self._holders: dict[Holder, int] = {}
        self._shedding: set[Holder] = set()
        self.total = 0

    def hold(self, holder: Holder, size: int) -> None:
        """Note that a holder has so many bytes now; 0 when it is gone."""
        before = self._holders.pop(holder, 0)
        if size:
            self._holders[holder] = size
        else:
            self._shedding.discard(holder)
        self.total += size - before
        if self.total > self.most and size > before:
            self._relieve()

    def _relieve(self) -> None:
        self._log.warn(
            "{total} bytes wait in {count} sessions: those that hold the most are closed",
            event="sockjs.buffers_full",
            total=self.total,
            count=len(self._holders),
        )
        too_many = self.total - self.most * 7 // 8
        for holder, size in sorted(self._holders.items(), key=self._order, reverse=True):
            self._shedding.add(holder)
            holder.shed()
            too_many -= size
            if too_many <= 0:
                break

    def _order(self, item: tuple[Holder, int]) -> tuple[bool, int]:
        """Those that were asked before go first, so that nobody pays for them."""
        holder, size = item
        return holder in self._shedding, size
