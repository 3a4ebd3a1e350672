"""
HTTP in, as a side of the bridge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import (
    CancelledError,
    Deferred,
    DeferredList,
    TimeoutError,
    maybeDeferred,
)
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...address import shown_address
from ...client.socket import TokenSocket
from ...config.section import Problem
from ...errors import InvalidOption
from ...web.server.proxy_protocol import server_endpoint
from ...web.server.trusted_proxies import TrustedProxies
from ...web.tls.server_certificate import TLSServerEndpoint
from ..config.http import HttpConfig
from ..counters import Counters
from ..health import Condition, Health, SideState
from ..shares import Shares
from .api_keys import ApiKeys
from .bridge_site import bridge_site, site_limits
from .replay_file import ReplayFile
from .routes import Pages
from .signed import Replays

__all__ = ["HttpSide"]

_FLUSH = 2.0
"""Seconds that the last answers have to leave, behind ``stop_timeout``."""


class HttpSide(Service):
    """
    Serves :class:`.routes.Pages`.

    :param section: checked.
    :param socket: upstream.
    :param shares: of it.
    :param counters: by rule.
    :param states: of all sides, for the pages.
    :param stop_timeout: seconds for what is in flight when the bridge stops.
    :raises InvalidOption: if a secret cannot be read, or the file of signed requests cannot
        be used.
    """

    name = "http"
    _log = Logger()

    def __init__(
        self,
        section: HttpConfig,
        *,
        socket: TokenSocket,
        shares: Shares,
        counters: Counters,
        reactor: Any,
        states: Callable[[], list[SideState]],
        stop_timeout: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._section = section
        self._certificate = section.read_certificate()
        self._stop_timeout = stop_timeout
        self._replays = Replays()
        self._keep_replays(section)
        self._pages = Pages(
            section,
            ApiKeys(section, self._replays),
            socket=socket,
            shares=shares,
            counters=counters,
            states=states,
            reactor=reactor,
        )
        self.site = bridge_site(self._pages, section, reactor, self._pages.counts.refused)
        self._port: IListeningPort | None = None
        self._health = Health(self.name, reactor.seconds)

    def _keep_replays(self, section: HttpConfig) -> None:
        if not self._replays.kept and any(key.scheme == "signed" for key in section.keys):
            self._replays.keep(ReplayFile(section.signed_requests))

    # -- IService

    def privilegedStartService(self) -> None:
        """
        Listen before ``twistd`` gives up its privileges.

        :raises InvalidOption: if it cannot listen.
        """
        try:
            endpoint = server_endpoint(self._reactor, self._section.listen)
            if self._certificate is not None:
                endpoint = TLSServerEndpoint(endpoint, self._certificate)
        except Exception as problem:
            raise InvalidOption(f"http.listen: {problem}") from None
        outcome: list[Any] = []
        listening: Deferred[Any] = endpoint.listen(self.site)
        listening.addBoth(outcome.append)
        if not outcome:
            listening.cancel()
            raise InvalidOption(f"http.listen: {self._section.listen} does not listen at once")
        if isinstance(outcome[0], Failure):
            raise InvalidOption(f"http.listen: {_explain(self._section.listen, outcome[0].value)}")
        self._port = outcome[0]

    def startService(self) -> None:
        """Take requests; the upstream socket may not be connected yet."""
        super().startService()  # type: ignore[no-untyped-call]
        self._pages.stopping = False
        self._pages.streams.start(self._section.heartbeat, self._section.stream_timeout)
        self._listen()

    def _listen(self) -> None:
        """Listen, unless that was done; failures are logged."""
        try:
            self._keep_replays(self._section)  # where it was stopped before
            if self._port is None:
                self.privilegedStartService()
        except InvalidOption as problem:
            self._log.error("{problem}", event="http.not_listening", problem=problem)
            self._health.fails(str(problem))
            return
        assert self._port is not None
        where = self._port.getHost()
        address = shown_address(where) or where
        self._log.info("HTTP on {address}", event="http.listening", address=address)
        self._warn()
        self._health.works()

    def _warn(self) -> None:
        if self._section.authentication == "none":
            self._log.warn(
                "all who can reach {address} may do everything: http.authentication is 'none'",
                event="http.open",
                address=self._section.listen,
            )

    def stopService(self) -> Deferred[None]:
        """
        Take nothing new, and finish what is in flight.

        :return: fires when no connection is left, at the latest after ``stop_timeout``
            and two seconds.  It never fails.
        """
        super().stopService()  # type: ignore[no-untyped-call]
        self._health.become(Condition.STOPPED, "stopping")
        self._pages.stopping = True
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        port, self._port = self._port, None
        if port is not None:
            await maybeDeferred(port.stopListening)
        self._pages.streams.stop()
        idle = [self._pages.requests.all.idle(), self._pages.publishing.waiting.idle()]
        both = DeferredList(idle, consumeErrors=True)  # which a timeout does not let fail
        await both.addTimeout(self._stop_timeout(), self._reactor)
        if self._pages.requests.all.taken or self._pages.publishing.waiting.taken:
            self._log.warn(
                "{requests} requests and {queued} publishes are given up",
                event="http.given_up",
                requests=self._pages.requests.all.taken,
                queued=self._pages.publishing.waiting.taken,
            )
        self._pages.answered.stop()
        self._replays.close()
        # What was just answered is written in this turn.
        await deferLater(self._reactor, 0)
        try:
            await self.site.close_connections().addTimeout(_FLUSH, self._reactor)
        except (TimeoutError, CancelledError):  # the latter from who waits no longer
            await self.site.abort_connections()

    # -- Side

    def state(self) -> SideState:
        """Whether it listens, and since when."""
        return self._health.state

    def needs_restart(self, section: HttpConfig) -> Iterator[Problem]:
        """The changes in another configuration that need a restart."""
        if section.listen != self._section.listen:
            yield Problem("http.listen", "a change of it takes a restart")
        if (section.certificate is None) != (self._certificate is None):
            yield Problem("http.certificate", "to have one, or none any more, takes a restart")
        if section.signed_requests != self._section.signed_requests and self._replays.kept:
            yield Problem("http.signed_requests", "a change of it takes a restart")
            return
        try:
            self._keep_replays(section)
        except InvalidOption as problem:
            path, _, why = str(problem).partition(": ")
            yield Problem(path, why)

    def reload(self, section: HttpConfig) -> None:
        """
        Use other keys, numbers, and another certificate from now on.

        :raises InvalidOption: if a secret or the certificate cannot be read any more, or the file
            of signed requests cannot be used; then nothing changes.
        """
        certificate = section.read_certificate()
        self._keep_replays(section)
        authentication = ApiKeys(section, self._replays)
        shown = self._certificate
        if certificate is not None and shown is not None and shown.become(certificate):
            self._log.info("clients are shown another certificate", event="http.certificate")
        self._section = section
        self.site.limits = site_limits(section)
        self.site.trusted_proxies = TrustedProxies(section.trusted_proxies)
        self._pages.configure(section, authentication)
        self._pages.streams.start(section.heartbeat, section.stream_timeout)
        if self._port is None:
            self._listen()
        else:
            self._warn()


def _explain(where: str, problem: BaseException | None) -> str:
    reason = getattr(getattr(problem, "socketError", None), "strerror", None) or problem
    return f"cannot listen on {where}: {reason}"
