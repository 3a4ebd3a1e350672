"""
HTTP as the bridge takes it: bodies and connections have limits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any, AnyStr

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IProtocolNegotiationFactory
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from zope.interface import implementer

from ...support.waiters import Waiters
from ...web.server.site import BoundedChannel, BoundedSite, SiteRequest

__all__ = ["BoundedRequest", "Connections", "site"]

_DISCARDED = 16
"""
A body may be so many times too long and is still read, and thrown away, before the answer:
who is cut off while sending does not see it.
"""

_IDLE = 60
"""Seconds without a byte after which a connection without a request is closed."""


class _Channel(BoundedChannel):
    """
    Answers no request while earlier answers are not read: an answer can be much larger than
    what asks for it, and what came in one piece was read already.
    """

    _held: Callable[[], None] | None = None

    def in_turn(self, answer: Callable[[], None]) -> None:
        """Call ``answer`` when there is room for one."""
        if self.full:
            self._held = answer
            # It is off while a request is answered.
            self.setTimeout(_IDLE)  # type: ignore[no-untyped-call]
        else:
            answer()

    def resumeProducing(self) -> None:
        """There is room again."""
        super().resumeProducing()
        held, self._held = self._held, None
        if held is not None:
            self.setTimeout(None)  # type: ignore[no-untyped-call]
            held()


class BoundedRequest(SiteRequest):
    """
    A request whose body is kept in memory, as far as it may go.

    :ivar too_long: whether there was more.
    """

    body_limit: Callable[[], int]

    too_long = False
    _received = 0
    _most = 0
    _cut_off = False
    channel: _Channel
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
        if self._received > _DISCARDED * self._most and not self._cut_off:
            self._cut_off = True
            self.transport.write(
                b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n"
                b"Connection: close\r\n\r\n"
            )
            self.channel.loseConnection()  # type: ignore[no-untyped-call]

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        """It is complete; its turn comes when the answers before it are read."""
        self.channel.in_turn(partial(super().requestReceived, command, path, version))

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """As text, also where it is none: that is for who reads it to refuse."""
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode())
        return None if value is None else value.decode("utf-8", "surrogateescape")

    def getRequestHostname(self) -> bytes:
        """
        Always the same: pages do not depend on it, and Klein raises for names that are
        none.  Whether the name is ours, :class:`.authentication.ApiKeys` looks at.
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


class _QuietSite(BoundedSite):
    """
    Logs no requests: the query of a signed one is nobody's business.

    :param body_limit: bytes, asked for each request.
    """

    noisy = False
    displayTracebacks = False
    protocol = _Channel

    def __init__(self, resource: IResource, body_limit: Callable[[], int], reactor: Any) -> None:
        super().__init__(_Readable(resource), max_body=1, reactor=reactor, timeout=_IDLE)

        class OwnRequest(BoundedRequest):
            # A request is made by the channel, which knows nothing of us.
            pass

        OwnRequest.body_limit = staticmethod(body_limit)
        # Instead of one that cuts off who sends too much before they read the answer.
        self.requestFactory = OwnRequest

    def log(self, request: Any) -> None:
        """Log nothing."""


def site(resource: IResource, body_limit: Callable[[], int], reactor: Any) -> Site:
    """
    :param body_limit: bytes, asked for each request.
    """
    return _QuietSite(resource, body_limit, reactor)


@implementer(IProtocolNegotiationFactory)
class Connections(WrappingFactory):
    """
    Counts the connections of a site, and can drop them.

    :param limit: how many there may be, asked for each; more are closed at once.
    """

    noisy = False

    def __init__(self, factory: Site, limit: Callable[[], int]) -> None:
        super().__init__(factory)  # type: ignore[no-untyped-call]
        self._limit = limit
        self._gone: Waiters[None] = Waiters()

    def acceptableProtocols(self) -> list[bytes]:
        """What TLS may agree on: what the site says, which a wrapper would hide."""
        return list(self.wrappedFactory.acceptableProtocols())

    def buildProtocol(self, addr: IAddress | None) -> ProtocolWrapper | None:  # type: ignore[override]
        """None closes it."""
        if len(self.protocols) >= self._limit():
            return None
        return super().buildProtocol(addr)

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        """One is over."""
        super().unregisterProtocol(p)  # type: ignore[no-untyped-call]
        if not self.protocols:
            self._gone.fire()

    def gone(self) -> Deferred[None]:
        """:return: fires when there is no connection."""
        return self._gone.wait() if self.protocols else succeed(None)

    def drop(self) -> Deferred[None]:
        """:return: fires when every connection is gone; each is aborted."""
        gone = self.gone()
        for connection in list(self.protocols):
            connection.abortConnection()
        return gone
