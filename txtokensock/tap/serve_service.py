"""
What ``twistd tokensock serve`` runs: a server, and the ports that lead to it.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..config.document import ConfigError
from ..config.reloading import Reloading, changed
from ..config.section import Problem
from ..errors import InvalidOption
from ..server import TokenSocketServer
from ..server.limits import LimitsFor
from ..server.ops.admin import AdminPages
from ..support.systemd import SystemdNotifier
from ..web.server.site import BoundedSite
from ..web.tls.server_certificate import ServerCertificate
from .endpoint_service import EndpointService
from .serve_config import ServeConfig

__all__ = ["Parts", "ServeService"]

_SIGNALS = (signal.SIGTERM, signal.SIGINT)

_TAKEN = {
    "server": (
        *("allowed_origins", "allowed_hosts", "trusted_proxies", "limits_for"),
        *("drain_delay", "drain"),
    ),
    "tls": ("certificate", "key"),
    "admin": ("key",),
}
"""The options that a reload changes, besides all of ``[limits]``, ``[sockjs]`` and ``[log]``."""


@dataclass(frozen=True, slots=True)
class Parts:
    """
    What a configuration becomes.

    :ivar server: the server.
    :ivar listening: listen for clients.
    :ivar admin: listens for operators.
    :ivar certificate: of those that use TLS.
    :ivar pages: for operators.
    :ivar limits_for: the application's function, which no reload changes.
    """

    server: TokenSocketServer
    listening: Sequence[EndpointService]
    admin: EndpointService | None
    certificate: ServerCertificate | None
    pages: AdminPages | None
    limits_for: LimitsFor | None


class ServeService(MultiService):
    """
    A server and the ports that it listens on, which stop in order: the server drains, then no
    client can connect any more, then the server ends its peers, and the admin pages end last.

    :param config: what it is made by.
    :param parts: what was made.
    :param load: reads the configuration again.
    :param path: where that is from, for people.
    :param reactor: for everything.
    :param welcome: a text that is printed to standard output once it serves.
    """

    _log = Logger()

    def __init__(
        self,
        config: ServeConfig,
        parts: Parts,
        load: Callable[[], ServeConfig],
        *,
        path: str,
        reactor: Any,
        welcome: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._config = config
        config.log.apply()
        self._parts = parts
        self._reactor = reactor
        self._welcome = welcome
        self._notifier = SystemdNotifier(reactor)
        self._reloading = Reloading("serve", path, load, self._apply, reactor, self._notifier)
        if parts.pages is not None:
            parts.pages.refused = lambda: self._reloading.refused
        for service in (parts.server, *parts.listening, parts.admin):
            if service is not None:
                service.setServiceParent(self)

    def startService(self) -> None:
        """Start all, and print the welcome."""
        self._reloading.start()  # first: a SIGHUP that nobody obeys ends the process
        super().startService()  # type: ignore[no-untyped-call]
        self._notifier.startService()
        if self._welcome is not None:
            # Not in the log: its time stamps would be copied with the commands.
            print(self._welcome, file=sys.__stdout__, flush=True)

    def stopService(self) -> Deferred[None]:
        """
        Another SIGTERM, or SIGINT, waits no longer for anybody, and a third one ends the process.

        :return: fires with None when the last answer was sent or given up, see
            :meth:`TokenSocketServer.stopService`, and nothing listens any more.
        """
        Service.stopService(self)
        self._reloading.stop()
        self._notifier.stopService()
        self._log.info(
            "stopping: {count} peers may finish their requests",
            event="serve.stopping",
            count=len(self._parts.server.peers()),
        )
        previous = [(each, signal.signal(each, self._another)) for each in _SIGNALS]

        def restore(outcome: Any) -> Any:
            self._reloading.end()
            for number, handler in previous:
                signal.signal(number, handler or signal.SIG_DFL)
            return outcome

        return Deferred.fromCoroutine(self._stop()).addBoth(restore)

    def _another(self, number: int, _: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        self._reactor.callFromThread(self._hurry)

    def _hurry(self) -> None:
        self._log.info("told again to stop: all peers are closed now", event="serve.hurried")
        self._parts.server.hurry()

    async def _stop(self) -> None:
        server, admin = self._parts.server, self._parts.admin
        if self._config.drain() or self._config.server.drain_delay:
            await server.drain()
        # All in one turn, in this order: no client can connect between them.
        closed = [each.stopService() for each in self._parts.listening]
        stopped = server.stopService()
        for each in (*closed, stopped):
            await each
        if admin is not None:
            await admin.stopService()
        self._notifier.ended()

    # -- reloading

    def reload(self) -> bool:
        """
        Read the configuration again.  What can change without a restart does; a configuration
        that cannot be used, or whose certificate cannot, changes nothing.

        :return: whether it was taken.
        """
        return self._reloading.reload()

    def _apply(self, config: ServeConfig) -> tuple[list[str], list[str]]:
        running = _in_force(self._config, config)
        try:
            certificate = None if running.tls is None else running.tls.read()
            options = running.options()
            if isinstance(running.server.limits_for, str):
                options["limits_for"] = self._parts.limits_for
            self._parts.server.reconfigure(**options)
        except InvalidOption as problem:
            raise ConfigError([Problem("", str(problem))]) from None
        taken = changed(self._config, running)
        shown = self._parts.certificate
        if certificate is not None and shown is not None and shown.become(certificate):
            taken.append("the certificate")
        self._show(running)
        running.log.apply()
        self._config = running
        return taken, changed(running, config)

    def _show(self, config: ServeConfig) -> None:
        """Let the pages for operators be read with the key, and through the proxies, of now."""
        pages, admin = self._parts.pages, self._parts.admin
        if pages is None or admin is None or config.admin is None:
            return
        pages.key = None if config.admin.key is None else config.admin.key.for_header()
        pages.allow_hosts(config.server.allowed_hosts)
        assert isinstance(admin.site, BoundedSite)
        admin.site.trusted_proxies = self._parts.server.trusted_proxies


def _in_force(before: ServeConfig, after: ServeConfig) -> ServeConfig:
    """The configuration of before, with what can change of the other one."""
    sections: dict[str, Any] = {"limits": after.limits, "sockjs": after.sockjs, "log": after.log}
    for name, options in _TAKEN.items():
        old, new = getattr(before, name), getattr(after, name)
        if old is None or new is None:
            continue
        values = {option: getattr(new, option) for option in options}
        if name == "server" and str in (type(old.limits_for), type(new.limits_for)):
            del values["limits_for"]  # code, which a restart loads
        if name != "admin" or old.listen == new.listen:  # for where it listens it may need a key
            sections[name] = replace(old, **values)
    return replace(before, **sections)
