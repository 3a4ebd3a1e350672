"""
Whether to try again after a failure, and how long to wait before.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from sys import float_info
from typing import TypeAlias

from twisted.python.failure import Failure

from ..errors import AllHostsFailed, ConnectionFailed, UsageError
from .checks import Check, check_count, check_seconds, check_wait, is_number

__all__ = ["Backoff", "RetryPolicy", "check_factor"]

RetryPolicy: TypeAlias = Callable[[Failure, int], float | None]
"""
Asked after each failed attempt, and after each loss: what went wrong, and the number of the
retry that would come next, 1 for the first since things were well.  It gives the seconds to
wait before that, or None to give up.
"""

check_factor: Check[float] = Check(
    "a number of at least 1, and finite",
    lambda value: is_number(value) and 1 <= value <= float_info.max,
)
"""How much longer each wait may be than the one before."""

_PASSING = frozenset({408, 425})
"""Request Timeout and Too Early: of all that begin with 4, these say nothing about us."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential back-off with full jitter: before retry number *n* a random time between
    0 and ``first * factor ** (n - 1)`` seconds, at most ``cap``.

    Clients that lost the same server at the same moment come back spread out, and a
    server that accepts and drops is not hammered, for only a connection that lasted
    counts as success.

    Not everything that fails is a fault that passes: see :meth:`retry`.

    :ivar first: the longest wait before the first retry, in seconds.
    :ivar factor: how much longer each further one may be.
    :ivar cap: the longest wait of all, in seconds.
    :ivar stable_after: seconds that a connection must stay authenticated before its loss
        starts the count anew.
    :ivar max_attempts: give up after so many failed attempts in a row; None never does.
        A connection lost before ``stable_after`` is one of them.
    :ivar jitter: a number from 0 to 1, each time it is called.
    :ivar refused: the wait after a refusal such as 403, in seconds; between the half of it
        and the whole.
    :ivar longest_retry_after: how much of a server's ``Retry-After`` is believed, in seconds.

    To replace the rule for faults, subclass it and override :meth:`delay`; to replace all,
    there is the option ``retry_policy``.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 30.0
    stable_after: float = 10.0
    max_attempts: int | None = None
    jitter: Callable[[], float] = random.random
    refused: float = 60.0
    longest_retry_after: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("first", "cap", "stable_after", "refused", "longest_retry_after"):
            check_seconds(f"backoff.{name}", getattr(self, name))
        check_factor("backoff.factor", self.factor)
        check_count.optional("backoff.max_attempts", self.max_attempts)

    def delay(self, retry: int) -> float:
        """
        :param retry: 1 for the first retry since things were well.
        :return: seconds to wait before it, after a fault that passes.
        """
        try:
            longest = min(self.cap, self.first * self.factor ** (retry - 1))
        except OverflowError:
            longest = self.cap
        return longest * self.jitter()

    def refusal_delay(self) -> float:
        """:return: seconds to wait after a refusal: half of ``refused`` at least."""
        return self.refused * (1 + self.jitter()) / 2

    def retry(self, failure: Failure, attempt: int) -> float | None:
        """
        The default of ``retry_policy``.

        - What no retry can mend gives up: an error that is ``permanent``, such as a
          certificate that is not trusted or a token route that has moved, and a
          :class:`~txtokensock.errors.UsageError`.
        - Where the server sent ``Retry-After``, that and :meth:`delay` on top, so that not
          all whom it told the same come back at once.
        - A refusal, which is a status from 400 to 499 of the token route, the handshake or
          a proxy, is tried again slowly: :meth:`refusal_delay`.
        - Where several hosts failed, the first of them that may be tried again decides:
          after what remains of its :meth:`hold`.
        - All else is a fault that passes: :meth:`delay`.

        :param failure: of the attempt, or of the connection that was lost.
        :param attempt: see :meth:`delay`.
        :return: seconds to wait, or None to give up.
        """
        # Asked once, or many hosts would make the least of their waits ever smaller.
        delay = check_wait("the delay", self.delay(attempt))
        error = failure.value
        if isinstance(error, AllHostsFailed):
            wait = min(
                error.holds[host] if host in error.holds else self._wait(one, delay)
                for host, one in error.errors.items()
            )
        else:
            wait = self._wait(error, delay)
        return None if wait == math.inf else wait

    def hold(self, error: Exception, attempt: int) -> float:
        """
        How long one of several hosts is passed over, by the rule of :meth:`retry`.

        :param error: of the attempt at that host.
        :param attempt: how many attempts at that host have failed in a row.
        :return: seconds; 0 after a fault that passes, and ``math.inf`` where no retry can
            mend it.
        """
        if not self._wait(error, 0.0):  # the wait after a fault is all delay
            return 0.0
        return self._wait(error, check_wait("the delay", self.delay(attempt)))

    def _wait(self, error: BaseException | None, delay: float) -> float:
        if isinstance(error, UsageError):
            return math.inf
        if not isinstance(error, ConnectionFailed):
            return delay
        if error.permanent:
            return math.inf
        if error.retry_after is not None:
            return min(error.retry_after, self.longest_retry_after) + delay
        if error.status is not None and 400 <= error.status < 500 and error.status not in _PASSING:
            return max(self.refusal_delay(), delay)
        return delay
