"""
A twisted.web site with limits where twisted.web has none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web.resource import IResource
from twisted.web.server import Site

from ...support.deadlines import Deadlines, Late
from ...support.slices import Slices
from .access_log import access_log_line
from .admissions import Admissions, CountedConnection
from .bounded_channel import BoundedChannel, TurnedAway
from .bounded_request import BoundedRequest
from .descriptors import Descriptors
from .site_limits import Refusal, Refusals, SiteLimits
from .trusted_proxies import TrustedProxies

__all__ = ["BoundedSite"]

_FILES = 8
"""Which part of the descriptors the temporary files of one address may take."""

_GRACE = 1.0
"""Seconds that a connection has for its first head before a newcomer may get its place."""

_FEW = 10
"""So many connections of one address are too few to look at the limits."""


_log = Logger()


def _expired(late: list[Late]) -> None:
    for each in late:
        try:
            each.late()
        except Exception:  # of what is told of refusals: the others have had their time as well
            _log.failure("a connection could not be closed", event="site.failed")


class BoundedSite(Site):
    """
    A site that anybody may connect to, with limits.  A plain :class:`twisted.web.server.Site`
    takes bodies of any size, into memory if they are forms, else into temporary files; and a
    client that sends requests and reads no responses fills its memory with responses.

    It does not parse forms: ``request.args`` holds the query, and the body of a form is in
    ``request.content``, as any other body is.  twisted.web parses forms before it calls a
    resource, and some forms of a few megabytes take minutes, in which the process does
    nothing else.

    Its access log holds no query.

    It speaks HTTP/1.1 alone, as WebSockets do.

    :param resource: the root of the site.
    :param limits: the limits.
    :param logged: whether requests are written to the access log.
    :param answers_too_large: whether the resource answers requests whose body is too large;
        ``request.too_large`` marks them.  By default they are answered 413 at once, and the
        connection is closed.
    :param request: the class of its requests.
    :param trusted_proxies: whose word is taken for the client's address, in the log as well.
    :param descriptors: how many the process may open; near the end the site turns clients away.
    :param on_refusal: called with the limit that a connection has crossed, each time.
    :param options: further arguments of :class:`twisted.web.server.Site`.
    :ivar limits: the limits; new ones hold for the requests and connections after them.
    :ivar connections: the connections that are open.
    :ivar refusals: those that have crossed a limit.
    :ivar deadlines: of its connections: those of what has to arrive, and of those that are idle.
    :ivar slices: the requests that wait for a later turn of the reactor.
    :ivar trusted_proxies: the same; others hold for the requests and connections after them.
    """

    protocol = BoundedChannel  # type: ignore[assignment]  # as good as what can do HTTP/2 too
    noisy = False

    def __init__(
        self,
        resource: IResource,
        limits: SiteLimits,
        *,
        logged: bool = True,
        answers_too_large: bool = False,
        request: type[BoundedRequest] = BoundedRequest,
        trusted_proxies: TrustedProxies | None = None,
        descriptors: Descriptors | None = None,
        on_refusal: Callable[[Refusal], object] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            resource,
            requestFactory=request,
            parsePOSTFormSubmission=False,
            logFormatter=access_log_line,
            **options,
        )
        self.limits = limits
        self.answers_too_large = answers_too_large
        self.trusted_proxies = trusted_proxies or TrustedProxies()
        self.connections: Admissions[CountedConnection] = Admissions()
        self.deadlines: Deadlines[Late] = Deadlines(self.reactor, _expired)
        self.slices = Slices(self.reactor)
        self.refusals = Refusals(self.reactor.seconds, on_refusal)
        self._descriptors = descriptors or Descriptors()
        self._logged = logged
        self._headless: dict[CountedConnection, float] = {}
        self._body_bytes: dict[str | None, int] = {}
        self._files: Counter[str | None] = Counter()

    # -- connections

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """:return: a protocol, or :class:`TurnedAway` if there are too many."""
        limits = self.limits
        if addr is not None and self._has_too_many(addr, limits):
            self.refusals.add("connections_per_address", limits.connections_per_address)
            return TurnedAway()
        if self._descriptors.are_few():
            self._make_room()
            self.refusals.add("descriptors", self._descriptors.limit)
            return TurnedAway()
        most = limits.connections
        if most is not None and len(self.connections) >= most and not self._make_room():
            self.refusals.add("connections", most)
            return TurnedAway()
        protocol: Any = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        protocol.timeOut = limits.idle_timeout
        return protocol

    def _has_too_many(self, address: IAddress, limits: SiteLimits) -> bool:
        most = limits.connections_per_address
        if most is None or self.connections.count(address) < _FEW:
            return False
        most = min(most, self._descriptors.limit // 2)
        return self.connections.count(address) >= most and not self.trusted_proxies.trusts(address)

    def _make_room(self) -> bool:
        """Drop the oldest connection that has sent no complete head; say whether there is one."""
        for channel, since in self._headless.items():
            if self.reactor.seconds() - since < _GRACE:
                return False
            self.closed(channel)
            channel.transport.abortConnection()
            return True
        return False

    def opened(self, channel: BoundedChannel, address: IAddress) -> None:
        """Count a connection, which has to send a head to keep its place."""
        self.connections.add(channel, address)
        self._headless[channel] = self.reactor.seconds()

    def head_received(self, channel: BoundedChannel) -> None:
        """A connection has sent a complete head, and keeps its place."""
        self._headless.pop(channel, None)

    def taken_over(self, channel: BoundedChannel, by: CountedConnection) -> None:
        """A connection, which has sent a complete head, is counted as another object."""
        self.connections.replace(channel, by)

    def closed(self, connection: CountedConnection) -> None:
        """Count a connection no longer."""
        self.connections.remove(connection)
        self._headless.pop(connection, None)
        if not self.connections:
            self.deadlines.stop()

    def count_body(self, client: str | None, size: int) -> bool:
        """
        Count bytes of bodies.

        :param client: of whom, as :func:`.admissions.client_key` tells them apart.
        :param size: how many have come; negative for those that are gone.
        :return: whether there was room for them.
        """
        now = self._body_bytes.get(client, 0) + size
        if now:
            self._body_bytes[client] = now
        else:
            self._body_bytes.pop(client, None)
        if size < 0 or client is None or now <= self.limits.most_body_bytes:
            return True
        self.refusals.add("bodies_per_address", self.limits.most_body_bytes)
        return False

    def count_file(self, client: str | None, change: int) -> bool:
        """
        Count the temporary files that bodies are in.

        :param client: as for :meth:`count_body`.
        :param change: 1 before a file is opened, -1 after it is closed.
        :return: whether one more may be opened.
        """
        now = self._files[client] = self._files[client] + change
        if not now:
            del self._files[client]
        has_many = client is not None and now > self._descriptors.limit // _FILES
        if change < 0 or not (has_many or self._descriptors.are_few()):
            return True
        self.refuse_file()
        return False

    def refuse_file(self) -> None:
        """Note that a body is refused which needs a temporary file."""
        self.refusals.add("temporary_files", self._descriptors.limit // _FILES)

    def getContentFile(self, length: int | None) -> BytesIO:
        """:return: what a request's body is written into until it is large."""
        return BytesIO()

    # -- requests

    def log(self, request: Any) -> None:
        """Write a finished request into the access log, if requests are logged."""
        if self._logged:
            super().log(request)

    def acceptableProtocols(self) -> list[bytes]:
        """The protocols for ALPN: HTTP/1.1 alone."""
        return [b"http/1.1"]

    def close_connections(self) -> Deferred[None]:
        """
        Close every connection after what was written to it has been sent.

        :return: fires with None when no connection is left.  Cancelling it ends only the wait.
        """
        gone = self.connections.when_empty()
        for connection in self.connections:
            connection.loseConnection()
        return gone

    def abort_connections(self) -> Deferred[None]:
        """
        Drop every connection at once.

        :return: as :meth:`close_connections`.
        """
        gone = self.connections.when_empty()
        for connection in self.connections:
            connection.transport.abortConnection()
        return gone
