"""
A twisted.web site with limits where twisted.web has none.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from io import BytesIO
from string import punctuation
from tempfile import TemporaryFile
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IHalfCloseableDescriptor, IReadDescriptor
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, parse_qs
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from ...support.slices import Slices
from .access_log import access_log_line, without_query
from .admissions import Admissions, client_key
from .answers import raw_answer
from .arrival import Arrival
from .descriptors import Descriptors
from .site_limits import Refusal, Refusals, SiteLimits
from .trusted_proxies import Forwarded, TrustedProxies

__all__ = ["BoundedRequest", "BoundedSite", "SiteLimits", "warn_of_parsed_forms"]

_DISCARDED = 16
"""
A body may be so many times larger than allowed, and is read and dropped before the answer: a
client that is disconnected while it sends does not see an answer.
"""


_LARGEST_HEAD = 16384
_MOST_LINES = 130
"""
Bytes of a request's head, and lines: its first, 128 headers, and the empty one.  A header takes
some 200 bytes of memory however short it is, and a session keeps those that it began with.
"""

_REQUEST_UNITS = 8
_HEAD_BITS = 8
"""
What a request costs of a turn, see :class:`~txtokensock.support.slices.Slices`, and one more for
each 256 bytes of its head: a query or a path of 16 KiB takes some milliseconds.
"""

_LARGE_BODY = 65536
"""Bytes of a body that may take long: such requests are processed one a turn."""

_IN_MEMORY = 8192
"""Bytes of a body that are kept in memory; more are in a temporary file."""

_FILES = 8
"""Which part of the descriptors the temporary files of one address may take."""

_MOST_CHUNKS = 1000
_LEAST_CHUNK = 256
"""Who sends more chunks than that, with fewer bytes in each on average, sends nothing else."""

_LONGEST_LEAVING = 4
"""Times of ``idle_timeout`` that an answer may take besides to leave the TCP buffer."""

_LINGER = 5.0
"""Seconds in which a client that sends too long a head can take the answer."""

_GRACE = 1.0
"""Seconds that a connection has for its first head before a newcomer may get its place."""

_FEW = 10
"""So many connections of one address are too few to look at the limits."""


class _SmallChunks(Exception):
    """A body comes in chunks that are hardly more than their sizes."""


class BoundedRequest(Request):
    """
    A request to a :class:`BoundedSite`.  Its body has a limit, and its query, which may hold
    credentials, is in no log.

    :ivar too_large: whether the body was over the limit, so that ``content`` is incomplete.
    """

    uri: bytes
    too_large = False
    _received = 0
    _chunks: int | None = None
    _refused = False
    _counted = 0  # of the site's body bytes
    _spooled = False
    content: Any
    channel: Any
    forwarded: Forwarded | None = None

    def __repr__(self) -> str:
        target = (self.method + b" " + without_query(self.uri)).decode("ascii", "replace")
        return f"<{type(self).__name__} {target}>"

    def process(self) -> None:
        """
        Give the request to its resource, with the client's address if it came through a
        trusted proxy.

        twisted.web accepts bytes that are not ASCII in a target, and raises where it puts
        them into a text, such as that of a 405.
        """
        if not self.uri.isascii():
            self.uri = quote(self.uri, safe=punctuation).encode()
        self.channel.site.trusted_proxies.look_at(self)
        super().process()  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """
        End the answer.  Only logs use the target after this: twisted.web logs it where a
        producer was not unregistered.
        """
        self.uri = without_query(self.uri)
        self._forget_body()
        super().finish()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self._forget_body()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def _forget_body(self) -> None:
        counted, self._counted = self._counted, 0
        if counted:
            self.channel.site.count_body(self._client, -counted)
        if self._spooled:
            self._spooled = False
            self.channel.site.count_file(self._client, -1)

    def isSecure(self) -> bool:
        """Whether the client used TLS, as far as we or a trusted proxy know."""
        said = None if self.forwarded is None else self.forwarded.secure
        return bool(super().isSecure()) if said is None else said  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:
        """Check the length of the body, which is None if it comes in chunks."""
        site = self.channel.site
        self._limit = site.limits.max_body
        self._most = self._limit * (_DISCARDED if site.answers_too_large else 1)
        if length is not None and length > self._most:
            self._refuse()
        if length is None:
            self._chunks = 0
        kept = None if length is None else min(length, self._limit)
        super().gotLength(0 if self._refused else kept)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """Take a piece of the body, if there is room for it."""
        if self.channel is None:
            return  # the connection was lost
        self._received += len(data)
        self.channel.arrival.body_bytes += len(data)
        if self._chunks is not None:
            self._chunks += 1
            if self._chunks > max(_MOST_CHUNKS, self._received // _LEAST_CHUNK):
                self._refused = True
                raise _SmallChunks
        if self._received <= self._limit:
            if not self._keep(data):
                self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        elif self._received <= self._most:
            self.too_large = True
        else:
            self._refuse()

    def _keep(self, data: bytes) -> bool:
        """Keep a piece of the body, if there is room for it."""
        site = self.channel.site
        if not self._counted:
            site.trusted_proxies.look_at(self)
            self._client = client_key(self.getClientAddress())  # type: ignore[no-untyped-call]
        self._counted += len(data)
        if not site.count_body(self._client, len(data)):
            return False
        try:
            if self._received > _IN_MEMORY and not self._spooled:
                self._spooled = True
                if not site.count_file(self._client, 1):
                    return False
                beginning, self.content = self.content, TemporaryFile()  # noqa: SIM115 - twisted.web closes it
                self.content.write(beginning.getvalue())
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]
            self.content.flush()  # a full disk is noticed here, and not in the middle of an answer
        except OSError:
            site.refuse_file()
            return False
        return True

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """Process the complete request when the client has read the answers before it."""
        if not self._refused:
            process = partial(super().requestReceived, command, path, version)
            self.channel.in_turn(process, self._received > _LARGE_BODY)

    def _refuse(self, status: int = HTTPStatus.REQUEST_ENTITY_TOO_LARGE) -> None:
        if not self._refused:
            self._refused = True
            self.requestHeaders.removeHeader(b"expect")  # twisted.web would ask for the body
            self.channel.refuse(status)


def _ignore(line: bytes) -> None:
    """Take what comes after a head that was refused."""


class BoundedChannel(HTTPChannel):
    """
    One connection.  It processes no request while the client does not read earlier answers,
    for an answer can be much larger than its request; nor while those of other connections are
    before it, when there are more than fit into one turn of the reactor.

    twisted.web pauses reading when its write buffer is full, but not while it processes a
    request; and requests that came in one piece were read already.
    """

    transport: Any  # a push producer as well, as every TCP transport is
    site: BoundedSite
    # Counted here instead: twisted.web answers 400, or nothing at all.
    totalHeadersSize = maxHeaders = sys.maxsize
    _full = False
    _leaving = 0
    _held: Callable[[], None] | None = None
    _behind = b""  # what came after the request that is held
    _lost = False
    _head_size = 0
    _head_lines = 0
    _units = _REQUEST_UNITS  # of the request that has come last

    def connectionMade(self) -> None:
        super().connectionMade()  # type: ignore[no-untyped-call]
        self._silent = True
        self.arrival = Arrival(self.site.reactor, self.site.limits, self._late)
        self.arrival.head()
        self.site.opened(self, self.transport.getPeer())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.arrival.end()
        self.site.closed(self)
        self._lost = True
        self._held = None
        self._behind = b""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """Take what came, which may be the beginning of a request."""
        self._silent = False
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        if not self.requests and not self._lost and not self.arrival.awaited:
            begun = self.clearLineBuffer()  # type: ignore[no-untyped-call]
            if begun:
                self.arrival.head()
                super().dataReceived(begun)  # type: ignore[no-untyped-call]

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head, unless the head is too long."""
        if not self.arrival.awaited:
            self.arrival.head()
        self._head_size += len(line)
        self._head_lines += 1
        if self._head_size > _LARGEST_HEAD or self._head_lines > _MOST_LINES:
            self._refuse_head()
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:
        """Refuse a head of which one line alone is too long."""
        self._refuse_head()

    def allHeadersReceived(self) -> None:
        """The head is complete."""
        self._units = _REQUEST_UNITS + (self._head_size >> _HEAD_BITS)
        self._head_size = self._head_lines = 0
        self.site.head_received(self)
        self.arrival.body()
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        """The request is complete."""
        self.arrival.complete()
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def _late(self, refusal: Refusal) -> None:
        """A head or a body took too long; or the client is slow to go."""
        if self.transport.disconnecting:
            self.transport.abortConnection()
        elif self._full:  # it is not read, for it has not read the answers before
            self.arrival.head()
        else:
            self.site.refusals.add(refusal, getattr(self.site.limits, refusal))
            if self._silent:
                self.loseConnection()
            else:
                self.refuse(HTTPStatus.REQUEST_TIMEOUT)
            self.arrival.linger(_LINGER)

    def _refuse_head(self) -> None:
        """
        Answer 431 (RFC 6585), and read what is still coming for a while: closing a socket with
        unread bytes resets the connection, and the client would not get the answer.
        """
        self.dataReceived = self.lineReceived = _ignore  # type: ignore[method-assign, assignment]
        self.arrival.complete()
        half_closes = IHalfCloseableDescriptor.providedBy(self.transport)
        if not half_closes:
            self.refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        self.transport.write(raw_answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        self.transport.loseWriteConnection()
        self.setTimeout(_LINGER)  # type: ignore[no-untyped-call]

    def headerReceived(self, line: bytes) -> bool:
        """
        Take a header.  twisted.web raises for a ``Content-Length`` with more digits than
        ``int()`` accepts.
        """
        try:
            return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]
        except ValueError:
            self.refuse(HTTPStatus.BAD_REQUEST)
            return False

    def refuse(self, status: int) -> None:
        """Answer a request that is not valid or not complete, and close the connection."""
        self.transport.write(raw_answer(status))
        self.loseConnection()

    def loseConnection(self) -> None:
        """
        Close the connection when all that was written has left: over TLS, when the client has
        closed it as well.  Who does not let that happen is disconnected like who is idle.
        """
        if not (self._lost or self.transport.disconnecting):
            super().loseConnection()  # type: ignore[no-untyped-call]
            self.setTimeout(self.site.limits.idle_timeout)  # type: ignore[no-untyped-call]

    def in_turn(self, process: Callable[[], None], long: bool) -> None:
        """
        Call ``process`` when it is its turn, and there is room for the answer.

        :param long: whether it may take long.
        """
        slices = self.site.slices
        if self._full:
            self._held = process
            # twisted.web stops it while it processes a request.
            self.setTimeout(self.site.timeOut)  # type: ignore[no-untyped-call]
        elif slices.units > 0 and not len(slices) and not long:
            slices.units -= self._units
            process()
        else:
            self._held = process
            self.transport.pauseProducing()
            slices.call(self._take_turn, long=long)

    def rawDataReceived(self, data: bytes) -> None:
        """Take a piece of a body, or what follows a request that is not done yet."""
        if self._held is not None:
            self._behind += data
            return
        try:
            super().rawDataReceived(data)
        except _SmallChunks:
            self.rawDataReceived = _ignore  # type: ignore[method-assign, assignment]
            self.refuse(HTTPStatus.BAD_REQUEST)

    def pauseProducing(self) -> None:
        self._full = True
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        self._full = False
        self._leaving = 0
        super().resumeProducing()  # type: ignore[no-untyped-call]
        if self._held is not None:
            self.setTimeout(None)  # type: ignore[no-untyped-call]
            self._process()

    def timeoutConnection(self) -> None:
        """
        Close a connection that has been idle for too long, which one is not whose last answer
        is still leaving over a slow link.
        """
        if self._full and self._held is None and self._leaving < _LONGEST_LEAVING:
            self._leaving += 1
            self.setTimeout(self.site.limits.idle_timeout)  # type: ignore[no-untyped-call]
        else:
            super().timeoutConnection()  # type: ignore[no-untyped-call]

    def _take_turn(self) -> None:
        # While it is full, it goes on as soon as it is not.
        if self._held is not None and not self._full:
            self.site.slices.units -= self._units
            self.transport.resumeProducing()
            self._process()

    def _process(self) -> None:
        held, self._held = self._held, None
        behind, self._behind = self._behind, b""
        assert held is not None
        held()
        if self._held is not None:  # the next one, which came with it
            self._behind += behind
        elif behind and not self._lost:
            self.dataReceived(behind)

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self._full:
            self.transport.pauseProducing()


