"""
The sending half of a connection, which sends as it is told to: at once, slowly, without
end, or no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall

__all__ = ["Output"]


class Output:
    """
    :param transport: of the connection, in memory or of a reactor.
    :param reactor: for what comes later.
    :ivar muted: whether what is written goes nowhere.
    :ivar leaving: whether the peer closes, so that what comes in is wasted.
    """

    def __init__(self, transport: Any, reactor: Any) -> None:
        self._transport = transport
        self._reactor = reactor
        self._calls: set[IDelayedCall] = set()
        self._behind: deque[Callable[[], None]] | None = None
        self._flood: IDelayedCall | None = None
        self._deaf = False
        self._reset = False
        self.muted = False
        self.leaving = False

    @property
    def gone(self) -> bool:
        """Whether nothing is read any more, or the connection was reset."""
        return self._deaf or self._reset

    # -- in order

    def write(self, data: bytes) -> None:
        """Send, behind what is still dripping."""
        if self._behind is not None:
            self._behind.append(lambda: self.write(data))
        elif not self.muted:
            self._transport.write(data)

    def drip(self, data: bytes, interval: float, then: Callable[[], None]) -> None:
        """
        Send a byte at a time, the middle of what is long at once.

        :param interval: seconds between two.
        :param then: called at the end.
        """
        if not data:
            then()
            return
        pieces = deque(data[at : at + 1] for at in range(len(data)))
        if len(data) > 200:
            pieces = deque([*(data[at : at + 1] for at in range(100)), data[100:-100]])
            pieces += (data[at : at + 1] for at in range(len(data) - 100, len(data)))
        self._behind = deque()

        def next_piece() -> None:
            if not self.muted:
                self._transport.write(pieces.popleft())
            if pieces:
                self.later(interval, next_piece)
                return
            behind, self._behind = self._behind, None
            then()
            for each in behind or ():
                each()

        next_piece()

    def close(self) -> None:
        """Close the connection in order, behind what was sent."""
        if self._behind is not None:
            self._behind.append(self.close)
        elif not self.muted:
            self._transport.loseConnection()

    # -- at once

    def reset(self) -> None:
        """Reset the connection."""
        self._reset = True
        self._transport.abortConnection()

    def mute(self) -> None:
        """What is sent from now on goes nowhere, and the connection is never closed."""
        self.muted = True

    def leave(self, seconds: float | None) -> None:
        """
        Say no more, heed nothing any more, and close the connection.

        :param seconds: after which it is closed; None for never.
        """
        self.leaving = True
        self.mute()
        if seconds is not None:
            self.later(seconds, self._transport.loseConnection)

    def deafen(self) -> None:
        """Read no more: what the client sends stays where it is."""
        self._deaf = True
        self._transport.pauseProducing()

    def revive(self) -> None:
        """Read again, and find out what became of the connection meanwhile."""
        if self._deaf and not self._reset:
            self._deaf = False
            self._transport.resumeProducing()

    def flood(self, piece: bytes, interval: float = 0.05) -> None:
        """
        Send the same again and again, until the connection is gone: fast at first, for
        tests that take that minutes.
        """
        self.write(piece)
        self._flood = self.later(interval, self.flood, piece, min(interval * 1.05, 2.0))

    def calm(self) -> None:
        """Flood no more."""
        flood, self._flood = self._flood, None
        if flood is not None and flood.active():
            self._calls.discard(flood)
            flood.cancel()

    def later(self, seconds: float, what: Callable[..., object], *arguments: Any) -> IDelayedCall:
        """Call that after so many seconds, unless the connection is gone by then."""

        def now() -> None:
            self._calls.discard(call)
            what(*arguments)

        call: IDelayedCall = self._reactor.callLater(seconds, now)
        self._calls.add(call)
        return call

    def ended(self) -> None:
        """The connection is gone: no timer is left."""
        self.muted = True
        calls, self._calls = self._calls, set()
        for call in calls:
            if call.active():
                call.cancel()
