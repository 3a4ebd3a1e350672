"""
Pages for those who run a server: health, readiness, metrics, an API.  Serve them on an address
that clients cannot reach.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web import http
from twisted.web.resource import IResource, Resource

from ...jsontext import dumps
from ...web.server.answers import JSON, Answer, answer, misdirected, no_page
from ...web.server.descriptors import Descriptors
from ...web.server.hosts import HostPolicy
from ...web.server.site import BoundedSite
from ...web.server.site_limits import SiteLimits
from ..service import TokenSocketServer
from .admin_api import MOST_BYTES, AdminAPI

__all__ = ["AdminPages", "admin_site"]


class AdminPages(Resource):
    """
    ============  ======================================================================
    ``/healthz``  200: the process lives and its reactor turns
    ``/readyz``   200 if clients can come in, otherwise 503; the body says in JSON what
                  state the server and the store are in, and since when
    ``/metrics``  for Prometheus
    ``/api``      acts on all servers, see :class:`~.admin_api.AdminAPI`; not without a key
    ============  ======================================================================

    :param server: whose readiness is shown.
    :param metrics: gives the resource for ``/metrics``; asked at each request.
    :param reactor: whose clock the server has.
    :param hosts: which names they answer to; on a loopback address, by default, loopback names.
    :ivar key: what ``Authorization: Bearer`` must have for ``/metrics`` and ``/api``, and for
        reasons in ``/readyz``; None where everybody may read, and nobody act.
    :ivar refused: why the last configuration was not taken, and since when; None if it was.
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
        self._api = AdminAPI(server)
        self._hosts = hosts or HostPolicy()
        self.key: str | None = None
        self.refused: Callable[[], tuple[str, float] | None] = lambda: None
        self.putChild(b"healthz", _Health())  # type: ignore[no-untyped-call]
        self.putChild(b"readyz", _Readiness(self, server, reactor))

    def getChildWithDefault(self, path: bytes, request: Any) -> IResource:
        """Find the page of a path, for requests that are not for a host of somebody else's."""
        if not self._hosts.allow(request):
            return _Misdirected()  # type: ignore[no-untyped-call]
        page: IResource = super().getChildWithDefault(path, request)  # type: ignore[no-untyped-call]
        return page

    def allow_hosts(self, hosts: Collection[str]) -> None:
        """
        Answer to these names from now on.

        :param hosts: see :class:`~txtokensock.web.server.hosts.HostPolicy`.
        """
        self._hosts = HostPolicy(hosts)

    def getChild(self, path: bytes, request: Any) -> IResource:
        """Find the page of a path, see :meth:`IResource.getChildWithDefault`."""
        if path not in (b"metrics", b"api"):
            return no_page()
        if not self.has_key(request):
            return _Unauthorized()  # type: ignore[no-untyped-call]
        if path == b"metrics":
            return self._metrics()
        return _NoKey() if self.key is None else self._api  # type: ignore[no-untyped-call]

    def has_key(self, request: Any) -> bool:
        """Whether the request may know what only those with the key may."""
        if self.key is None:
            return True
        given = request.getHeader(b"authorization") or b""
        return compare_digest(given, b"Bearer " + self.key.encode())

    def render(self, request: Any) -> Any:
        """Answer 404: there is no page at the root."""
        return no_page().render(request)


def admin_site(pages: AdminPages, reactor: Any, **options: Any) -> BoundedSite:
    """
    A site for the pages.  It does not log its requests, for probes come every few seconds.

    :param options: those of :class:`~txtokensock.web.server.site.BoundedSite`.
    """
    limits = SiteLimits(max_body=MOST_BYTES, connections=500)
    # When the sites of clients have taken all descriptors but their reserve, there are some left.
    return BoundedSite(
        pages,
        limits,
        reactor=reactor,
        logged=False,
        descriptors=Descriptors(reserve=0.25),
        **options,
    )


class _Unauthorized(Resource):
    isLeaf = True

    def render(self, request: Any) -> Answer:
        request.setHeader(b"www-authenticate", b"Bearer")
        return _answer(request, http.UNAUTHORIZED, {"error": "Unauthorized"})


class _NoKey(Resource):
    isLeaf = True

    def render(self, request: Any) -> Answer:
        error = "the API needs a key: serve --admin-key-file FILE, or [admin] key"
        return _answer(request, http.FORBIDDEN, {"error": error})


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

    def __init__(
        self, pages: AdminPages, server: TokenSocketServer, reactor: IReactorTime
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._pages = pages
        self._server = server
        self._reactor = reactor

    def render_GET(self, request: Any) -> Answer:
        now, may_know = self._server.readiness, self._pages.has_key(request)
        body: dict[str, Any] = {
            "ready": now.ready,
            "server": {"state": now.state, **self._since(now.state_since)},
        }
        if now.store_since is not None:
            state = "available" if now.store_available else "unavailable"
            body["store"] = {"state": state, **self._since(now.store_since)}
            if now.store_problem is not None and may_know:
                body["store"]["reason"] = now.store_problem
        if (refused := self._pages.refused()) is not None:
            reason, since = refused
            body["configuration"] = {"state": "refused", **self._since(since)}
            if may_know:
                body["configuration"]["reason"] = reason
        return _answer(request, http.OK if now.ready else http.SERVICE_UNAVAILABLE, body)

    def _since(self, when: float) -> dict[str, Any]:
        moment = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
        return {"since": moment, "seconds": round(self._reactor.seconds() - when, 3)}


def _answer(request: Any, status: int, body: dict[str, Any]) -> Answer:
    request.setHeader(b"cache-control", b"no-store")
    return answer(request, status, dumps(body) + b"\n", JSON)
