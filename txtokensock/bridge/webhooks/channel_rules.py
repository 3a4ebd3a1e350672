"""
All rules for channels: what comes in goes to the spool, what is there goes out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ...client.socket import TokenSocket
from ...errors import InvalidData
from ...jsontext import dumps
from ...support.timer import Pause
from ..config.webhooks import ChannelRule
from ..counters import Counters
from ..shares import Shares
from ..upstream_socket import keep_trying
from . import spool_tables as store
from .channel_reader import ChannelReader
from .database import Database
from .deliveries import Deliveries
from .spool import Spool
from .spool_tables import Delivery, SpoolLimits
from .target import Target
from .webhook_requests import Requests, new_id

__all__ = ["ChannelRules"]

SIDE = "webhooks"


@define(eq=False, repr=False)
class ChannelRules:
    """
    :ivar uncertain: see :class:`~.webhooks_side.WebhooksSide`.
    """

    _log = Logger()

    _socket: TokenSocket
    _requests: Requests
    _counters: Counters
    _reactor: IReactorTime
    _shares: Shares
    _jitter: Callable[[], float]
    _now: Callable[[], float]
    uncertain: int = field(init=False, default=0)
    _spool: Spool | None = field(init=False, default=None)
    _rules: dict[str, ChannelRule] = field(init=False, factory=dict)
    _targets: Mapping[str, Target] = field(init=False, factory=dict)
    _readers: dict[tuple[str, str], ChannelReader] = field(init=False, factory=dict)
    _deliveries: dict[str, Deliveries] = field(init=False, factory=dict)
    _waiting: dict[str, int] = field(init=False, factory=dict)
    _orphans: set[str] = field(init=False, factory=set)
    _full: set[str] = field(init=False, factory=set)

    @property
    def problem(self) -> str | None:
        """Why messages cannot be stored at present, or None."""
        return None if self._spool is None else self._spool.problem

    def failing(self) -> dict[str, str]:
        """The rules that do not do their work, and why."""
        found = {
            name: deliveries.failing
            for name, deliveries in self._deliveries.items()
            if deliveries.active and deliveries.failing is not None
        }
        for (name, channel), reader in self._readers.items():
            if reader.problem is not None:
                found.setdefault(name, f"not subscribed to {channel!r}: {reader.problem}")
        return found

    # -- starting

    def open(self, database: Database) -> None:
        """
        Use this spool; the first thing that is done there is to find out what was in
        flight when the last bridge ended.
        """
        self._spool = Spool(database, self._reactor, self._committed, self._dropped)
        self._spool.submit(store.uncertain).addCallbacks(self._report_uncertain, _closed)

    def _report_uncertain(self, found: dict[str, int]) -> None:
        self.uncertain = sum(found.values())
        for rule, count in found.items():
            self._counters.count(SIDE, rule, "retried", count)
            self._log.warn(
                "{count} deliveries of {rule} were in flight when the last bridge ended:"
                " they are sent again, and may arrive twice",
                event="webhooks.uncertain",
                rule=rule,
                count=count,
            )

    def apply(self, rules: Iterable[ChannelRule], targets: Mapping[str, Target]) -> None:
        """Deliver by these rules from now on; those of a known name go on."""
        self._rules = {rule.rule: rule for rule in rules}
        self._targets = targets
        for name, deliveries in self._deliveries.items():
            if name not in self._rules:
                deliveries.stop()
        for name, rule in self._rules.items():
            self._deliver(name, rule, targets[name])
        wanted = {(name, channel) for name, r in self._rules.items() for channel in r.channels}
        for key in [key for key in self._readers if key not in wanted]:
            self._readers.pop(key).stop()
            self._shares.give([key[1]])
        for name, channel in sorted(wanted - self._readers.keys()):
            self._listen(name, channel)
        self._orphans.clear()
        self.look()

    def _deliver(self, name: str, rule: ChannelRule, target: Target) -> None:
        if name in self._deliveries:
            self._deliveries[name].replace(rule, target)
            return
        assert self._spool is not None  # the configuration asks for one
        self._deliveries[name] = Deliveries(
            rule,
            target,
            spool=self._spool,
            requests=self._requests,
            counters=self._counters,
            pause=Pause(self._reactor),
            jitter=self._jitter,
            now=self._now,
        )
        self._counters.spooled(SIDE, name, self._waiting.get(name, 0))

    def _listen(self, name: str, channel: str) -> None:
        reader = self._readers[name, channel] = ChannelReader(
            self._socket,
            name,
            channel,
            partial(self._take, name, channel),
            retry=keep_trying(self._jitter),
        )
        self._shares.hold([channel])
        reader.start()

    # -- what comes in

    def _take(self, name: str, channel: str, message: Any) -> Deferred[None] | None:
        """A message is stored before anything else is done with it."""
        assert self._spool is not None
        self._counters.count(SIDE, name, "in")
        try:
            body = dumps({"channel": channel, "message": message})
        except InvalidData as problem:
            self._dropped(name, 1, str(problem))
            return None
        rule = self._rules.get(name)
        if rule is None:  # taken out while messages waited for the disk
            self._dropped(name, 1, "its rule is gone")
            return None
        headers = self._targets[name].headers_of(message)
        drop_oldest = rule.overflow == "drop-oldest"
        limits = SpoolLimits(rule.spool_messages, rule.spool_bytes, drop_oldest)
        delivery = Delivery(new_id(), name, self._now(), body, headers)
        self._spool.append(delivery, limits)
        return self._spool.room()

    def _dropped(self, rule: str, count: int, problem: str) -> None:
        """Every lost message is counted; the log hears of the first until one fits again."""
        self._counters.count(SIDE, rule, "dropped", count)
        if rule not in self._full:
            self._full.add(rule)
            self._log.error(
                "messages of {rule} are lost: {problem}",
                event="webhooks.dropped",
                rule=rule,
                problem=problem,
            )

    # -- what goes out

    def look(self) -> None:
        """See whether messages wait."""
        if self._spool is not None:
            self._spool.look()

    def _committed(self, totals: dict[str, int]) -> None:
        for name in self._waiting.keys() | totals.keys() | self._rules.keys():
            self._counters.spooled(SIDE, name, totals.get(name, 0))
        self._waiting = totals
        for name in totals:
            if name in self._rules:
                self._deliveries[name].wake()
            elif name not in self._orphans:
                self._orphans.add(name)
                self._log.warn(
                    "{count} messages wait for {rule}, and there is no such rule",
                    event="webhooks.orphans",
                    rule=name,
                    count=totals[name],
                )
        self._full = {name for name in self._full if self._is_full(name, totals)}

    def _is_full(self, name: str, totals: dict[str, int]) -> bool:
        rule = self._rules.get(name)
        return rule is None or totals.get(name, 0) > rule.spool_messages * 0.9

    # -- stopping

    def stop(self) -> Deferred[Any]:
        """:return: fires when nothing more comes in, and nothing is in flight."""
        readers = [reader.stop() for reader in self._readers.values()]
        self._shares.give([channel for _, channel in self._readers])
        self._readers.clear()
        deliveries = [each.stop() for each in self._deliveries.values()]
        return DeferredList([*readers, *deliveries], consumeErrors=True)

    def abandon(self) -> None:
        """Wait no longer for what is in flight."""
        for deliveries in self._deliveries.values():
            deliveries.abandon()

    def flush(self) -> Deferred[None]:
        """:return: fires when all that came in is on disk."""
        return succeed(None) if self._spool is None else self._spool.flush()

    def close(self) -> None:
        """Close the spool; what is not on disk yet is counted as lost."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None


def _closed(failure: object) -> None:
    """The spool was closed before it could be asked."""
