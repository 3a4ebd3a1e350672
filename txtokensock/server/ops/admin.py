"""
Pages for those who run a server: health, readiness, metrics.  Serve them on an address that
clients cannot reach.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web import http, pages
from twisted.web.resource import IResource, Resource

from ...jsontext import dumps
from ...web.server.answers import JSON, Answer, answer, misdirected
from ...web.server.descriptors import Descriptors
from ...web.server.hosts import HostPolicy
from ...web.server.site import BoundedSite
from ...web.server.site_limits import SiteLimits
from ..service import TokenSocketServer

__all__ = ["AdminPages", "admin_site"]


class AdminPages(Resource):
    """
    ============  ======================================================================
    ``/healthz``  200: the process lives and its reactor turns
    ``/readyz``   200 if clients can come in, otherwise 503; the body says in JSON what
                  state the server and the store are in, and since when
    ``/metrics``  for Prometheus
    ============  ======================================================================

    :param server: whose readiness is shown.
    :param metrics: gives the resource for ``/metrics``; asked at each request.
    :param reactor: whose clock the server has.
    :param hosts: which names they answer to; on a loopback address, by default, loopback names.
    """

    def __init__(
        self,
        server: TokenSocketServer,
        metrics: Callable[[], IResource],
        reactor: IReactorTime,
        hosts: HostPolicy | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._metrics = metrics
        self._hosts = hosts or HostPolicy()
        self.putChild(b"healthz", _Health())  # type: ignore[no-untyped-call]
        self.putChild(b"readyz", _Readiness(server, reactor))

    def getChildWithDefault(self, path: bytes, request: Any) -> IResource:
        """Find the page of a path, for requests that are not for a host of somebody else's."""
        if not self._hosts.allow(request):
            return _Misdirected()  # type: ignore[no-untyped-call]
        page: IResource = super().getChildWithDefault(path, request)  # type: ignore[no-untyped-call]
        return page

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Find the page of a path, see :meth:`IResource.getChildWithDefault`."""
        return self._metrics() if path == b"metrics" else pages.notFound()

    def render(self, request: Any) -> Any:
        """Answer 404: there is no page at the root."""
        return pages.notFound().render(request)


def admin_site(pages: AdminPages, reactor: Any, **options: Any) -> BoundedSite:
    """
    A site for the pages.  It does not log its requests, for probes come every few seconds.

    :param options: those of :class:`~txtokensock.web.server.site.BoundedSite`.
    """
    limits = SiteLimits(max_body=1024, connections=500)  # no page has a use for a body
    # When the sites of clients have taken all descriptors but their reserve, there are some left.
    return BoundedSite(
        pages,
        limits,
        reactor=reactor,
        logged=False,
        descriptors=Descriptors(reserve=0.25),
        **options,
    )


class _Misdirected(Resource):
    isLeaf = True

    def render(self, request: Any) -> Answer:
        return misdirected(request)


class _Health(Resource):
    isLeaf = True

    def render_GET(self, request: Any) -> Answer:
        return _answer(request, http.OK, {"alive": True})


class _Readiness(Resource):
    isLeaf = True

    def __init__(self, server: TokenSocketServer, reactor: IReactorTime) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._reactor = reactor

    def render_GET(self, request: Any) -> Answer:
        now = self._server.readiness
        body: dict[str, Any] = {
            "ready": now.ready,
            "server": {"state": now.state, **self._since(now.state_since)},
        }
        if now.store_since is not None:
            state = "available" if now.store_available else "unavailable"
            body["store"] = {"state": state, **self._since(now.store_since)}
            if now.store_problem is not None:
                body["store"]["reason"] = now.store_problem
        return _answer(request, http.OK if now.ready else http.SERVICE_UNAVAILABLE, body)

    def _since(self, when: float) -> dict[str, Any]:
        moment = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
        return {"since": moment, "seconds": round(self._reactor.seconds() - when, 3)}


def _answer(request: Any, status: int, body: dict[str, Any]) -> Answer:
    request.setHeader(b"cache-control", b"no-store")
    return answer(request, status, dumps(body) + b"\n", JSON)