class TurnedAway(Protocol):
    """
    Closes a connection that is too many.  A factory may return None for it, but what wraps
    factories, such as TLS, does not expect that: it raises, and the socket stays open.

    An aborted connection keeps its descriptor until the next turn of the reactor, and hundreds
    may come in this one, so the socket is closed now.
    """

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()
        while isinstance(transport, ProtocolWrapper):
            transport = transport.transport
        if IReadDescriptor.providedBy(transport):
            transport.connectionLost(Failure(ConnectionAborted()))


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
        self.connections: Admissions[BoundedChannel] = Admissions()
        self.slices = Slices(self.reactor)
        self.refusals = Refusals(self.reactor.seconds, on_refusal)
        self._descriptors = descriptors or Descriptors()
        self._logged = logged
        self._headless: dict[BoundedChannel, float] = {}
        self._body_bytes: Counter[str | None] = Counter()
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

    def closed(self, channel: BoundedChannel) -> None:
        """Count a connection no longer."""
        self.connections.remove(channel)
        self._headless.pop(channel, None)

    def count_body(self, client: str | None, size: int) -> bool:
        """
        Count bytes of bodies.

        :param client: of whom, as :func:`.admissions.client_key` tells them apart.
        :param size: how many have come; negative for those that are gone.
        :return: whether there was room for them.
        """
        now = self._body_bytes[client] = self._body_bytes[client] + size
        if not now:
            del self._body_bytes[client]
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
        for channel in self.connections:
            channel.loseConnection()
        return gone

    def abort_connections(self) -> Deferred[None]:
        """
        Drop every connection at once.

        :return: as :meth:`close_connections`.
        """
        gone = self.connections.when_empty()
        for channel in self.connections:
            channel.transport.abortConnection()
        return gone


_log = Logger()

_warned_of: WeakSet[Site] = WeakSet()


def warn_of_parsed_forms(request: Any) -> None:
    """
    Warn in the log, once for each site, of a site that parses forms.  A resource cannot prevent
    that: it is called after the form was parsed.

    :param request: a request to a resource of this package.
    """
    if request.method != b"POST" or not request.args:
        return
    if request.args == parse_qs(request.uri.partition(b"?")[2], True):
        return
    if request.site not in _warned_of:
        _warned_of.add(request.site)
        _log.warn(
            "this site parses forms, and anybody can send one that stops the process for"
            " minutes: use server.site(), or Site(..., parsePOSTFormSubmission=False)"
        )
