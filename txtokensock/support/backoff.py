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

from ..errors import AllHostsFailed, AuthenticationAborted, ConnectionFailed, UsageError
from .checks import Check, check_count, check_seconds, check_wait, is_number

__all__ = ["Backoff", "RetryPolicy", "check_factor"]

RetryPolicy: TypeAlias = Callable[[Failure, int], float | None]
"""
A function that is called after each failed attempt and each loss, with the failure and the
number of the next retry, which is 1 for the first after a success.  It returns the seconds to
wait before that retry, or None to give up.
"""

check_factor: Check[float] = Check(
    "a number of at least 1, and finite",
    lambda value: is_number(value) and 1 <= value <= float_info.max,
)
"""How much longer each wait may be than the one before."""

_PASSING = frozenset({408, 425})
"""Request Timeout and Too Early: the 4xx statuses that do not blame the client."""

_REFUSED = frozenset({4418, 4429})
"""
What txtokensock's server closes with where one address has too many connections, or a client
sends too much.  Whoever came back at once would use up the rate of its address, too.
"""


@dataclass(frozen=True, slots=True)
class Backoff:
    """
    Exponential back-off with full jitter: before retry number *n* a random time between
    0 and ``first * factor ** (n - 1)`` seconds, at most ``cap``.

    Clients that lost the same server at the same moment come back spread out, and a
    server that accepts and drops is not hammered, for only a connection that lasted
    counts as success.

    Refusals and permanent errors have rules of their own: see :meth:`retry`.

    :ivar first: the longest wait before the first retry, in seconds.
    :ivar factor: how much longer each further one may be.
    :ivar cap: the longest wait of all, in seconds.
    :ivar stable_after: seconds that a connection must stay authenticated before its loss
        starts the count at 1 again.
    :ivar max_attempts: give up after so many failed attempts in a row; None never does.
        A connection lost before ``stable_after`` is one of them.
    :ivar jitter: a function that returns a random number from 0 to 1.
    :ivar refused: the longest wait after a refusal such as 403, in seconds; the shortest is half
        of it.
    :ivar longest_retry_after: the longest ``Retry-After`` that is obeyed, in seconds; a longer
        one counts as this.

    To change the wait after faults, override :meth:`delay` in a subclass.  To decide on
    everything, use the option ``retry_policy``.
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
        :param retry: the number of the retry, 1 for the first after a success.
        :return: seconds to wait before it, after a fault that may pass.
        """
        try:
            longest = min(self.cap, self.first * self.factor ** (retry - 1))
        except OverflowError:
            longest = self.cap
        return longest * self.jitter()

    def refusal_delay(self) -> float:
        """:return: seconds to wait after a refusal, from half of ``refused`` to all of it."""
        return self.refused * (1 + self.jitter()) / 2

    def retry(self, failure: Failure, attempt: int) -> float | None:
        """
        The default of ``retry_policy``.

        - It gives up after an error that is ``permanent``, such as a certificate that is
          not trusted or a token route that has moved, and after a
          :class:`~txtokensock.errors.UsageError`.
        - After ``Retry-After`` it waits for that time and :meth:`delay`, so that clients
          which were told the same time do not come back together.
        - After a refusal, which is a status from 400 to 499 of the token route, the
          handshake or a proxy, or a close with 4418 or 4429, it waits for
          :meth:`refusal_delay`.
        - After the failure of several hosts it waits until the first of them may be tried
          again, see :meth:`hold`.
        - After all other errors it waits for :meth:`delay`.

        :param failure: of the attempt, or of the connection that was lost.
        :param attempt: see :meth:`delay`.
        :return: seconds to wait, or None to give up.
        """
        # Called once for all hosts: the least of many random waits would be shorter.
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
        :return: seconds; 0 after a fault that may pass, and ``math.inf`` after an error that is
            permanent.
        """
        if not self._wait(error, 0.0):  # the wait after a fault is all delay
            return 0.0
        return self._wait(error, check_wait("the delay", self.delay(attempt)))

    def _wait(self, error: BaseException | None, delay: float) -> float:
        if isinstance(error, UsageError):
            return math.inf
        if _close_code(error) in _REFUSED:
            return max(self.refusal_delay(), delay)
        if not isinstance(error, ConnectionFailed):
            return delay
        if error.permanent:
            return math.inf
        if error.retry_after is not None:
            return min(error.retry_after, self.longest_retry_after) + delay
        if error.status is not None and 400 <= error.status < 500 and error.status not in _PASSING:
            return max(self.refusal_delay(), delay)
        return delay


def _close_code(error: BaseException | None) -> object:
    """What a session was closed with, before or after it was authenticated; None if nothing."""
    return getattr(
        error.__cause__ if isinstance(error, AuthenticationAborted) else error, "code", None
    )
