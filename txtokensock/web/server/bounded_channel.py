"""
A connection to a site with limits.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import (
    IAddress,
    IHalfCloseableDescriptor,
    IReadDescriptor,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.basic import LineReceiver
from twisted.protocols.policies import ProtocolWrapper
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from ...support.direct_writes import write_now
from .admissions import CountedConnection
from .answers import raw_answer
from .arrival import Arrival
from .bounded_request import SmallChunks
from .site_limits import Refusal

__all__ = ["BoundedChannel", "TurnedAway"]

_LARGEST_HEAD = 16384
_MOST_LINES = 130
"""
Bytes of a request's head, and lines: its first, 128 headers, and the empty one.  A header takes
some 200 bytes of memory however short it is.
"""

_HEADERS = re.compile(rb"(?:[!#-'*+.^-`|~\w-]+:[^\0\r\n]*\r\n)*\r\n")
"""What follows the first line of a head in which nothing is wrong or obsolete."""

_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})

_REQUEST_UNITS = 8
_HEAD_BITS = 8
"""
What a request costs of a turn, see :class:`~txtokensock.support.slices.Slices`, and one more for
each 256 bytes of its head: a query or a path of 16 KiB takes some milliseconds.
"""

_LONGEST_LEAVING = 4
"""Times of ``idle_timeout`` that an answer may take besides to leave the TCP buffer."""

_LINGER = 5.0
"""Seconds in which a client that sends too long a head can take the answer."""


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
    site: Any  # a BoundedSite
    # Counted here instead: twisted.web answers 400, or nothing at all.
    totalHeadersSize = maxHeaders = sys.maxsize
    timeOut: float | None  # type: ignore[assignment]  # there are whole seconds alone
    _idle: float | None = None  # seconds that it may be idle from now on
    _peer: IAddress | None = None
    _host: IAddress | None = None
    _reading = False
    _answered = False  # something in this read
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
        site = self.site
        self.arrival = Arrival(site.reactor, site.deadlines, site.limits, self._too_slow)
        self.arrival.head()
        site.opened(self, self.transport.getPeer())

    def getPeer(self) -> IAddress:
        """:return: the client's address.  Each request asks, and the system makes a new one."""
        if self._peer is None:
            self._peer = self.transport.getPeer()
        return self._peer

    def getHost(self) -> IAddress:
        """:return: the server's address."""
        if self._host is None:
            self._host = self.transport.getHost()
        return self._host

    def isSecure(self) -> bool:
        """:return: whether it is over TLS."""
        return bool(ISSLTransport.providedBy(self.transport))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.arrival.end()
        self.site.closed(self)
        self._lost = True
        self._held = None
        self._behind = b""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """
        Take what came, which may be the beginning of a request.  Over TLS more comes while the
        connection is being closed, such as the rest of a request that was refused.
        """
        if self.transport.disconnecting:
            return
        self._silent = False
        self._reading = True
        self._take(data)
        arrival = self.arrival
        if not self.requests and not self._lost and not arrival.awaited:
            begun = self.clearLineBuffer()  # type: ignore[no-untyped-call]
            if begun:
                arrival.head()
                self._take(begun)
        arrival.read()
        if arrival.awaited:
            self.resetTimeout()
        self._reading = False
        if self._answered:
            self._answered = False
            write_now(self.transport)

    def _take(self, data: bytes) -> None:
        # twisted.web's own sets the timeout anew each time, which a whole request ends.
        LineReceiver.dataReceived(self, data)

    def answered(self) -> None:
        """
        An answer was written.  It leaves at once, and those to what came in one read leave
        together.
        """
        if self._reading:
            self._answered = True
        else:
            write_now(self.transport)

    def lineReceived(self, line: bytes) -> None:
        """Take a line of a request's head, unless the head is too long."""
        if not self._head_lines and line:
            read = self.clearLineBuffer()  # type: ignore[no-untyped-call]
            headers = _HEADERS.match(read)
            if headers is not None and self._take_head(line, headers[0], read[headers.end() :]):
                return
            self._take(read)
        if not self.arrival.awaited:
            self.arrival.head()
        self._head_size += len(line)
        self._head_lines += 1
        if self._head_size > _LARGEST_HEAD or self._head_lines > _MOST_LINES:
            self._refuse_head()
        else:
            super().lineReceived(line)  # type: ignore[no-untyped-call]

    def _take_head(self, first: bytes, headers: bytes, rest: bytes) -> bool:
        """
        Take a head that has come in one piece, as nearly all do.  twisted.web takes it line by
        line, and checks in each what was checked here at once.

        :param first: its first line.
        :param headers: the others, each with its end, the empty one as well.
        :param rest: what has come after it.
        :return: whether it was taken; not where it is too long, for what is wrong with the lines
            before that counts first.
        """
        lines = headers.split(b"\r\n")[:-2]
        size, count = len(first) + len(headers) - 2 * len(lines) - 2, len(lines) + 2
        if size > _LARGEST_HEAD or count > _MOST_LINES:
            return False
        self._head_size, self._head_lines = size, count
        super().lineReceived(first)  # type: ignore[no-untyped-call]
        if not self.requests or self.transport.disconnecting:
            return True
        taken = self.requests[-1].requestHeaders
        for line in lines:
            name, _, value = line.partition(b":")
            if name.lower() not in _LENGTHS:
                taken.addRawHeader(name, value.strip(b" \t"))
            elif not self.headerReceived(line):
                return True
        if rest:
            self._take(rest)
        super().lineReceived(b"")  # type: ignore[no-untyped-call]
        return True

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

    def taken_over(self, connection: CountedConnection) -> None:
        """
        Leave the connection to another protocol, and nothing behind.

        :param connection: tells the site when it is closed.
        """
        self.arrival.end()
        for request in self.requests:
            request.forget_body()
        self.site.taken_over(self, connection)

    def _too_slow(self, refusal: Refusal) -> None:
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
        self.setTimeout(_LINGER)

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
            self.setTimeout(self.site.limits.idle_timeout)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Write the head of an answer, in one piece: a transport looks at each that it gets."""
        head = [version, b" ", code, b" ", reason]
        for name, values in headers.getAllRawHeaders():
            for value in values:
                head += (b"\r\n", name, b": ", value)
        head.append(b"\r\n\r\n")
        self.transport.write(b"".join(head))

    def in_turn(self, process: Callable[[], None], long: bool) -> None:
        """
        Call ``process`` when it is its turn, and there is room for the answer.

        :param long: whether it may take long.
        """
        slices = self.site.slices
        if self._full:
            self._held = process
            # twisted.web stops it while it processes a request.
            self.setTimeout(self.site.timeOut)
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
        except SmallChunks:
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
            self.setTimeout(None)
            self._process()

    def setTimeout(self, period: float | None) -> float | None:
        """
        Close the connection when nothing has come for so long, or never, as twisted.web asks for
        before and after each request.  The site has one timer for all of its connections.
        """
        before, self.timeOut = self.timeOut, period
        deadlines = self.site.deadlines
        if self._idle is not None:
            deadlines.remove(self, self._idle)
        self._idle = period
        if period is not None:
            deadlines.add(self, period, self.site.reactor.seconds())
        return before

    def resetTimeout(self) -> None:
        """Something has come: its time begins again, if it has one."""
        if self._idle is not None:
            self.setTimeout(self._idle)

    def late(self) -> None:
        """It has been idle for too long."""
        self._idle = None
        self.timeoutConnection()

    def timeoutConnection(self) -> None:
        """
        Close a connection that has been idle for too long, which one is not whose last answer
        is still leaving over a slow link.
        """
        if self._full and self._held is None and self._leaving < _LONGEST_LEAVING:
            self._leaving += 1
            self.setTimeout(self.site.limits.idle_timeout)
        else:
            super().timeoutConnection()  # type: ignore[no-untyped-call]

    def _take_turn(self) -> None:
        # While it is full, it goes on as soon as it is not.
        if self._held is not None and not self._full:
            self.transport.resumeProducing()
            self._process()

    def _process(self) -> None:
        self.site.slices.units -= self._units
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
