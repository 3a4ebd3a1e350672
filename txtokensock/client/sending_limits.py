"""
What one connection takes, and how fast.
"""

from __future__ import annotations

import math

from ..errors import UsageError
from ..messages.announced_limits import SIZE_BITS, AnnouncedLimits
from ..sockjs.frames import largest_frame
from ..support.rate_limit import RateLimit
from .request import Request

__all__ = ["FRAME_BYTES", "FRAME_MESSAGES", "SendingLimits"]

FRAME_BYTES = 64 * 1024
FRAME_MESSAGES = 128
"""Of a frame of several messages, whatever more a server takes."""

_IN_FLIGHT = 9_000
"""
Requests that may wait for their answers, the others for their turn: a server that
reads everything and answers nothing must not fill the memory either.
"""

_SHARE = 0.9
"""
Of the rate that a server announced: its clock is another, and pings and pongs count as well.
"""

_AROUND = len('"rpc":"","uuid":""}')
"""Bytes that each request has, besides its uuid."""

_LEAST_WAIT = 0.01


class SendingLimits:
    """
    :param announced: by the server, or None.
    :param now: seconds of the reactor's clock.
    :ivar in_flight: requests that may wait for their answers.
    :ivar counts_calls: whether the server does, so that one that nobody waits for counts, too.
    :ivar frame_messages: messages in one frame.
    :ivar frame_size: bytes of one frame.
    """

    def __init__(self, announced: AnnouncedLimits | None, now: float) -> None:
        self.announced = announced
        limits = announced or AnnouncedLimits()
        self.counts_calls = limits.calls is not None
        # One less than the server takes, for a ping.
        self.in_flight = min(_IN_FLIGHT, max(1, (limits.calls or _IN_FLIGHT + 1) - 1))
        self.frame_messages = min(FRAME_MESSAGES, limits.frame_messages or FRAME_MESSAGES)
        self.frame_size = limits.frame_size or math.inf
        self._plain_size = min(limits.message_size or math.inf, (self.frame_size - 4) / 2)
        if limits.burst is not None:
            self._plain_size = min(self._plain_size, (limits.burst * 2**SIZE_BITS - 4) / 2)
        self._plain_depth = limits.json_depth or math.inf
        self._per_second = limits.messages_per_second
        self._rate: RateLimit | None = None
        self._burst = 0.0
        if self._per_second is not None and limits.burst is not None:
            self._per_second *= _SHARE
            self._burst = max(1.0, limits.burst * _SHARE)
            self._rate = RateLimit(self._per_second, self._burst, now)
            self._rate.credit(min(0.0, limits.burst - 1.0 - self._burst))  # auth was one, too

    # -- the rate

    def room(self, now: float) -> int:
        """How many messages may be sent now."""
        if self._rate is None:
            return FRAME_MESSAGES
        self._rate.take(now, 0.0)
        return int(self._rate.left)

    def cost(self, size: int, *, ping: bool = False) -> int:
        """
        How many messages must be allowed before one of that many bytes is sent, each of which may
        need a backslash in front, and a ping behind it.  One that costs more than we use at once
        waits for all of it.
        """
        return max(1, min(max(1, 2 * size >> SIZE_BITS) + ping, int(self._burst)))

    def wait(self, cost: float) -> float:
        """Seconds until so many are allowed, and no less than makes a frame of several."""
        if self._rate is None or self._per_second is None:
            return 0.0
        return max(_LEAST_WAIT, (cost - self._rate.left) / self._per_second)

    def sent(self, messages: int, size: int) -> None:
        """A frame of that many messages and bytes was sent."""
        if self._rate is not None:
            self._rate.credit(-max(messages, size >> SIZE_BITS))

    # -- the size

    def problem(self, request: Request) -> UsageError | None:
        """Why the server would close for a request, or None."""
        if self.announced is None:
            return None
        payload, channel = request.payload, request.channel
        size = len(payload)
        if size > self._plain_size or (
            # What is around the data holds no brackets, so that most are too short to be counted.
            size - len(request.uuid) - _AROUND > self._plain_depth
            and payload.count(b"[") + payload.count(b"{") > self._plain_depth
        ):  # else, as nearly always, there is nothing to look for
            try:
                self.announced.check_message(payload)
            except UsageError as problem:
                return problem.with_traceback(None)  # whose frames would hold it
        if channel is not None:
            try:
                self.announced.check_channel(channel)
            except UsageError as problem:
                return problem.with_traceback(None)  # whose frames would hold it
        return None

    def surely_fits(self, messages: int) -> float:
        """Bytes that so many messages may have together without a look at :meth:`fills`."""
        framed = (self.frame_size - largest_frame(messages, 0)) / 2
        return framed if self._rate is None else min(framed, 2**SIZE_BITS - 1)

    def fills(self, messages: int, size: int) -> bool:
        """
        Whether so many messages might make a frame too large, or one that costs more than is
        allowed now.

        :param size: their bytes.
        """
        if largest_frame(messages, size) > self.frame_size:
            return True
        return self._rate is not None and 2 * size >> SIZE_BITS > max(1.0, self._rate.left)
