"""
What is too much for one turn of the reactor, of bytes that a peer sent.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer, IReactorTime

from .slices import LONGEST_SLICE
from .timer import NextTurn

__all__ = ["PacedReads"]

_PIECE = 1024
"""Bytes between two looks at the clock."""


class PacedReads:
    """
    Gives what a connection reads to its parser in pieces, for at most 5 ms a turn.  While some
    is left, the connection is not read.

    :param reactor: whose turns count.
    :param transport: of the connection; nobody else may pause it.
    :param take: the parser.
    """

    def __init__(
        self, reactor: IReactorTime, transport: IPushProducer, take: Callable[[bytes], object]
    ) -> None:
        self._reactor = reactor
        self._transport = transport
        self._take = take
        self._unread = b""
        self._stopped = False
        self._turn = NextTurn(reactor, self._read_on)

    def received(self, data: bytes) -> None:
        """The connection has read these bytes."""
        if self._unread:  # a connection over TLS may have decrypted more before it was paused
            self._unread += data
        else:
            self._read(data)

    def stop(self) -> None:
        """The connection is gone: what is left is dropped."""
        self._stopped = True
        self._unread = b""
        self._turn.cancel()

    def _read(self, data: bytes) -> None:
        end = self._reactor.seconds() + LONGEST_SLICE
        for start in range(0, len(data), _PIECE):
            self._take(data[start : start + _PIECE])
            rest = start + _PIECE
            if self._stopped:
                return
            if rest < len(data) and self._reactor.seconds() >= end:
                self._unread = data[rest:]
                self._transport.pauseProducing()
                self._turn.schedule()
                return

    def _read_on(self) -> None:
        data, self._unread = self._unread, b""
        self._read(data)
        if not self._unread and not self._stopped:
            self._transport.resumeProducing()
