"""
One connection to Redis, which is made again when it is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.internet import ClientService
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import shorten
from ...support.backoff import Backoff

__all__ = ["RedisConnection"]

_PING_INTERVAL = 10.0
"""Seconds between two pings; nothing else shows that a silent Redis still works."""


_BACKOFF = Backoff(cap=5.0)


class RedisConnection:
    """
    Keeps one connection up, with Twisted's ClientService.

    :param reactor: for every timer.
    :param endpoint: to connect with.
    :param build: makes a txredisapi protocol.
    :param ready: called without arguments when Redis answers.
    :param lost: called without arguments when the connection is lost.
    :param backoff: between attempts.  Only a Redis that has answered for
        ``stable_after`` seconds counts as success: one that lets in and then drops, or
        that wants another password, is not to be hammered.
    :ivar protocol: None while Redis does not answer.
    :ivar since: since when that is so, in seconds by the reactor's clock.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: IStreamClientEndpoint,
        build: Callable[[], Any],
        ready: Callable[[], None],
        lost: Callable[[], None],
        backoff: Backoff = _BACKOFF,
    ) -> None:
        self._reactor = reactor
        self._on_ready = ready
        self._on_lost = lost
        self._newest: Any = None
        self.protocol: Any = None
        self.since = reactor.seconds()
        self._backoff = backoff
        self._failures = 0
        self._pings = LoopingCall(self._ping)
        self._pings.clock = reactor
        self._service = ClientService(
            endpoint,
            _Factory(reactor, build, self),
            retryPolicy=lambda _: self._next_delay(),
            clock=reactor,
        )
        self._service.startService()

    def close(self) -> Deferred[None]:
        """:return: fires with None when it is gone.  Never fails."""
        newest, self._newest = self._newest, None
        if self._pings.running:
            self._pings.stop()
        self.protocol = None
        if newest is not None:
            # Redis may not be reading: an orderly close could take for ever.
            newest.transport.abortConnection()
        return maybeDeferred(self._service.stopService).addErrback(self._ignore)

    # -- for the factory

    def connected(self, protocol: Any) -> None:
        """Connected and authenticated.  A Redis that hangs gets so far as well, so ask it."""
        self._newest = protocol
        answer: Deferred[Any] = maybeDeferred(protocol.ping)
        answer.addCallback(self._answers, protocol)
        answer.addErrback(self._not_ready, protocol)

    def disconnected(self, protocol: Any) -> None:
        """The connection is gone."""
        if self._newest is protocol:
            self._newest = None
        if self.protocol is protocol:
            now = self._reactor.seconds()
            if now - self.since >= self._backoff.stable_after:
                self._failures = 0
            self.protocol = None
            self.since = now
            self._pings.stop()
            self._log.warn("Redis is gone")
            self._on_lost()

    def _next_delay(self) -> float:
        self._failures += 1
        return self._backoff.delay(self._failures)

    def refused(self, why: str) -> None:
        """Log why Redis does not serve us."""
        self._log.error("{why}", why=shorten(why))

    def _answers(self, _: object, protocol: Any) -> None:
        if self._newest is protocol:
            self.protocol = protocol
            self.since = self._reactor.seconds()
            self._pings.start(_PING_INTERVAL, now=False)
            self._log.info("Redis answers")
            self._on_ready()

    def _not_ready(self, failure: Failure, protocol: Any) -> None:
        """Redis is loading its data, or wants a password: connect again in a while."""
        if self._newest is protocol:
            self.refused(f"Redis does not serve us: {failure.value}")
            protocol.transport.abortConnection()

    def _ping(self) -> None:
        # Without an answer in time, the protocol drops its connection.
        answer: Deferred[Any] = maybeDeferred(self.protocol.ping)
        answer.addErrback(self._ignore)

    def _ignore(self, failure: Failure) -> None:
        """Do nothing: :meth:`disconnected` reports a lost connection."""


class _Factory(Factory):
    """What a txredisapi protocol needs of its factory, without txredisapi's reconnecting."""

    noisy = False
    isLazy = False

    def __init__(
        self, reactor: IReactorTime, build: Callable[[], Any], connection: RedisConnection
    ) -> None:
        self._reactor = reactor
        self._build = build
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self._build()
        protocol.factory = self
        protocol.callLater = self._reactor.callLater  # txredisapi took the global one's
        protocol.whenConnected().addCallback(self._connection.connected)
        protocol.whenDisconnected().addCallback(self._connection.disconnected)
        return protocol

    def stopTrying(self) -> None:
        """ClientService goes on: the password may be right tomorrow."""

    def connectionError(self, why: str) -> None:
        self._connection.refused(why)
