"""
HTTP as the bridge takes it: bodies and connections have limits.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Request, Site

__all__ = ["BoundedRequest", "Connections", "site"]

_DISCARDED = 16
"""
A body may be so many times too long and is still read, and thrown away, before the answer:
who is cut off while sending does not see it.
"""

_IDLE = 60
"""Seconds without a byte after which a connection without a request is closed."""


class BoundedRequest(Request):
    """
    A request whose body is kept in memory, as far as it may go.

    :ivar too_long: whether there was more.
    """

    body_limit: Callable[[], int]

    too_long = False
    _received = 0
    _most = 0
    channel: Any
    transport: Any

    def gotLength(self, length: int | None) -> None:
        """The body begins."""
        self._most = self.body_limit()
        self.content = self._kept = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """More of the body."""
        self._received += len(data)
        if self._received <= self._most:
            self._kept.write(data)
            return
        self.too_long = True
        if self._received > _DISCARDED * self._most:
            self.transport.write(
                b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n"
                b"Connection: close\r\n\r\n"
            )
            self.channel.loseConnection()

    def getRequestHostname(self) -> bytes:
        """
        Always the same: pages do not depend on it, and Klein raises for names that are
        none.  Whether the name is ours, :class:`.authentication.Authentication` looks at.
        """
        return b"bridge"


class _Readable(Resource):
    """Lets through what Klein can read; it would log the rest with a traceback."""

    isLeaf = True

    def __init__(self, resource: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._resource = resource

    def render(self, request: Any) -> Any:
        try:
            b"/".join([request.method, *request.prepath, *request.postpath]).decode("utf-8")
        except UnicodeDecodeError:
            request.setResponseCode(400)
            return b""
        return self._resource.render(request)


class _QuietSite(Site):
    """Logs no requests: the query of a signed one is nobody's business."""

    noisy = False
    displayTracebacks = False

    def log(self, request: Any) -> None:
        """Log nothing."""


def site(resource: IResource, body_limit: Callable[[], int], reactor: Any) -> Site:
    """
    :param body_limit: bytes, asked for each request.
    """

    class BodyRequest(BoundedRequest):
        # A request is made by the channel, which knows nothing of us.
        pass

    BodyRequest.body_limit = staticmethod(body_limit)
    return _QuietSite(  # type: ignore[no-untyped-call]
        _Readable(resource), requestFactory=BodyRequest, reactor=reactor, timeout=_IDLE
    )


class Connections(WrappingFactory):
    """
    Counts the connections of a site, and can drop them.

    :param limit: how many there may be, asked for each; more are closed at once.
    """

    noisy = False

    def __init__(self, factory: Site, limit: Callable[[], int]) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self._limit = limit
        self._gone: list[Deferred[None]] = []

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        """None closes it."""
        if len(self.protocols) >= self._limit():
            return None
        return super().buildProtocol(addr)

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """One is over."""
        super().unregisterProtocol(p)  # type: ignore[no-untyped-call]
        if not self.protocols:
            gone, self._gone = self._gone, []
            for each in gone:
                if not each.called:
                    each.callback(None)

    def gone(self) -> Deferred[None]:
        """:return: fires when there is no connection."""
        if not self.protocols:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._gone.append(gone)
        return gone

    def drop(self) -> Deferred[None]:
        """:return: fires when every connection is gone; each is aborted."""
        gone = self.gone()
        for connection in list(self.protocols):
            connection.abortConnection()
        return gone
