"""
The side of the bridge that faces a WAMP router.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import replace
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from ...client.service import ReconnectingClientService
from ...client.socket import TokenSocket
from ...errors import ClientClosed
from ...web.tls.policy import explain, is_tls_problem
from ..config.wamp import WampConfig, WampRules
from ..counters import Counters
from ..health import Condition, Health, SideState
from ..shares import Shares
from .forwarding import WampForwarding
from .router_connection import connect
from .router_endpoint import Joined, RouterEndpoint, Session

__all__ = ["WampSide"]


class WampSide(Service):
    """
    Keeps a session with the router, and lets the rules work in it.

    :param section: ``[wamp]``.
    :param socket: the upstream; others start and stop it.
    :param shares: of it.
    :param counters: of the bridge.
    :param reactor: for everything.
    :param connect: connects to the router and joins, without a deadline; by default with
        Autobahn.
    """

    name = "wamp"
    _log = Logger()

    def __init__(
        self,
        section: WampConfig,
        *,
        socket: TokenSocket,
        shares: Shares,
        counters: Counters,
        reactor: Any,
        connect: Callable[[WampConfig, Any], Awaitable[Joined]] = connect,
    ) -> None:
        self._connect = connect
        self._section = section
        self._reactor = reactor
        self._forwarding = WampForwarding(
            section, socket=socket, shares=shares, counters=counters, reactor=reactor
        )
        self._service = self._new_service()
        self._session: Session | None = None
        self._health = Health(self.name, reactor.seconds)

    def _new_service(self) -> ReconnectingClientService[Joined]:
        section = self._section
        backoff = section.backoff.build()
        return ReconnectingClientService(
            self._reactor,
            RouterEndpoint(self._connect, section, self._reactor),
            Factory.forProtocol(Protocol),
            backoff,
            retry_policy=lambda _, attempt: backoff.delay(attempt),
            reconnect=True,
            observer=self,
        )

    # -- Side

    def startService(self) -> None:
        """Connect to the router, and stay connected."""
        super().startService()  # type: ignore[no-untyped-call]
        self._health.become(Condition.STARTING, "connecting")
        self._forwarding.start()
        self._service.startService()

    def stopService(self) -> Deferred[None]:
        """
        Take no new calls and messages, finish what is in flight, and leave the realm.

        :return: fires when the connection is closed, at the latest some seconds after
            ``stop_timeout``.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        try:
            await self._forwarding.stop(self._section.stop_timeout)
        finally:  # also where who stops us waits no longer
            await self._service.stopService()
            self._health.become(Condition.STOPPED, "stopped")

    def state(self) -> SideState:
        """Whether the realm is joined; a bridge that stands by says so in ``detail``."""
        if self._health.state.up:
            self._health.works(self._forwarding.detail)
        return self._health.state

    def reload(self, section: WampConfig) -> None:
        """Take other rules; only a change of other options makes a new session."""
        # What the session depends on is all but the rules.
        rules = {name: getattr(section, name) for name in WampRules.__struct_fields__}
        other = section != replace(self._section, **rules)
        self._section = section
        self._forwarding.reload(section)
        if other and self.running:
            stopped = self._service.stopService()
            self._forwarding.left()
            self._health.become(Condition.STARTING, "connecting again")
            service = self._service = self._new_service()
            stopped.addCallback(lambda _: self._start_again(service))

    def _start_again(self, service: ReconnectingClientService[Joined]) -> None:
        if self.running and service is self._service:
            service.startService()

    # -- ServiceObserver

    def attempt_failed(self, error: Exception, first: bool, retry_in: float | None) -> None:
        """Say why there is no session yet; the service tries again by itself."""
        why = explain(error) if is_tls_problem(error) else str(error)
        if why != self._health.state.detail:  # else it has been said
            self._log.warn(
                "cannot join {realm}: {error}",
                event="wamp.not_joined",
                realm=self._section.realm,
                error=why,
            )
        self._health.fails(why)

    def established(self, connection: Joined, first: bool) -> None:
        """The realm is joined."""
        self._health.works()
        self._log.info("joined {realm}", event="wamp.joined", realm=self._section.realm)
        self._tell_gap()
        self._session = connection.realm
        self._forwarding.joined(connection.realm)

    def _tell_gap(self) -> None:
        """Say when there was no session: nobody knows how many events that has cost."""
        before, self._session = self._session, None
        if before is not None and any(rule.to_upstream for rule in self._section.channels):
            self._log.warn(
                "events of {realm} between {since} and {until} may be lost: there was no session",
                event="wamp.gap",
                realm=self._section.realm,
                since=_utc(before.received_at),
                until=_utc(self._reactor.seconds()),
            )

    def disconnected(self, reason: Exception, retry_in: float | None) -> None:
        """The session is gone."""
        self._health.fails(str(reason))
        self._log.info(
            "left {realm}: {reason}",
            event="wamp.left",
            realm=self._section.realm,
            reason=str(reason),
        )
        self._forwarding.left()

    def gave_up(self, error: ClientClosed) -> None:
        """Not called: the retry policy never gives up."""


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
