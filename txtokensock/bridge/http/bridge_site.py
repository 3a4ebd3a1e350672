"""
The bridge's site, which Klein reads requests from.
"""

from __future__ import annotations

from http import HTTPStatus
from io import BytesIO
from typing import Any, AnyStr

from twisted.web.resource import IResource, Resource

from ...web.server.answers import answer
from ...web.server.site import BoundedRequest, BoundedSite, SiteLimits
from ..config.http import HttpConfig

__all__ = ["bridge_site", "site_limits"]


class _BridgeRequest(BoundedRequest):
    """A request as Klein can read it; its body is kept in memory."""

    def gotLength(self, length: int | None) -> None:
        """The body begins."""
        super().gotLength(length)
        self.content = BytesIO()

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
            return answer(request, HTTPStatus.BAD_REQUEST)
        return self._resource.render(request)


def site_limits(section: HttpConfig) -> SiteLimits:
    """What the clients may have by the configuration."""
    return SiteLimits(max_body=section.body_limit, connections=section.connections)


def bridge_site(resource: IResource, section: HttpConfig, reactor: Any) -> BoundedSite:
    """
    A site that logs no requests: the query of a signed one is nobody's business.

    :param resource: Klein's; it answers bodies that are too large in its own way.
    :param section: of the configuration.
    """
    return BoundedSite(
        _Readable(resource),
        site_limits(section),
        logged=False,
        answers_too_large=True,
        request=_BridgeRequest,
        reactor=reactor,
    )
