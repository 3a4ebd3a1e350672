"""
Counts failures, and asks the policy what comes next.
"""

from __future__ import annotations

import math

from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import CallTimeout, ConnectionFailed, Forbidden, SubscriptionEnded
from ..support.backoff import Backoff, RetryPolicy
from ..support.checks import check_wait
from ..support.user_functions import call_plain_function

__all__ = ["Retries", "RetryPolicy", "ask_policy", "subscription_retry"]

_log = Logger()


def ask_policy(
    policy: RetryPolicy, failure: Failure, number: int, fallback: float = 30.0
) -> float | None:
    """
    Ask a policy, which may be somebody else's.

    :param fallback: seconds, where it raises or gives what cannot be waited; that is logged.
    :return: seconds to wait, or None to give up.
    """
    try:
        wait = call_plain_function(policy, failure, number)
        return None if wait is None else check_wait("the delay", wait)
    except Exception:
        _log.failure(
            "the retry policy failed; waiting {seconds} s",
            event="client.backoff_failed",
            seconds=fallback,
        )
        return fallback


def subscription_retry(backoff: Backoff) -> RetryPolicy:
    """
    The policy of a subscription that the server had confirmed.

    What the server decided is final: that it is forbidden, or has ended.  All else passes;
    a server that did not answer was waited for already.
    """

    def retry(failure: Failure, number: int) -> float | None:
        if failure.check(Forbidden, SubscriptionEnded):
            return None
        return 0.0 if failure.check(CallTimeout) else backoff.delay(number)

    return retry


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

    def __init__(self, backoff: Backoff, policy: RetryPolicy | None, reconnect: bool) -> None:
        self._backoff = backoff
        self._policy = policy or backoff.retry
        self._reconnect = reconnect
        self._hurried = -math.inf
        self.start_over()

    def start_over(self) -> None:
        """Forget the failures so far: things are well."""
        self._number = 0
        self.failed = 0
        self.wait = 0.0

    def hurry(self, now: float) -> None:
        """
        Start over, for somebody says that things are well.  That is believed once in
        ``stable_after`` seconds.
        """
        if now - self._hurried >= self._backoff.stable_after:
            self._hurried = now
            self.start_over()

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
        return ask_policy(self._policy, failure, self._number, self._backoff.cap)
