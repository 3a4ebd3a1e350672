"""
One rule's way from the spool to its webhook: one message at a time, in order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.logger import Logger

from ...errors import shorten
from ...support.timer import Pause
from ...support.waiters import Waiters
from ..config.webhooks import ChannelRule
from ..counters import Counters
from . import spool_tables as store
from .schema import Cursor
from .spool import Spool
from .spool_tables import Delivery
from .target import Target
from .webhook_requests import Requests, WebhookResponse, WebhookUnreachable

__all__ = ["Deliveries"]

SIDE = "webhooks"

_REFUSALS = frozenset({400, 409, 413, 415, 422})
"""
What is said of this one message: sending it again gives the same answer.  Any other
status (401, 404, a redirect) speaks of the webhook, and that can be mended.
"""


@define(eq=False, repr=False)
class Deliveries:
    """
    :param rule: as the configuration has it.
    :param target: where it goes.
    :param spool: where messages wait.
    :param pause: for the waits between attempts.
    :param jitter: a number from 0 to 1, see :class:`~txtokensock.Backoff`.
    :param now: seconds since the epoch.
    :ivar failing: why the last attempt failed, in one line, or None.
    :ivar active: whether messages are delivered, or will be when they come.
    """

    _log = Logger()

    _rule: ChannelRule
    _target: Target
    _spool: Spool
    _requests: Requests
    _counters: Counters
    _pause: Pause
    _jitter: Callable[[], float]
    _now: Callable[[], float]
    failing: str | None = field(init=False, default=None)
    active: bool = field(init=False, default=True)
    _failures: int = field(init=False, default=0)
    # The id of the last one that was settled; the disk may not know yet.
    _settled: int = field(init=False, default=0)
    _working: bool = field(init=False, default=False)
    _request: Deferred[WebhookResponse] | None = field(init=False, default=None)
    _ends: Waiters[None] = field(init=False, factory=Waiters)

    def replace(self, rule: ChannelRule, target: Target) -> None:
        """Go on with a rule of the same name; what is in flight is not concerned."""
        self._rule = rule
        self._target = target
        self.active = True
        self._pause.end()
        self.wake()

    def wake(self) -> None:
        """Start to deliver, for messages wait; nothing happens where that is under way."""
        if self.active and not self._working:
            self._working = True
            working = Deferred.fromCoroutine(self._work())
            working.addErrback(
                lambda failure: self._log.failure(
                    "deliveries of {rule} stopped",
                    failure,
                    event="webhooks.failed",
                    rule=self._rule.rule,
                )
            )
            working.addBoth(lambda _: self._ended())

    def stop(self) -> Deferred[None]:
        """
        Begin nothing more.

        :return: fires when nothing is in flight; see :meth:`abandon`.
        """
        self.active = False
        self._pause.end()
        return self._ends.wait() if self._working else succeed(None)

    def abandon(self) -> None:
        """
        Drop the request that is in flight.  Its message keeps the mark of that, and is
        sent again when a bridge runs again.
        """
        if self._request is not None:
            self._request.cancel()

    def _ended(self) -> None:
        self._working = False
        self._ends.fire()

    # -- the work

    async def _work(self) -> None:
        """Deliver until nothing waits, or until stopped."""
        try:
            while self.active:
                delivery = await self._spool.submit(
                    partial(store.begin, rule=self._rule.rule, after=self._settled),
                    without_writing=partial(
                        store.first, rule=self._rule.rule, after=self._settled
                    ),
                )
                if delivery is None:
                    return
                if not self.active:
                    self._record(partial(store.untouched, delivery=delivery))
                    return
                wait = await self._attempt(delivery)
                if wait and self.active:
                    await self._pause.wait(wait)
        except CancelledError:
            self.active = False  # abandoned, or the spool is closed

    async def _attempt(self, delivery: Delivery) -> float:
        """
        Send one message once, and note what came of it.

        :return: seconds to wait before the next.
        """
        self._request = self._requests.send(
            self._target,
            delivery.delivery,
            delivery.body,
            attempt=delivery.attempts,
            headers=delivery.headers,
        )
        try:
            answer = await self._request
        except WebhookUnreachable as problem:
            return self._not_accepted(delivery, str(problem), None)
        finally:
            self._request = None
        # What is recorded of it waits in memory while the disk is full.
        delivery = replace(delivery, body=b"", headers={})
        if 200 <= answer.status < 300:
            self._accepted(delivery)
            return 0.0
        words = _describe(answer)
        if answer.status in _REFUSALS:
            self._answers()
            self._give_up(delivery, words)
            return 0.0
        return self._not_accepted(delivery, words, answer.retry_after)

    def _accepted(self, delivery: Delivery) -> None:
        self._settled = delivery.id
        # The next message is taken in the same transaction: see _work.
        self._record(partial(store.finish, delivery=delivery))
        self._counters.count(SIDE, self._rule.rule, "out")
        self._answers()

    def _answers(self) -> None:
        self._failures = 0
        if self.failing is not None:
            self.failing = None
            self._log.info(
                "the webhook of {rule} accepts messages again",
                event="webhooks.recovered",
                rule=self._rule.rule,
            )

    def _not_accepted(self, delivery: Delivery, problem: str, asked: float | None) -> float:
        """Later, or never again."""
        if self.failing is None:
            self._log.warn(
                "the webhook of {rule} accepts no messages, they wait: {problem}",
                event="webhooks.failing",
                rule=self._rule.rule,
                problem=problem,
            )
        self.failing = problem
        self._failures += 1
        backoff = self._rule.backoff.build(jitter=self._jitter)
        old = self._now() - delivery.queued >= self._rule.give_up_after
        if old or (self._rule.attempts is not None and delivery.attempts >= self._rule.attempts):
            self._give_up(delivery, problem)
        else:
            self._record(partial(store.postpone, delivery=delivery, error=problem))
            self._counters.count(SIDE, self._rule.rule, "retried")
        return max(backoff.delay(self._failures), asked or 0.0)

    def _give_up(self, delivery: Delivery, problem: str) -> None:
        self._log.warn(
            "{delivery} of {rule} is a dead letter after {attempts} attempts: {problem}",
            event="webhooks.dead_letter",
            delivery=delivery.delivery,
            rule=self._rule.rule,
            attempts=delivery.attempts,
            problem=problem,
        )
        self._counters.count(SIDE, self._rule.rule, "refused")
        self._settled = delivery.id
        buried = self._spool.submit(
            partial(
                store.bury,
                delivery=delivery,
                error=problem,
                died=self._now(),
                limit=self._rule.dead_letters,
            )
        )
        buried.addCallbacks(self._buried, _closed)

    def _buried(self, dropped: int) -> None:
        if dropped:
            self._counters.count(SIDE, self._rule.rule, "dropped", dropped)
            self._log.warn(
                "the oldest {count} dead letters of {rule} made room for new ones",
                event="webhooks.dropped",
                count=dropped,
                rule=self._rule.rule,
            )

    def _record(self, change: Callable[[Cursor], None]) -> None:
        self._spool.submit(change).addErrback(_closed)


def _closed(failure: object) -> None:
    """The spool closed first: the message is there, and its mark tells the next bridge."""


def _describe(answer: WebhookResponse) -> str:
    """A status, and what the webhook had to say."""
    text = answer.body[:1000].decode("utf-8", "replace")
    # It goes to logs and terminals, which some characters would command.
    words = shorten("".join(mark if mark.isprintable() else " " for mark in text))
    return f"answered {answer.status}{': ' + words if words else ''}"
