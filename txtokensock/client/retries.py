"""
Counts failures, and asks the policy what comes next.
"""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import ConnectionFailed
from .backoff import Backoff, RetryPolicy, check_delay

__all__ = ["Retries"]


class Retries:
    """
    The failures of one client since things were well.

    The policy is asked before ``ClientService`` needs the answer, for its state machine
    survives neither a policy that raises, nor a wait that is none, nor being stopped by
    the policy.

    :param backoff: what counts as success, and how many failures are too many.
    :param policy: how long to wait; by default that of ``backoff``.
    :param reconnect: False where the first failure is the end.
    :ivar failed: how many attempts in a row have failed.
    :ivar wait: seconds between the last failure and the next attempt.
    """

    _log = Logger()

    def __init__(self, backoff: Backoff, policy: RetryPolicy | None, reconnect: bool) -> None:
        self._backoff = backoff
        self._policy = policy or backoff.retry
        self._reconnect = reconnect
        self.start_over()

    def start_over(self) -> None:
        """Things are well."""
        self._number = 0
        self.failed = 0
        self.wait = 0.0

    def attempt_failed(self, failure: Failure) -> float | None:
        """:return: seconds to the next attempt, or None to give up."""
        self.failed += 1
        return self._next(failure)

    def connection_lost(self, failure: Failure, lasted: float) -> float | None:
        """
        :param lasted: seconds; a connection that lasted too few is a failed attempt.
        :return: the same.
        """
        if lasted >= self._backoff.stable_after:
            self.start_over()
        else:
            self.failed += 1
        return self._next(failure)

    def _next(self, failure: Failure) -> float | None:
        self._number += 1
        wait = self._ask(failure)
        # Where it gives up, the client is stopped before that much time has passed.
        self.wait = self._backoff.cap if wait is None else wait
        if isinstance(failure.value, ConnectionFailed):
            failure.value.retry_in = wait
        return wait

    def _ask(self, failure: Failure) -> float | None:
        limit = self._backoff.max_attempts
        if not self._reconnect or (limit is not None and self.failed >= limit):
            return None
        try:
            wait = self._policy(failure, self._number)
            return None if wait is None else check_delay(wait)
        except Exception:
            cap = self._backoff.cap
            self._log.failure("the retry policy failed; waiting {cap} s", cap=cap)
            return cap
