"""
The site of the bridge's HTTP side: its limits, and what keeps secrets out of its log.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, AnyStr

from twisted.web.resource import IResource

from ...web.server.bounded_request import BoundedRequest
from ...web.server.site import BoundedSite
from ...web.server.site_limits import Refusal, SiteLimits
from ...web.server.trusted_proxies import TrustedProxies
from ..config.http import HttpConfig

__all__ = ["bridge_site", "site_limits"]


class _BridgeRequest(BoundedRequest):
    """A request whose headers are text for who asks in text."""

    def getHeader(self, key: AnyStr) -> AnyStr | None:
        """
        Return the value as text.  Bytes that are not UTF-8 become half surrogates: it is the
        reader of the header who refuses them.
        """
        if isinstance(key, bytes):
            return super().getHeader(key)
        value = super().getHeader(key.encode())
        return None if value is None else value.decode("utf-8", "surrogateescape")


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

    :param resource: answers bodies that are too large in its own way.
    :param section: of the configuration.
    :param on_refusal: called with the limit that a connection has crossed, each time.
    """
    return BoundedSite(
        resource,
        site_limits(section),
        logged=False,
        answers_too_large=True,
        request=_BridgeRequest,
        trusted_proxies=TrustedProxies(section.trusted_proxies),
        on_refusal=on_refusal,
        reactor=reactor,
    )
