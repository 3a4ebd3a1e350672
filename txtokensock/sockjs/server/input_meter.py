"""
What a client may send, and the one place where it is counted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

from twisted.internet.interfaces import IReactorTime

from ...support.rate_limit import RateLimit

__all__ = [
    "EMPTY",
    "MALFORMED",
    "MESSAGES",
    "PIECE",
    "PING",
    "SPARE_POLL",
    "InputLimits",
    "InputMeter",
]

# The kinds of input; each is the least that it costs, in messages.  What nobody has a reason to
# send often costs more than a message, though it makes less work.
MESSAGES = 1
"""A frame with messages, or a request with them: it costs as many as it has."""
PIECE = 1
"""A WebSocket frame that goes on with a message."""
EMPTY = 10
"""A frame without a message."""
PING = 10
"""A ping or a pong."""
SPARE_POLL = 10
"""A request for frames while another one is open."""
MALFORMED = 10
"""What is not a frame, or not a message, and is answered."""

_SIZE_BITS = 16
"""64 KiB of one frame cost as much as a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLimits:
    """
    What the client of one session may send, within the options of the server.

    :ivar frame_size: bytes of one WebSocket message, judged by the headers of its frames
        before the bytes come; and of one request's body.  More closes a WebSocket with 1009,
        and is answered 413.
    :ivar waiting: bytes of frames that wait while the protocol is paused.  A WebSocket is not
        read then, but what came in one read with the frame that made the protocol pause waits;
        more exceeds the limits.  A request is answered 503.
    :ivar per_second: messages in the long run.
    :ivar burst: messages at once after a silence.
    """

    frame_size: int = sys.maxsize
    waiting: int = sys.maxsize
    per_second: float
    burst: float


class InputMeter:
    """
    Counts what the client of one session sends; without a limit until one is set.

    :param reactor: its clock is used.
    :param exceeded: called for each input that is too much.
    """

    __slots__ = ("_exceeded", "_rate", "_reactor")

    def __init__(self, reactor: IReactorTime, exceeded: Callable[[], object]) -> None:
        self._reactor = reactor
        self._exceeded = exceeded
        self._rate: RateLimit | None = None

    def limit(self, per_second: float, burst: float) -> None:
        """Set the rate from now on; what was counted before stays counted."""
        if self._rate is None:
            self._rate = RateLimit(per_second, burst, self._reactor.seconds())
        else:
            self._rate.change(per_second, burst)

    def count(self, kind: int, size: int = 0, messages: int = 0) -> bool:
        """
        Count one input.

        :param kind: such as :data:`MESSAGES`.
        :param size: its bytes.
        :param messages: how many are in it.
        :return: whether it may be taken.
        """
        if self.has_room(kind, size, messages):
            return True
        self._exceeded()
        return False

    def has_room(self, kind: int, size: int, messages: int) -> bool:
        """Count one input if it may be taken, and otherwise do nothing but say so."""
        rate = self._rate
        if rate is None:
            return True
        cost = messages if messages > kind else kind
        if size >> _SIZE_BITS > cost:
            cost = size >> _SIZE_BITS
        return rate.take(self._reactor.seconds(), cost)

    def credit(self, messages: float) -> None:
        """Allow so many more once, or, if it is negative, no more."""
        if self._rate is not None:
            self._rate.credit(messages)
