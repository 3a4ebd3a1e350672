"""
How long what was sent before may delay what is sent now.
"""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from .timeouts import SLOWEST_LINK, transfer_time

__all__ = ["InTransit"]

_KERNEL = 4 * 1024 * 1024
"""Bytes that the kernel takes at most, unless it was set up otherwise: Linux's ``tcp_wmem``."""


class InTransit:
    """
    Counts what was sent to a peer, and guesses from the slowest link how much of it may not
    have arrived: no socket tells what the kernel, a proxy and the network between hold.

    :param reactor: its clock.
    :ivar sent: bytes so far; whoever sends adds to it.
    """

    __slots__ = ("_counted", "_pending", "_seconds", "_when", "sent")

    def __init__(self, reactor: IReactorTime) -> None:
        self._seconds = reactor.seconds
        self.sent = self._counted = 0
        self._pending = 0.0
        self._when = self._seconds()

    def delay(self, *, buffer_full: bool = False) -> float:
        """
        :param buffer_full: whether our own buffer has bytes that the kernel has not taken.
        :return: the seconds after which a message that is sent now arrives at the latest.
        """
        now = self._seconds()
        settled = max(0.0, now - self._when) * SLOWEST_LINK
        new, self._counted, self._when = self.sent - self._counted, self.sent, now
        most = 2 * _KERNEL if buffer_full else _KERNEL
        self._pending = min(max(0.0, self._pending - settled) + new, most)
        return transfer_time(self._pending)

    def arrived(self, sent: int) -> None:
        """The peer has answered what came after the first ``sent`` bytes."""
        self._counted = sent
        self._pending = 0.0
        self._when = self._seconds()
