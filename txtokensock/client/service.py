"""
Keeps one authenticated connection, and brings it back when it is lost.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from twisted.application.internet import ClientService
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import AuthenticationAborted, ClientClosed, InvalidOption
from ..support.backoff import Backoff, RetryPolicy
from ..support.checks import check_count
from ..support.quiet_log import Quiet
from ..support.timer import NextTurn, Pause
from ..support.waiters import Waiters
from .retries import Retries

__all__ = ["ReconnectingClientService", "ServiceConnection", "ServiceObserver"]

_APART = 1.0
"""Seconds between the beginnings of two attempts, where somebody insists on the second."""


class ServiceConnection(Protocol):
    """
    What the service keeps: a connection that was authenticated.

    :ivar transport: Twisted's, or what ends the connection as that does.
    :ivar when_lost: called with the reason when the connection is gone.
    """

    transport: Any
    when_lost: Callable[[Failure], object]

    @property
    def closing(self) -> bool:
        """Whether its end has come, or has begun: it is used no more."""


C = TypeVar("C", bound=ServiceConnection)
C_contra = TypeVar("C_contra", bound=ServiceConnection, contravariant=True)


class ServiceObserver(Protocol[C_contra]):
    """The callbacks of the service; each is called in a turn of the reactor of its own."""

    def attempt_failed(self, error: Exception, first: bool, retry_in: float | None) -> None:
        """
        An attempt to connect failed; ``first``: there was no connection yet;
        ``retry_in``: seconds to the next one, None where it gives up.
        """

    def established(self, connection: C_contra, first: bool) -> None:
        """There is an authenticated connection."""

    def disconnected(self, reason: Exception, retry_in: float | None) -> None:
        """An established connection was lost; ``retry_in`` as above."""

    def gave_up(self, error: ClientClosed) -> None:
        """There will be no more attempts; the service has stopped."""


class ReconnectingClientService(Service, Generic[C]):
    """
    Twisted's ``ClientService`` does the connecting, waiting and stopping.  Added is what
    it leaves open: when to give up, what counts as success, and who is told.

    :param reactor: for the waits.
    :param endpoint: connects protocols of ``factory`` and authenticates them.
    :param factory: builds what the endpoint connects, where that needs one.
    :param backoff: when to give up, and what counts as success.
    :param retry_policy: how long to wait; by default that of ``backoff``.
    :param reconnect: False for one connection only: its failure or its loss ends the
        service.
    :param observer: see :class:`ServiceObserver`.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        endpoint: IStreamClientEndpoint,
        factory: IProtocolFactory,
        backoff: Backoff,
        *,
        retry_policy: RetryPolicy | None = None,
        reconnect: bool,
        observer: ServiceObserver[C],
    ) -> None:
        self._reactor = reactor
        self._endpoint = endpoint
        self._factory = factory
        self._retries = Retries(backoff, retry_policy, reconnect)
        self._observer = observer
        self._client: ClientService | None = None
        self._attempts: _Attempts | None = None
        self._stopping: Waiters[None] | None = None
        self._announcements: list[tuple[Callable[..., None], tuple[Any, ...]]] = []
        self._announcing = NextTurn(reactor, self._announce_now)
        self._ready: Waiters[None] = Waiters()
        self._fail_at: dict[Deferred[None], int] = {}
        self._failures = 0
        self._ended: ClientClosed | None = None
        self._reset()

    def _reset(self) -> None:
        self.connection: C | None = None
        self._announced = False
        self._since = 0.0
        self._was_connected = False
        self._retries.start_over()

    # -- IService

    def startService(self) -> None:
        """
        Connect, and stay connected; nothing where it runs already.  Where it is being
        stopped, it first finishes that.
        """
        if self.running:
            return
        super().startService()  # type: ignore[no-untyped-call]
        if self._stopping is None:
            self._start_client()

    def _start_client(self) -> None:
        self._reset()
        self._ended = None
        self._attempts = _Attempts(self, self._endpoint, self._factory)
        self._client = _QuietClientService(
            self._attempts,
            Factory.forProtocol(TwistedProtocol),
            retryPolicy=lambda _: 0.0,  # the attempts wait, for that can be cut short
            clock=self._reactor,
        )
        self._client.startService()

    def stopService(self) -> Deferred[None]:
        """
        Close the connection, or stop trying.

        :return: fires when no connection and no timer is left, at the latest when the
            deadline of an orderly close is over.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return self._stop(ClientClosed("the client was stopped"))

    def _stop(self, reason: ClientClosed) -> Deferred[None]:
        if self._ended is None:
            self._ended = reason
        self.connection = None
        waiting = self._ready.take()
        if self._stopping is not None:
            finished = self._stopping.wait()
        else:
            self._stopping = Waiters()
            finished = self._stopping.wait()
            client, self._client = self._client, None
            stopped = client.stopService() if client is not None else succeed(None)
            stopped.addBoth(self._stopped)
        waiting.fire(Failure(reason.copy()))
        return finished

    def _stopped(self, _: object) -> None:
        self._announce_now()
        stopping, self._stopping = self._stopping, None
        if self.running:  # started again meanwhile
            self._start_client()
        assert stopping is not None
        stopping.fire()

    # -- waiting for it

    def when_ready(self, fail_after: int | None) -> Deferred[None]:
        """Wait for a connection, see :meth:`txtokensock.TokenSocket.when_ready`."""
        try:
            check_count.optional("fail_after", fail_after)
        except InvalidOption as problem:
            return fail(problem)
        if self._ended is not None and not self.running:
            return fail(self._ended.copy())
        if self.connection is not None and not self.connection.closing:
            return succeed(None)
        ready = self._ready.wait()
        if fail_after is not None:
            self._fail_at[ready] = self._failures + fail_after
            ready.addBoth(self._forget, ready)
        return ready

    def reconnect_now(self) -> None:
        """Connect anew, see :meth:`txtokensock.TokenSocket.reconnect_now`."""
        if self.running and self._stopping is None and self._attempts is not None:
            self._attempts.hurry()

    def _forget(self, outcome: Any, ready: Deferred[None]) -> Any:
        del self._fail_at[ready]
        return outcome

    # -- what happened; called by _Attempts, in the middle of ClientService's transitions

    def _attempt_failed(self, failure: Failure) -> None:
        if self._ended is not None:
            return  # cancelled by _stop
        wait = self._retries.attempt_failed(failure)
        self._announce(self._announce_failure, failure.value, wait)

    def _connected(self, connection: C) -> None:
        self._since = self._reactor.seconds()
        self._announce(self._announce_established, connection)

    def _lost(self, reason: Failure, *, hurried: bool) -> None:
        announced, self._announced = self._announced, False
        self.connection = None
        wait = self._retries.wait if hurried else None
        if self._ended is None and not hurried:
            lasted = self._reactor.seconds() - self._since
            wait = self._retries.connection_lost(reason, lasted)
        if announced:
            self._announce(self._announce_loss, reason.value, wait)
            return
        ended = f"the connection ended as soon as it was authenticated: {reason.getErrorMessage()}"
        aborted = AuthenticationAborted(ended)
        aborted.__cause__, aborted.retry_in = reason.value, wait
        self._announce(self._announce_failure, aborted, wait)

    # -- announcements
    #
    # What observers do in return, such as stopping the service, must not meet
    # ClientService in the middle of a transition.

    def _announce(self, what: Callable[..., None], *arguments: Any) -> None:
        self._announcements.append((what, arguments))
        self._announcing.schedule()

    def _announce_now(self) -> None:
        self._announcing.cancel()
        while self._announcements:
            what, arguments = self._announcements.pop(0)
            what(*arguments)

    def _announce_failure(self, error: Exception, wait: float | None) -> None:
        if self._ended is not None:
            return
        self._failures += 1
        failed = self._ready.take(lambda ready: self._fail_at.get(ready) == self._failures)
        client = self._client
        self._observer.attempt_failed(error, not self._was_connected, wait)
        failed.fire(Failure(error))
        if wait is None:
            self._give_up(error, client)

    def _announce_established(self, connection: C) -> None:
        if self._ended is not None or connection.closing:
            return
        self.connection = connection
        self._announced = True
        first = not self._was_connected
        self._was_connected = True
        waiting = self._ready.take()
        self._observer.established(connection, first)
        waiting.fire()

    def _announce_loss(self, error: Exception, wait: float | None) -> None:
        client = self._client
        self._observer.disconnected(error, wait)
        if wait is None:
            self._give_up(error, client)

    def _give_up(self, error: Exception, client: ClientService | None) -> None:
        """:param client: whose failure it was; an observer may have started another one."""
        if client is not self._client or self._ended is not None:
            return
        failed = self._retries.failed
        attempts = f" after {failed} failed attempts" if failed > 1 else ""
        reason = ClientClosed(f"the client gave up{attempts}: {error}")
        reason.__cause__ = error
        super().stopService()  # type: ignore[no-untyped-call]
        # An observer may start the service again, and must find it stopped.
        waiting = self._ready.take()
        self._stop(reason)
        self._observer.gave_up(reason)
        waiting.fire(Failure(error))


class _QuietClientService(ClientService):
    """
    Twisted's, without its line for each retry: our observer's says why there is one, and
    this one would also come where there will be none.
    """

    _log: Any = Quiet()


@implementer(IStreamClientEndpoint)
class _Attempts:
    """
    What ``ClientService`` takes for the endpoint.

    ``ClientService`` wraps each protocol to notice its end, and fails where that comes
    before it was given the protocol, as happens when authentication fails.  So it is
    given a bare protocol after the fact, which stands for the real connection.
    """

    def __init__(
        self,
        service: ReconnectingClientService[Any],
        endpoint: IStreamClientEndpoint,
        factory: IProtocolFactory,
    ) -> None:
        self._service = service
        self._endpoint = endpoint
        self._factory = factory
        self._seconds = service._reactor.seconds
        self._retries = service._retries
        self._pause = Pause(service._reactor)
        self._began = -math.inf
        self._attempt: Deferred[Any] | None = None
        self._connection: Any = None
        self._hurry = False  # what there is was dropped for the next attempt
        self._hurried = False  # the last attempt was made in a hurry

    def __repr__(self) -> str:
        return repr(self._endpoint)

    def hurry(self) -> None:
        """Begin an attempt now, or as soon as the last one began a second ago."""
        now, wait = self._seconds(), self._wait()
        ends = self._connection is not None and self._connection.closing
        if self._attempt is None and self._connection is None:
            self._pause.hasten(wait)
            wait = min(self._retries.wait, wait)  # for one that is about to begin
            self._retries.hurry(now)
            self._retries.wait = wait
            self._hurry = True
        elif (
            (ends or not wait)
            and not self._hurry
            and not (self._attempt is not None and self._hurried)
        ):
            self._retries.hurry(now)
            self._hurry = True
            if self._attempt is not None:
                self._attempt.cancel()
            else:
                self._connection.transport.abortConnection()

    def _wait(self) -> float:
        return max(0.0, self._began + _APART - self._seconds())

    def _begin(self, _: object) -> Deferred[IProtocol]:
        self._began = self._seconds()
        self._hurried, self._hurry = self._hurry, False
        self._attempt = self._endpoint.connect(self._factory)
        return self._attempt

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        def connected(connection: Any) -> IProtocol:
            self._attempt, self._connection = None, connection
            stand_in = protocolFactory.buildProtocol(connection.transport.getPeer())
            assert stand_in is not None
            stand_in.makeConnection(connection.transport)
            connection.when_lost = lambda reason: self._lost(stand_in, reason)
            self._service._connected(connection)
            return stand_in

        def failed(failure: Failure) -> Failure:
            attempt, self._attempt = self._attempt, None
            if self._hurry and attempt is not None:
                self._retries.wait = 0.0
            else:
                self._service._attempt_failed(failure)
            return failure

        # An endpoint may fail at once.  Then the policy would be asked in the middle of a
        # transition, which is no place to stop the client from; a wait of 0 is one turn.
        attempt: Deferred[Any] = self._pause.wait(self._retries.wait).addCallback(self._begin)
        return attempt.addCallbacks(connected, failed)

    def _lost(self, stand_in: IProtocol, reason: Failure) -> None:
        self._connection = None
        if self._hurry:
            self._retries.wait = self._wait()
        self._service._lost(reason, hurried=self._hurry)
        stand_in.connectionLost(reason)
