"""
One connection to Redis, which is made again when it is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from attrs import define, field
from twisted.application.internet import ClientService
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.interfaces import IAddress, IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import shorten
from ...support.backoff import Backoff
from ...support.waiters import Waiters
from .redis_checks import check_redis, is_elsewhere, reason

__all__ = ["ConnectionObserver", "RedisConnection", "RedisFactory"]

_PING_INTERVAL = 10.0
"""Seconds between two pings; nothing else shows that a silent Redis still works."""


class ConnectionObserver:
    """Is told what happens on a connection to Redis, by :class:`RedisFactory`."""

    def connected(self, protocol: Any) -> None:
        """Connected and authenticated: commands can be sent."""

    def heard(self) -> None:
        """Bytes came, whatever they say."""

    def fails(self, why: str) -> None:
        """It is of no use: a password is wrong, or what answers is not Redis."""

    def lost(self, why: Failure) -> None:
        """It is gone; commands that wait fail next, and then ``disconnected`` is called."""

    def disconnected(self, protocol: Any) -> None:
        """The connection of this protocol is gone."""


@define(eq=False, repr=False, slots=False)
class RedisConnection(ConnectionObserver):
    """
    Keeps one connection up, with Twisted's ClientService.

    :param reactor: for every timer.
    :param endpoint: to connect with.
    :param build: makes a txredisapi protocol.
    :param on_ready: called without arguments when Redis answers.
    :param on_lost: called without arguments when the connection is lost.
    :param check: called with a protocol whose Redis answers, at first and then every ten
        seconds; raises what keeps that Redis from serving us.
    :param backoff: between attempts.  Only a Redis that has answered for
        ``stable_after`` seconds counts as success: one that lets in and then drops, or
        that wants another password, is not to be hammered.
    :ivar protocol: None while Redis does not answer.
    :ivar problem: why Redis does not answer, or takes no writes, in one line; None where it
        does, and where it was not asked yet.
    :ivar beside: another connection to the same Redis; what it said is not said again.
    :ivar since: since when it works, or does not, in seconds by the reactor's clock.
    :ivar heard_at: when anything came from Redis for the last time.
    """

    _log = Logger()

    _reactor: IReactorTime
    _endpoint: IStreamClientEndpoint
    _build: Callable[[], Any]
    _on_ready: Callable[[], None]
    _on_lost: Callable[[], None]
    _check: Callable[[Any], Coroutine[Any, Any, None]]
    _backoff: Backoff
    protocol: Any = field(init=False, default=None)
    problem: str | None = field(init=False, default=None)
    beside: RedisConnection | None = field(init=False, default=None)
    _newest: Any = field(init=False, default=None)
    _closed: bool = field(init=False, default=False)
    _told: bool = field(init=False, default=False)
    _lost_because: Failure | None = field(init=False, default=None)
    _first: Waiters[None] = field(init=False, factory=Waiters)
    _failures: int = field(init=False, default=0)

    def __attrs_post_init__(self) -> None:
        self.since = self.heard_at = self._answered_at = self._reactor.seconds()
        self._pings = LoopingCall(lambda: self._ask(self.protocol))
        self._pings.clock = self._reactor
        self._service = ClientService(
            _Telling(self._endpoint, self),
            RedisFactory(self._reactor, self._build, self),
            retryPolicy=lambda _: self._next_delay(),
            clock=self._reactor,
        )
        self._service.startService()

    def close(self) -> Deferred[None]:
        """:return: fires with None when it is gone.  Never fails."""
        self._closed = True
        self._first.fire()
        newest, self._newest = self._newest, None
        if self._pings.running:
            self._pings.stop()
        self.protocol = None
        if newest is not None:
            # Redis may not be reading: an orderly close might not end.
            newest.transport.abortConnection()
        # A lost connection is reported by disconnected().
        return maybeDeferred(self._service.stopService).addErrback(lambda _: None)

    def known(self) -> Deferred[None]:
        """:return: fires when Redis has answered or failed for the first time, or at the close."""
        if self.protocol is not None or self.problem is not None or self._closed:
            return succeed(None)
        return self._first.wait()

    # -- for the factory

    def connected(self, protocol: Any) -> None:
        """Connected and authenticated.  A Redis that hangs gets so far as well, so ask it."""
        self._newest = protocol
        self._ask(protocol)

    def begins(self) -> None:
        """An attempt begins: what it meets may be something else than before."""
        self._told = False
        self._lost_because = None

    def heard(self) -> None:
        """Bytes came, whatever they say."""
        self.heard_at = self._reactor.seconds()

    def lost(self, why: Failure) -> None:
        """Remember why, for :meth:`disconnected`."""
        self._lost_because = why

    def disconnected(self, protocol: Any) -> None:
        """The connection is gone."""
        if self._newest is protocol:
            self._newest = None
        was_in_use = self.protocol is protocol
        if was_in_use:
            if self._reactor.seconds() - self._answered_at >= self._backoff.stable_after:
                self._failures = 0
            self.protocol = None
            self._pings.stop()
        if not self._told and not self._closed:
            why = self._lost_because
            self.fails("the connection was lost" + (f": {reason(why)}" if why else ""))
        if was_in_use:
            self._on_lost()

    def _next_delay(self) -> float:
        self._failures += 1
        return self._backoff.delay(self._failures)

    def fails(self, why: str) -> None:
        """Redis does not serve us: the log says why, once for each reason."""
        self._told = True
        why = shorten(why)
        if self.problem is None:
            self.since = self._reactor.seconds()
        if self.problem != why:
            self.problem = why
            self._first.fire()
            if self.beside is not None and self.beside.problem == why:
                return
            self._log.error("Redis does not serve us: {why}", event="redis.failed", why=why)

    def refuses(self, why: str, *, reconnect: bool) -> None:
        """
        Redis answers, and does not serve us.

        :param why: for people.
        :param reconnect: whether another connection may do, or may lead to one that does.
        """
        self.fails(why)
        if reconnect and self.protocol is not None:
            self.protocol.transport.abortConnection()

    def _ask(self, protocol: Any) -> None:
        """Without an answer in time, the protocol drops its connection."""
        Deferred.fromCoroutine(self._asked(protocol)).addErrback(self._not_ready, protocol)

    async def _asked(self, protocol: Any) -> None:
        await check_redis(protocol)
        why = None
        try:
            await self._check(protocol)
        except Exception:
            why = reason(Failure())
            if is_elsewhere(why):
                raise
        if self._is_in_use(protocol):
            self._answers(protocol, why)

    def _is_in_use(self, protocol: Any) -> bool:
        return self._newest is protocol and self._lost_because is None

    def _not_ready(self, failure: Failure, protocol: Any) -> None:
        """Redis is loading its data, or wants a password: connect again in a while."""
        if self._is_in_use(protocol):
            self.fails(reason(failure))
            protocol.transport.abortConnection()

    def _answers(self, protocol: Any, why: str | None) -> None:
        """:param why: it does not serve all the same."""
        if why is not None:
            self.fails(why)
        elif self.problem is not None or self.protocol is None:
            self.problem = None
            self._told = False
            self.since = self._reactor.seconds()
            self._log.info("Redis answers", event="redis.works")
        if self.protocol is None:
            self.protocol = protocol
            self._answered_at = self._reactor.seconds()
            self._pings.start(_PING_INTERVAL, now=False)
            self._on_ready()
            self._first.fire()


@define(eq=False, repr=False, slots=False)
class RedisFactory(Factory):
    """
    What a txredisapi protocol needs of its factory, without txredisapi's reconnecting.

    :param reactor: for timeouts.
    :param build: makes the protocol.
    :param connection: is told what happens.
    """

    noisy = False
    isLazy = False

    _reactor: IReactorTime
    _build: Callable[[], Any]
    _connection: ConnectionObserver

    def buildProtocol(self, addr: IAddress | None) -> Any:
        protocol = self._build()
        connection_lost = protocol.connectionLost

        def lost(why: Failure) -> None:
            self._connection.lost(why)
            connection_lost(why)

        data_received = protocol.dataReceived

        def received(data: bytes) -> None:
            self._connection.heard()
            try:
                data_received(data)
            except Exception as problem:  # what answers there is not Redis
                self._connection.fails(f"it does not speak Redis's protocol: {problem}")
                protocol.transport.abortConnection()

        protocol.connectionLost = lost  # txredisapi keeps the reason to itself
        protocol.dataReceived = received
        protocol.factory = self
        protocol.callLater = self._reactor.callLater  # txredisapi took the global one's
        protocol.whenConnected().addCallback(self._connection.connected)
        protocol.whenDisconnected().addCallback(self._connection.disconnected)
        return protocol

    def stopTrying(self) -> None:
        """Whoever connects decides on that: the password may be right tomorrow."""

    def connectionError(self, why: str) -> None:
        self._connection.fails(why)


@implementer(IStreamClientEndpoint)
class _Telling:
    """An endpoint whose failures are told; ClientService keeps them to itself."""

    def __init__(self, endpoint: IStreamClientEndpoint, connection: RedisConnection) -> None:
        self._endpoint = endpoint
        self._connection = connection

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Connect to Redis; see ``IStreamClientEndpoint``."""
        self._connection.begins()
        connecting: Deferred[Any] = self._endpoint.connect(protocolFactory)
        return connecting.addErrback(self._failed)

    def _failed(self, failure: Failure) -> Failure:
        if not failure.check(CancelledError):
            self._connection.fails(f"it cannot be connected to: {reason(failure)}")
        return failure
