"""
A twisted.web site with limits where twisted.web has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from string import punctuation
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, parse_qs
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from ...support.checks import check_count
from .access_log import access_log_line, without_query
from .admissions import Admissions
from .answers import raw_answer

__all__ = ["BoundedRequest", "BoundedSite", "SiteLimits", "warn_of_parsed_forms"]

_DISCARDED = 16
"""
A body may be so many times too large and is still read, and thrown away, before the answer:
who is cut off while sending does not see it.
"""


class BoundedRequest(Request):
    """
    A request to a site of ours.  Its body has a limit, and its query is in no log, for there
    are credentials in it.

    :ivar too_large: whether the body was larger, and what came of it is not whole.
    """

    uri: bytes
    too_large = False
    _received = 0
    _refused = False
    channel: Any

    def __repr__(self) -> str:
        target = (self.method + b" " + without_query(self.uri)).decode("ascii", "replace")
        return f"<{type(self).__name__} {target}>"

    def process(self) -> None:
        """
        Give the request to its resource.

        twisted.web takes bytes up to 176 in a request's target, and raises where it writes
        them into a text, such as that of 405.
        """
        if not self.uri.isascii():
            self.uri = quote(self.uri, safe=punctuation).encode()
        super().process()  # type: ignore[no-untyped-call]

    def finish(self) -> None:
        """
        End the answer.  From here on the target is of use for logs alone: twisted.web
        writes it into one for a producer that was not unregistered.
        """
        self.uri = without_query(self.uri)
        super().finish()  # type: ignore[no-untyped-call]

    def gotLength(self, length: int | None) -> None:
        """The body begins; its length is None if it comes in chunks."""
        site = self.channel.site
        self._limit = site.limits.max_body
        self._most = self._limit * (_DISCARDED if site.answers_too_large else 1)
        if length is not None and length > self._most:
            self._refuse()
        kept = None if length is None else min(length, self._limit)
        super().gotLength(0 if self._refused else kept)  # type: ignore[no-untyped-call]

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body came."""
        self._received += len(data)
        if self._received <= self._limit:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]
        elif self._received <= self._most:
            self.too_large = True
        else:
            self._refuse()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """The request is complete; its turn comes when the answers before it are read."""
        if not self._refused:
            self.channel.in_turn(partial(super().requestReceived, command, path, version))

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.channel.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


class BoundedChannel(HTTPChannel):
    """
    One connection.  It answers no request while earlier answers are not read: an answer
    can be much larger than what asks for it.

    twisted.web pauses reading when its write buffer is full, save while it answers a
    request: and then the buffer fills.  What came in one piece was read already.
    """

    transport: Any  # a push producer as well, as every TCP transport is
    site: BoundedSite
    _full = False
    _held: Callable[[], None] | None = None

    def connectionMade(self) -> None:
        super().connectionMade()  # type: ignore[no-untyped-call]
        self.site.connections.add(self, self.transport.getPeer())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.site.connections.remove(self)
        self._held = None
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def headerReceived(self, line: bytes) -> bool:
        """
        Take a header.  twisted.web raises for a length that has more digits than Python
        makes a number of.
        """
        try:
            return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]
        except ValueError:
            self.refuse(HTTPStatus.BAD_REQUEST)
            return False

    def refuse(self, status: int) -> None:
        """Answer what has not become a request, or not a whole one, and close."""
        self.transport.write(raw_answer(status))
        self.loseConnection()  # type: ignore[no-untyped-call]

    def in_turn(self, process: Callable[[], None]) -> None:
        """Call ``process`` when there is room for the answer to another request."""
        if self._full:
            self._held = process
            # It is off while a request is answered.
            self.setTimeout(self.site.timeOut)  # type: ignore[no-untyped-call]
        else:
            process()

    def pauseProducing(self) -> None:
        self._full = True
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        self._full = False
        super().resumeProducing()  # type: ignore[no-untyped-call]
        held, self._held = self._held, None
        if held is not None:
            self.setTimeout(None)  # type: ignore[no-untyped-call]
            held()

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self._full:
            self.transport.pauseProducing()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimits:
    """
    What the clients of a site may have of it.

    :ivar max_body: bytes of a request's body.
    :ivar connections: how many there may be at once, of all clients; None for any number.
    :raises InvalidOption: for what is not a count.
    """

    max_body: int
    connections: int | None = None

    def __post_init__(self) -> None:
        check_count("max_body", self.max_body)
        if self.connections is not None:
            check_count("connections", self.connections)


class BoundedSite(Site):
    """
    A site for strangers.  twisted.web takes bodies of any size, into memory if they are
    forms, into temporary files if not; and who sends requests and reads no response fills
    its memory with them.  Not here.

    Nor does it parse forms: ``request.args`` holds what the query says, and the body of a
    form is in ``request.content``, as any other body is.  twisted.web parses them before it
    asks any resource, and a form of a few megabytes can be such that this takes minutes, in
    which the process does nothing else.

    Its access log holds no query, see :mod:`.access_log`.

    It speaks HTTP/1.1 alone, as WebSockets do.

    :param resource: what is served.
    :param limits: what clients may have.
    :param logged: whether requests are in the access log.
    :param answers_too_large: whether the resource answers requests whose body is too large,
        of which ``request.too_large`` tells.  By default they are answered 413 at once, and
        the connection is closed.
    :param request: the class of its requests.
    :param options: more of :class:`twisted.web.server.Site`.
    :ivar limits: the same; others count for what comes from then on.
    :ivar connections: all that there are now.
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
        self.connections: Admissions[BoundedChannel] = Admissions()
        self._logged = logged

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """:return: what reads requests; None closes the connection: there are too many."""
        most = self.limits.connections
        if most is not None and len(self.connections) >= most:
            return None
        return super().buildProtocol(addr)  # type: ignore[no-untyped-call]

    def log(self, request: Any) -> None:
        """Write a finished request into the access log, if requests are logged."""
        if self._logged:
            super().log(request)

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on."""
        return [b"http/1.1"]

    def close_connections(self) -> Deferred[None]:
        """
        Close every connection, once what was written has left.

        :return: fires with None when none is left; cancelling it stops the wait alone.
        """
        gone = self.connections.when_empty()
        for channel in self.connections:
            channel.loseConnection()  # type: ignore[no-untyped-call]
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
    Say in the log, once for each site, that it parses forms: only the site can prevent that,
    and its requests come here when it is done.

    :param request: which came to a resource of ours.
    """
    if request.method != b"POST" or not request.args:
        return
    if request.args == parse_qs(request.uri.partition(b"?")[2], True):
        return
    if request.site not in _warned_of:
        _warned_of.add(request.site)
        _log.warn(
            "this site parses the forms that it is sent, and anybody can send one that stops the"
            " process for minutes: use server.site(), or Site(..., parsePOSTFormSubmission=False)"
        )
