"""
A twisted.web site that bounds what it does not yet bound itself.
"""

from __future__ import annotations

from string import punctuation
from typing import Any
from urllib.parse import quote
from weakref import WeakSet

from twisted.logger import Logger
from twisted.web.http import HTTPChannel, parse_qs
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from ...support.checks import check_count
from .access_log import access_log_line, without_query

__all__ = ["BoundedChannel", "BoundedSite", "SiteRequest", "warn_of_parsed_forms"]

_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_TOO_LARGE = (
    b"HTTP/1.1 413 Request Entity Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)


class SiteRequest(Request):
    """A request to a site of ours.  Its query is in no log, for there are credentials in it."""

    uri: bytes

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


class _BoundedRequest(SiteRequest):
    """Refuses its body as soon as it is known to be too large."""

    _received = 0
    _refused = False
    channel: Any
    site: BoundedSite

    def gotLength(self, length: int | None) -> None:
        too_large = length is not None and length > self.channel.site.max_body
        super().gotLength(0 if too_large else length)  # type: ignore[no-untyped-call]
        if too_large:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self.channel.site.max_body:
            self._refuse()
        else:
            super().handleContentChunk(data)  # type: ignore[no-untyped-call]

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        if not self._refused:
            super().requestReceived(command, path, version)  # type: ignore[no-untyped-call]

    def _refuse(self) -> None:
        if not self._refused:
            self._refused = True
            self.channel.transport.write(_TOO_LARGE)
            self.channel.loseConnection()


class BoundedChannel(HTTPChannel):
    """
    Reads no request while earlier responses are not read.

    twisted.web pauses reading when its write buffer is full, save while it answers a
    request: and then the buffer fills.

    :ivar full: whether what was written waits for its reader.
    """

    transport: Any  # a push producer as well, as every TCP transport is
    full = False

    def headerReceived(self, line: bytes) -> bool:
        """
        Take a header.  twisted.web raises for a length that has more digits than Python
        makes a number of.
        """
        try:
            return bool(super().headerReceived(line))  # type: ignore[no-untyped-call]
        except ValueError:
            self.transport.write(_BAD_REQUEST)
            self.loseConnection()  # type: ignore[no-untyped-call]
            return False

    def pauseProducing(self) -> None:
        self.full = True
        super().pauseProducing()  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        self.full = False
        super().resumeProducing()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Any) -> None:
        super().requestDone(request)  # type: ignore[no-untyped-call]
        if self.full:
            self.transport.pauseProducing()


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
    :param max_body: bytes of a request's body; for a larger one, the connection is closed
        with 413 before it is read.
    :param options: more of :class:`twisted.web.server.Site`.
    :raises InvalidOption: if ``max_body`` is no count.
    """

    protocol = BoundedChannel  # type: ignore[assignment]  # as good as what can do HTTP/2 too

    def __init__(self, resource: IResource, *, max_body: int, **options: Any) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            resource,
            requestFactory=_BoundedRequest,
            parsePOSTFormSubmission=False,
            logFormatter=access_log_line,
            **options,
        )
        check_count("max_body", max_body)
        self.max_body = max_body

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on."""
        return [b"http/1.1"]


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
