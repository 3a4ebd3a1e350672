"""
How long to wait between attempts to connect.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from ..errors import InvalidOption
from .timeouts import check_seconds

__all__ = ["Backoff", "check_delay"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential back-off with full jitter: before retry number *n* a random time between
    0 and ``first * factor ** (n - 1)`` seconds, at most ``cap``.

    Clients that lost the same server at the same moment come back spread out, and a
    server that accepts and drops is not hammered, for only a connection that lasted
    counts as success.

    :ivar first: the longest wait before the first retry, in seconds.
    :ivar factor: how much longer each further one may be.
    :ivar cap: the longest wait of all, in seconds.
    :ivar stable_after: seconds that a connection must stay authenticated before its loss
        starts the count anew.
    :ivar max_attempts: give up after so many failed attempts in a row; None never does.
        A connection lost before ``stable_after`` is one of them.
    :ivar jitter: a number from 0 to 1, each time it is called.

    To replace the rule, subclass it and override :meth:`delay`.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    stable_after: float = 10.0
    max_attempts: int | None = None
    jitter: Callable[[], float] = random.random

    def __post_init__(self) -> None:
        for name in ("first", "cap", "stable_after"):
            check_seconds(f"backoff.{name}", getattr(self, name))
        if not self.factor >= 1:
            raise InvalidOption(f"backoff.factor is {self.factor!r}: it must be at least 1")
        attempts = self.max_attempts
        if attempts is not None and (not isinstance(attempts, int) or attempts < 1):
            raise InvalidOption(f"backoff.max_attempts is {attempts!r}: it must be at least 1")

    def delay(self, retry: int) -> float:
        """
        :param retry: 1 for the first retry since things were well.
        :return: seconds to wait before it.
        """
        try:
            longest = min(self.cap, self.first * self.factor ** (retry - 1))
        except OverflowError:
            longest = self.cap
        return longest * self.jitter()


def check_delay(delay: object) -> float:
    """
    :return: ``delay``, as what a policy of somebody else's may give.
    :raises ValueError: if it is no number of seconds that can be waited.
    """
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay < 1e9:
        raise ValueError(f"the delay is {delay!r}: it must be a number of seconds")
    return delay
