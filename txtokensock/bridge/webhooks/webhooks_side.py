"""
The side of the bridge that faces webhooks.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, TimeoutError
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IAgent

from ...actions import add_action, remove_action
from ...client.socket import TokenSocket
from ...errors import InvalidOption
from ...support.timer import Timer
from ..config.webhooks import WebhooksConfig
from ..counters import Counters
from ..file_lock import FileLock
from ..health import Condition, Health, SideState
from ..shares import Shares
from .channel_rules import ChannelRules
from .database import Database, SpoolUnavailable, SQLite, prepare
from .target import Target
from .webhook_calls import WebhookCalls
from .webhook_requests import Requests

__all__ = ["WebhooksSide"]


class WebhooksSide(Service):
    """
    Delivers what channels bring, and answers the server's calls, by HTTP.

    :param section: ``[webhooks]``, checked.
    :param socket: upstream; it is neither started nor stopped here.
    :param counters: hears of every message, by rule.
    :param agent: sends requests instead of Twisted's ``Agent``.
    :param database: opens the spool instead of SQLite on a thread.
    :param jitter: a number from 0 to 1, for the waits between attempts.
    :param now: seconds since the epoch.
    :raises SpoolUnavailable: if the spool cannot be used: corrupt, not ours, no rights, in
        use by another bridge.
    :ivar uncertain: how many deliveries were in flight when the last bridge with this spool
        ended without finishing them: so many messages may arrive twice.
    """

    name = "webhooks"
    _log = Logger()

    def __init__(
        self,
        section: WebhooksConfig,
        *,
        socket: TokenSocket,
        shares: Shares,
        counters: Counters,
        reactor: Any,
        agent: IAgent | None = None,
        database: Callable[[Path, Any], Database] = SQLite,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._section = section
        self._socket = socket
        self._counters = counters
        self._reactor = reactor
        self._open = database
        self._path = None if section.spool is None else Path(section.spool).absolute()
        self._lock: FileLock | None = None
        self._requests = Requests(reactor, section.policy(), agent=agent, now=now)
        self._rules = ChannelRules(
            socket,
            self._requests,
            counters,
            reactor,
            shares=shares,
            jitter=jitter,
            now=now,
        )
        self._calls: dict[str, tuple[str, WebhookCalls]] = {}
        self._taken: set[str] = set()
        self._next_look = Timer(reactor, self._look)
        self._health = Health(self.name, now)
        # Both are found out now, while whoever starts us can still say so and leave.
        self._targets = _targets(section)
        if self._path is not None and _is_for_us(self._path):
            _prepared(self._path).release()

    @property
    def uncertain(self) -> int:
        return self._rules.uncertain

    # -- IService

    def startService(self) -> None:
        """
        Open the spool, deliver what waits in it, subscribe, and register the actions.

        :raises SpoolUnavailable: if another bridge has taken the spool meanwhile.
        """
        if self._path is not None:
            self._open_spool(self._path)
        super().startService()  # type: ignore[no-untyped-call]
        self._apply(self._section, self._targets)
        self._look()

    def stopService(self) -> Deferred[None]:
        """
        Take no more, finish what is in flight, put the rest on disk.

        :return: fires when that is done, within ``stop_timeout`` for what is in flight and
            the same again for the disk.  It never fails.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def state(self) -> SideState:
        """
        Up as long as messages can be stored, and not every webhook fails; one that does is
        named in the detail.
        """
        self._judge()
        return self._health.state

    def reload(self, section: WebhooksConfig) -> None:
        """
        Deliver by other rules.  Rules are the same where their names are; what waits for a
        rule that is gone stays in the spool, for a rule of that name, or for
        ``tokensock bridge-spool drop``.

        :raises InvalidOption: if they cannot be applied; then the old rules stay.
        """
        targets, policy = _targets(section), section.policy()
        path = None if section.spool is None else Path(section.spool).absolute()
        if path is not None and self._path is None:
            self._open_spool(path)
            self._path = path
        elif path != self._path:
            self._log.warn("another spool takes a restart", event="webhooks.spool_kept")
        if section.tls is not None or self._section.tls is not None:
            self._requests.use(policy)  # also where only the files have changed
        self._section = section
        self._apply(section, targets)

    # -- the parts

    def _open_spool(self, path: Path) -> None:
        self._lock = _prepared(path)
        self._rules.open(self._open(path, self._reactor))

    def _apply(self, section: WebhooksConfig, targets: dict[str, Target]) -> None:
        self._rules.apply(section.channels, targets)
        wanted = {call.rule: call for call in section.calls}
        for name, (action, calls) in list(self._calls.items()):
            if name not in wanted or wanted[name].action != action:
                # What it has in flight ends by itself, at the latest by its timeout.
                remove_action(self._socket.actions, action, calls)
                del self._calls[name]
        self._targets = targets
        for name, rule in wanted.items():
            if name in self._calls:
                self._calls[name][1].replace(rule, targets[name])
        self._taken.clear()
        self._add_actions()

    def _add_actions(self) -> None:
        """Add those that are missing; another side may have a name, and give it up later."""
        for rule in self._section.calls:
            name = rule.rule
            if name in self._calls:
                continue
            calls = WebhookCalls(
                rule,
                self._targets[name],
                requests=self._requests,
                counters=self._counters,
            )
            try:
                add_action(self._socket.actions, rule.action, calls)
            except InvalidOption as problem:
                if name not in self._taken:
                    self._taken.add(name)
                    self._log.error(
                        "{problem}", event="webhooks.action_taken", problem=str(problem)
                    )
                continue
            self._calls[name] = (rule.action, calls)

    def _look(self) -> None:
        """Other processes may have put dead letters back: see what waits, every second."""
        self._rules.look()
        self._add_actions()
        self._judge()
        self._next_look.start(1.0)

    # -- stopping

    async def _stop(self) -> None:
        self._next_look.stop()
        calls = [calls for _, calls in self._calls.values()]
        for action, running in self._calls.values():
            remove_action(self._socket.actions, action, running)
        self._calls.clear()
        endings = [self._rules.stop(), *(running.stop() for running in calls)]
        try:
            await self._within(DeferredList(endings, consumeErrors=True))
            self._rules.abandon()
            for running in calls:
                running.abandon()
            await self._within(self._rules.flush())
            self._rules.close()
            await self._within(self._requests.close())
        finally:
            # Also where who stops us waits no longer: a side that comes again needs the spool.
            self._rules.close()
            if self._lock is not None:
                self._lock.release()
                self._lock = None

    async def _within(self, ending: Deferred[Any]) -> None:
        """Wait for it, but no longer than that."""

        def too_late(*_: object) -> Failure:
            # Also where cancelling made it fire with a result, as a DeferredList does.
            return Failure(TimeoutError())

        with suppress(TimeoutError):
            await ending.addTimeout(self._section.stop_timeout, self._reactor, too_late)

    # -- how it is

    def _judge(self) -> None:
        failing = self._failing()
        detail = "; ".join(f"{name}: {why}" for name, why in sorted(failing.items()))
        rules = len(self._section.channels) + len(self._calls)
        if not self.running:
            self._health.become(Condition.STOPPED, "not running")
        elif self._rules.problem is not None:
            self._health.fails(f"the spool cannot be written: {self._rules.problem}")
        elif failing and len(failing) >= rules:
            self._health.fails(detail)
        else:
            self._health.works(detail)

    def _failing(self) -> dict[str, str]:
        calls = ((name, calls.failing) for name, (_, calls) in self._calls.items())
        return self._rules.failing() | {name: why for name, why in calls if why is not None}


def _prepared(path: Path) -> FileLock:
    """
    :return: the lock of a spool that can be used.
    """
    lock = FileLock(str(path), "the spool", SpoolUnavailable)
    lock.acquire()
    try:
        prepare(path)
    except BaseException:
        lock.release()
        raise
    return lock


def _is_for_us(path: Path) -> bool:
    """Root may become another user before the start, who could not use a file of root's."""
    return os.geteuid() != 0 or (path.exists() and path.stat().st_uid == 0)


def _targets(section: WebhooksConfig) -> dict[str, Target]:
    return {rule.rule: Target.of(rule) for rule in (*section.channels, *section.calls)}
