"""
The bridge's site, which Klein reads requests from.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, AnyStr

from twisted.web.resource import IResource, Resource

from ...web.server.answers import answer
from ...web.server.bounded_request import BoundedRequest
from ...web.server.site import BoundedSite
from ...web.server.site_limits import Refusal, SiteLimits
from ...web.server.trusted_proxies import TrustedProxies
from ..config.http import HttpConfig

__all__ = ["bridge_site", "site_limits"]


class _BridgeRequest(BoundedRequest):
    """A request that Klein can read."""

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """
        Return the value as text.  Bytes that are not UTF-8 become half surrogates: it is the
        reader of the header who refuses them.
        """
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode())
        return None if value is None else value.decode("utf-8", "surrogateescape")

    def getRequestHostname(self) -> bytes:
        """
        Return the same name for every request.  No page depends on it, and Klein raises for
        a ``Host`` that is not valid.  :class:`.api_keys.ApiKeys` checks ``Host``.
        """
        return b"bridge"


class _Readable(Resource):
    """Answers 400 where the method or path is not UTF-8: Klein would log a traceback."""

    isLeaf = True

    def __init__(self, resource: IResource) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._resource = resource

    def render(self, request: Any) -> Any:
        try:
            b"/".join([request.method, *request.prepath, *request.postpath]).decode("utf-8")
        except UnicodeDecodeError:
            return answer(request, HTTPStatus.BAD_REQUEST)
        return self._resource.render(request)


def site_limits(section: HttpConfig) -> SiteLimits:
    """The limits of the site that the configuration asks for."""
    return SiteLimits(
        max_body=section.body_limit,
        connections=section.connections,
        connections_per_address=section.connections_per_address or section.connections // 4 or 1,
        head_timeout=section.head_timeout,
        body_timeout=section.body_timeout,
        body_rate=section.body_rate,
    )


def bridge_site(
    resource: IResource,
    section: HttpConfig,
    reactor: Any,
    on_refusal: Callable[[Refusal], object] | None = None,
) -> BoundedSite:
    """
    A site that logs no requests, because the query of a signed one is secret.

    :param resource: Klein's; it answers bodies that are too large in its own way.
    :param section: of the configuration.
    :param on_refusal: called with the limit that a connection has crossed, each time.
    """
    return BoundedSite(
        _Readable(resource),
        site_limits(section),
        logged=False,
        answers_too_large=True,
        request=_BridgeRequest,
        trusted_proxies=TrustedProxies(section.trusted_proxies),
        on_refusal=on_refusal,
        reactor=reactor,
    )
