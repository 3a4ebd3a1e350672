"""
A fresh token for a connection whose identity expires.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..support.timeouts import Timeouts, within_phase
from ..support.timer import Timer

__all__ = ["TokenRenewal"]

_AHEAD = 60.0
"""Seconds before the end at which the first attempt is made; no sooner than halfway there."""

_LAST = 1.0
"""Seconds before the end after which none is made."""


class _Authenticating(Protocol):
    def authenticate(self, token: str) -> Deferred[None]: ...


class TokenRenewal:
    """
    Authenticates a connection with a fresh token before the server ends it.  Where that fails it
    is tried again, each time when half of what is left is over; then the server ends the
    connection, and the client connects as after any other end.

    :param connection: to be authenticated.
    :param fresh_token: buys a token.
    :param timeouts: of the phases "token" and "auth".
    :param reactor: its clock.
    """

    _log = Logger()

    def __init__(
        self,
        connection: _Authenticating,
        fresh_token: Callable[[], Deferred[str]],
        timeouts: Timeouts,
        reactor: IReactorTime,
    ) -> None:
        self._connection = connection
        self._fresh_token = fresh_token
        self._timeouts = timeouts
        self._reactor = reactor
        self._timer = Timer(reactor, self._renew)
        self._end = 0.0
        self._renewing: Deferred[None] | None = None

    def expires_in(self, seconds: float | None) -> None:
        """The server has accepted a token, and ends the connection then; None for never."""
        self._timer.stop()
        if seconds is not None:
            self._end = self._reactor.seconds() + seconds
            self._schedule()

    def stop(self) -> None:
        """The connection has ended."""
        self._timer.stop()
        if self._renewing is not None:
            self._renewing.cancel()

    def _schedule(self) -> None:
        left = self._end - self._reactor.seconds()
        if left >= 2 * _LAST:
            self._timer.start(max(left - _AHEAD, left / 2))

    def _renew(self) -> None:
        renewing = Deferred.fromCoroutine(self._authenticate())
        self._renewing = renewing
        renewing.addErrback(self._failed)

    async def _authenticate(self) -> None:
        timeouts, reactor = self._timeouts, self._reactor
        token = await within_phase(self._fresh_token(), "token", timeouts, reactor)
        await within_phase(self._connection.authenticate(token), "auth", timeouts, reactor)

    def _failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):
            self._log.warn(
                "the server ends this connection soon, and there is no fresh token: {reason}",
                event="client.not_renewed",
                reason=failure.getErrorMessage(),
            )
            self._schedule()
