"""
The bridge as a service: its sides, around one socket upstream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace
from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..config.document import ConfigError
from ..config.reloading import Reloading, changed
from ..config.section import Problem
from ..support.systemd import SystemdNotifier
from .config.file import Config, load
from .counters import Counters
from .health import Condition, Health, SideState
from .side import Side
from .upstream_socket import Upstream

__all__ = ["Bridge"]

_LATE = 1.0
"""Seconds after ``stop_timeout`` for a side that does not keep to it itself."""


def _http(bridge: Bridge, section: Any) -> Side:
    from .http import HttpSide

    return HttpSide(
        section,
        **bridge.parts,
        states=bridge.states,
        stop_timeout=lambda: bridge.config.operation.stop_timeout,
    )


def _webhooks(bridge: Bridge, section: Any) -> Side:
    from .webhooks.webhooks_side import WebhooksSide

    return WebhooksSide(section, **bridge.parts)


def _wamp(bridge: Bridge, section: Any) -> Side:
    from .wamp.wamp_side import WampSide

    return WampSide(section, **bridge.parts)


_SIDES: dict[str, Callable[[Bridge, Any], Side]] = {
    "webhooks": _webhooks,
    "wamp": _wamp,
    "http": _http,
}
"""
Sections to sides, in the order of starting; they stop in the reverse order, so that who
asks from outside is sent away first.
"""


class Bridge(Service):
    """
    Everything that one configuration asks for.

    :param config: checked.
    :param path: the file that it is from, which :meth:`reload` reads again; None for none.
    :param read: what reads it again, instead of the file alone, as with a command line.
    :param reactor: for everything.
    :param upstream: the socket upstream, instead of one by the configuration.
    :param notifier: tells systemd, instead of one by the environment.
    :ivar config: in force.
    :ivar counters: what happened, by rule.
    :ivar parts: what each side is made with.
    """

    _log = Logger()

    def __init__(
        self,
        config: Config,
        *,
        reactor: Any,
        path: str | None = None,
        read: Callable[[], Config] | None = None,
        upstream: Upstream | None = None,
        notifier: SystemdNotifier | None = None,
    ) -> None:
        self.config = config
        config.log.apply()
        self.reactor = reactor
        self.counters = Counters()
        self.upstream = upstream or Upstream(config.upstream, reactor)
        self.parts = {
            "socket": self.upstream.socket,
            "shares": self.upstream.shares,
            "counters": self.counters,
            "reactor": reactor,
        }
        self._notifier = notifier or SystemdNotifier(reactor)
        self._reloading: Reloading[Config] | None = None
        if path is not None:
            self._reloading = Reloading(
                "bridge",
                path,
                read or (lambda: load(path)),
                self._apply,
                reactor,
                self._notifier,
            )
        self._ending: dict[str, Deferred[None]] = {}
        self._sides: dict[str, Side] = {}
        self._missing: dict[str, Health] = {}
        for name, build in _SIDES.items():
            section = getattr(config, name)
            if section is not None:
                self._sides[name] = build(self, section)

    def states(self) -> list[SideState]:
        """How the upstream and each side is, now; one that could not start is down."""
        sides = (side.state() for side in self._sides.values())
        missing = (health.state for health in self._missing.values())
        states = [self.upstream.state(), *sides, *missing]
        if self._reloading is not None and (refused := self._reloading.refused) is not None:
            degraded = Condition.DEGRADED
            states.append(SideState("configuration", degraded, refused.since, refused.reason))
        return states

    # -- IService

    def privilegedStartService(self) -> None:
        """Let sides take ports that need it."""
        for side in self._sides.values():
            side.privilegedStartService()

    def startService(self) -> None:
        """
        Begin to connect upstream, start the sides, which ask it for what they need; and read the
        file again at SIGHUP.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if self._reloading is not None:
            self._reloading.start()  # first: a SIGHUP that nobody obeys ends the process
        self.upstream.startService()
        for side in self._sides.values():
            side.startService()
        self._notifier.startService()
        sides = ", ".join(["upstream", *self._sides])
        self._log.info("bridge started: {sides}", event="bridge.started", sides=sides)

    def stopService(self) -> Deferred[None]:
        """
        Stop in order: nobody new comes in, what is in flight is finished, and then the
        socket is closed.

        :return: fires when all of that is done, at the latest after ``stop_timeout`` and
            the upstream's ``timeouts.close``.  It never fails.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        if self._reloading is not None:
            self._reloading.stop()
        self._notifier.stopService()
        self._log.info("bridge stopping", event="bridge.stopping")
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for name, side in reversed(self._sides.items()):
            self._end(name, side)
        await DeferredList(list(self._ending.values()))
        await self.upstream.stopService()
        if self._reloading is not None:
            self._reloading.end()
        self._notifier.ended()
        self._log.info("bridge stopped", event="bridge.stopped")

    def _end(self, name: str, side: Side) -> None:
        """Stop a side; however that goes, it is over in bounded time."""

        def over(result: Any) -> None:
            self._ending.pop(name, None)
            if isinstance(result, Failure):
                self._log.failure(
                    "the side {side} did not stop well", result, event="side.failed", side=name
                )
            else:
                self._log.info("the side {side} stopped", event="side.stopped", side=name)

        seconds = self.config.operation.stop_timeout + _LATE
        stopped: Deferred[Any] = maybeDeferred(side.stopService)
        done: Deferred[None] = Deferred()
        self._ending[name] = done
        stopped.addTimeout(seconds, self.reactor).addBoth(over).chainDeferred(done)

    # -- reloading

    def reload(self) -> bool:
        """
        Read the file again.  Rules change in one step, without dropping a connection that
        they do not concern; a file that cannot be used, or that changes what only a
        restart can change, changes nothing.

        :return: whether the new rules are in force.
        """
        assert self._reloading is not None
        return self._reloading.reload()

    def _needs_restart(self, config: Config) -> Iterator[Problem]:
        if config.upstream != self.config.upstream:
            yield Problem("upstream", "a change of it takes a restart")
        for name in self._ending:
            yield Problem(name, "is still stopping: reload again in a moment")
        for name, side in self._sides.items():
            # A side may have more to say than its section's own check does.
            find = getattr(side, "needs_restart", None)
            section = getattr(config, name)
            if find is not None and section is not None:
                yield from find(section)

    def _apply(self, config: Config) -> tuple[list[str], list[str]]:
        if needs_restart := list(self._needs_restart(config)):
            raise ConfigError(needs_restart)
        before, self.config = self.config, config
        failed: list[Problem] = []
        config.log.apply()
        for name, build in _SIDES.items():
            section = getattr(config, name)
            side = self._sides.get(name)
            try:
                if side is not None and section is not None:
                    side.reload(section)
                elif section is not None:
                    coming = build(self, section)
                    coming.startService()
                    self._sides[name] = coming
                    self._missing.pop(name, None)
                else:
                    self._missing.pop(name, None)
                    if side is not None:
                        del self._sides[name]
                        self._end(name, side)
            except Exception as problem:
                if section is not None and side is None:
                    # The next reload tries again.
                    missing = self._missing.setdefault(name, Health(name, self.reactor.seconds))
                    missing.fails(f"not started: {problem}")
                self._log.failure("the side {side} did not reload", event="side.failed", side=name)
                self.config = replace(self.config, **{name: getattr(before, name)})
                failed.append(Problem(name, f"did not change, and the others did: {problem}"))
        if failed:
            raise ConfigError(failed)
        return changed(before, config), []
