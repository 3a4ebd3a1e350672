"""
The side that all others stand on: the socket upstream.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from ..client.socket import TokenSocket
from ..support.backoff import Backoff, RetryPolicy
from .config.upstream import UpstreamConfig
from .health import Condition, Health, SideState
from .shares import Shares

__all__ = ["Upstream", "keep_trying"]


_AS_THEY_ARE = (
    *("port", "shuffle", "token_path", "socket_prefix", "transports", "info", "endpoint"),
    *("ping", "ping_timeout", "silence_timeout", "call_timeout"),
    *("queue_limit", "buffer_limit", "max_message_size"),
)
"""The options of the socket that are options of the section."""


def keep_trying(jitter: Callable[[], float] = random.random) -> RetryPolicy:
    """
    The policy for the subscriptions of rules: what the server refuses today, even what it
    forbids, may be allowed tomorrow, and the rule still asks for it.

    :param jitter: see :class:`~txtokensock.Backoff`.
    """
    return Backoff(first=1.0, cap=60.0, jitter=jitter).retry


class Upstream:
    """
    The socket upstream, and how it is.

    :param section: its options; a change of them needs a restart.
    :param reactor: for everything.
    :param options: more options of the socket, for tests.
    :ivar socket: the socket, which the sides use.
    :ivar shares: what each caller may use of it.
    """

    name = "upstream"
    _log = Logger()

    def __init__(self, section: UpstreamConfig, reactor: Any, **options: Any) -> None:
        self._reactor: IReactorTime = reactor
        plain = {name: getattr(section, name) for name in _AS_THEY_ARE}
        read: dict[str, Any] = {
            # A function, so that secrets that have changed are read for each attempt.
            "authentication": section.credentials,
            "headers": section.revealed_headers,
            "proxy": section.revealed_proxy(),
            "backoff": section.backoff.build(),
            "timeouts": section.timeouts.build(),
            "tls": section.policy(),
        }
        self.socket = TokenSocket(section.host, reactor=reactor, **(plain | read | options))
        self.shares = Shares(lambda: self.socket.limits, reactor.seconds, section.call_timeout)
        self._health = Health(self.name, reactor.seconds)
        self._told: str | None = None  # the last error of no call, on this connection
        self.socket.on("ready", self._connected)
        self.socket.on("reconnect", self._connected)
        self.socket.on("disconnect", self._disconnected)
        self.socket.on("error", self._error)

    def startService(self) -> None:
        """Connect, and stay connected."""
        self._health.become(Condition.STARTING, "connecting")
        self.socket.startService()

    def stopService(self) -> Deferred[None]:
        """:return: fires when the connection is closed, within ``timeouts.close``."""
        return self.socket.stopService()

    def state(self) -> SideState:
        """Whether there is an authenticated connection, and since when."""
        return self._health.state

    def _connected(self, error: Exception | None) -> None:
        if error is None:
            self._told = None
            host = self.socket.connected_to
            self._log.info("upstream connected to {host}", event="upstream.connected", host=host)
            self._health.works()
        else:
            if str(error) != self._health.state.detail:  # else it has been said
                self._log.warn("upstream: {error}", event="upstream.failed", error=error)
            self._health.fails(str(error))

    def _disconnected(self, error: Exception) -> None:
        if self.socket.running:  # else it is an orderly stop
            self._log.warn("upstream lost: {error}", event="upstream.lost", error=error)
        self._health.fails(str(error))

    def _error(self, error: Exception) -> None:
        """What belongs to no call of a side: nobody else would say it."""
        before, self._told = self._told, str(error)
        if self._told != before:
            self._log.warn("upstream: {error}", event="upstream.error", error=error)
