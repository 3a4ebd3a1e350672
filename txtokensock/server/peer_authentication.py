"""
Authentication of one peer: ``auth`` with a token.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import StoreUnavailable
from ..messages.from_client import Auth, Uuid
from ..messages.from_server import encode_auth_success, encode_error_answer
from ..support.steady_clock import wall_seconds
from ..support.timer import Timer
from .close_codes import (
    AUTHENTICATION_REFUSED,
    AUTHENTICATION_TIMEOUT,
    IDENTITY_EXPIRED,
    NOT_AUTHENTICATED,
    STORE_UNAVAILABLE,
)
from .hooks import Refused
from .ops.observer import Outcome
from .peer import PeerConnection
from .server_context import ServerContext
from .tokens import Identity, seconds_left, spend

__all__ = ["PeerAuthentication"]


class PeerAuthentication:
    """
    The first ``auth`` of a peer, within a deadline, and any later one with a fresh token, as
    node-token-sockjs has it: while that is pending, the peer keeps its identity.

    :param context: what the server's peers share.
    :param connection: of the peer.
    """

    __slots__ = ("_closed", "_connection", "_context", "_expiry", "_pending", "_within")

    _log = Logger()

    def __init__(self, context: ServerContext, connection: PeerConnection) -> None:
        self._context = context
        self._connection = connection
        self._pending: Deferred[Identity] | None = None
        self._within: float | None = None  # seconds that it may take, while it is awaited
        self._expiry: Timer | None = None  # for the few that have one
        self._closed = False

    @property
    def pending(self) -> bool:
        """Whether the token of an ``auth`` is being looked up."""
        return self._pending is not None

    def start_deadline(self) -> None:
        """Give the peer, which is connected now, ``Limits.auth_timeout`` seconds for ``auth``."""
        context = self._context
        self._within = context.limits.auth_timeout
        context.deadlines.add(self, self._within, context.reactor.seconds())

    def _stop_deadline(self) -> None:
        if self._within is not None:
            self._context.deadlines.remove(self, self._within)
            self._within = None

    def late(self) -> None:
        """No ``auth`` has succeeded in time, nor in this turn before those that were late too."""
        if self._within is not None:
            self._connection.end(AUTHENTICATION_TIMEOUT)

    def handle(self, request: Auth) -> None:
        """Handle an ``auth``; it is answered when the token and the hooks have decided."""
        if self._pending is not None:
            # With two tokens at once, chance would decide which identity stays.
            self._context.observer.request_answered("auth", "refused", 0.0)
            self._connection.send(encode_error_answer("auth", request.uuid, "Forbidden"))
            if self._connection.state.identity is None:
                self._connection.end(NOT_AUTHENTICATED)
            return
        if self._within is None:
            self.start_deadline()
        uuid = request.uuid
        self._pending = Deferred.fromCoroutine(self._prove(request.token))
        begun = self._context.reactor.seconds()
        self._pending.addCallbacks(
            self._proved,
            self._not_proved,
            callbackArgs=(uuid, begun),
            errbackArgs=(uuid, begun),
        )

    def close(self) -> None:
        """Stop: the peer is gone, and its ``auth`` is not answered any more."""
        self._closed = True
        self._stop_deadline()
        if self._expiry is not None:
            self._expiry.stop()
        if self._pending is not None:
            self._pending.cancel()

    async def _prove(self, token: str) -> Identity:
        link = self._context.hub.link
        if link is None:
            raise StoreUnavailable("the server is not running")
        identity = await spend(link, token)
        if identity is None:
            raise Refused("Token not found")
        left = self._seconds_left(identity)
        if left is not None and left <= 0:
            raise Refused(IDENTITY_EXPIRED.reason)
        await self._context.hooks.ask("authentication", self._connection.peer, identity)
        return identity

    def _proved(self, identity: Identity, uuid: Uuid, begun: float) -> None:
        self._pending = None
        if not self._closed:
            self._answered("success", begun)
            self._stop_deadline()
            self._connection.state.limits = limits = self._context.limits_of(identity)
            self._connection.state.identity = identity
            self._connection.authenticated()
            left = self._seconds_left(identity)
            self._expire_in(left)
            announced = limits.announced() if self._context.acks else None
            self._connection.send(encode_auth_success(uuid, announced, left))

    def _expire_in(self, seconds: float | None) -> None:
        if self._expiry is not None:
            self._expiry.stop()
        if seconds is not None:
            end = partial(self._connection.end, IDENTITY_EXPIRED)
            self._expiry = self._expiry or Timer(self._context.reactor, end)
            self._expiry.start(max(0.0, seconds))

    def _seconds_left(self, identity: Identity) -> float | None:
        return seconds_left(identity, wall_seconds(self._context.reactor))

    def _not_proved(self, failure: Failure, uuid: Uuid, begun: float) -> None:
        self._pending = None
        if self._closed:
            self._answered("cancelled", begun)
            return  # also the CancelledError of our own making
        self._answered(_problem(failure), begun)
        self._stop_deadline()
        self._connection.send(encode_error_answer("auth", uuid, self._refusal(failure)))
        if not failure.check(StoreUnavailable):
            self._connection.end(AUTHENTICATION_REFUSED)
        elif self._connection.state.identity is None:
            self._connection.end(STORE_UNAVAILABLE)

    def _refusal(self, failure: Failure) -> Any:
        if isinstance(failure.value, Refused):
            return failure.value.error
        if failure.check(StoreUnavailable):
            return "Store unavailable"
        return self._context.outcome_error(failure, "auth", self._connection.peer)

    def _answered(self, outcome: Outcome, begun: float) -> None:
        context = self._context
        context.observer.request_answered("auth", outcome, context.reactor.seconds() - begun)


def _problem(failure: Failure) -> Outcome:
    if failure.check(Refused):
        return "refused"
    return "store_unavailable" if failure.check(StoreUnavailable) else "exception"
