"""
The pages for those who run a server.  They are nobody else's business: serve them on an
address that clients do not reach.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web import http, pages
from twisted.web.resource import IResource, Resource

from ...jsontext import dumps
from ...web.server.site import BoundedSite
from ..service import TokenSocketServer

__all__ = ["AdminPages", "QuietSite"]


class AdminPages(Resource):
    """
    ============  ======================================================================
    ``/healthz``  200: the process lives and its reactor turns
    ``/readyz``   200 if clients can come in, or 503; and in JSON, what is as it should
                  be and what is not, each since when
    ``/metrics``  for Prometheus
    ============  ======================================================================

    :param server: which is looked at.
    :param metrics: gives the resource for ``/metrics``; asked at each request.
    :param reactor: whose clock the server has.
    """

    def __init__(
        self, server: TokenSocketServer, metrics: Callable[[], IResource], reactor: IReactorTime
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._metrics = metrics
        self.putChild(b"healthz", _Health())  # type: ignore[no-untyped-call]
        self.putChild(b"readyz", _Readiness(server, reactor))

    def getChild(self, path: bytes, request: Any) -> IResource:
        """See :meth:`IResource.getChildWithDefault`."""
        return self._metrics() if path == b"metrics" else pages.notFound()

    def render(self, request: Any) -> Any:
        """There is nothing at the root."""
        return pages.notFound().render(request)


_MAX_BODY = 1024
"""Bytes of a body, which none of the pages has a use for."""


class QuietSite(BoundedSite):
    """
    A site that does not log its requests: probes come every few seconds.

    :param resource: what is served.
    :param options: those of :class:`BoundedSite`.
    """

    noisy = False

    def __init__(self, resource: IResource, **options: Any) -> None:
        super().__init__(resource, max_body=_MAX_BODY, **options)

    def log(self, request: Any) -> None:
        """Log nothing."""


class _Health(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        return _body(request, http.OK, {"alive": True})


class _Readiness(Resource):
    isLeaf = True

    def __init__(self, server: TokenSocketServer, reactor: IReactorTime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._reactor = reactor

    def render_GET(self, request: Any) -> bytes:
        now = self._server.readiness
        body: dict[str, Any] = {
            "ready": now.ready,
            "server": {"state": now.state, **self._since(now.state_since)},
        }
        if now.store_since is not None:
            state = "available" if now.store_available else "unavailable"
            body["store"] = {"state": state, **self._since(now.store_since)}
        return _body(request, http.OK if now.ready else http.SERVICE_UNAVAILABLE, body)

    def _since(self, when: float) -> dict[str, Any]:
        moment = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
        return {"since": moment, "seconds": round(self._reactor.seconds() - when, 3)}


def _body(request: Any, status: int, body: dict[str, Any]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"application/json")
    request.setHeader(b"cache-control", b"no-store")
    text = dumps(body) + b"\n"
    request.setHeader(b"content-length", b"%d" % len(text))
    # Twisted would cut the body off as well, with a line in the log for each probe.
    return b"" if request.method == b"HEAD" else text
