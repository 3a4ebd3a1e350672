"""
Which web pages may talk to this server.

A browser sends the visitor's cookies with every request, whichever page makes it: a
page elsewhere could take the visitor's token and open a session in their name (S27).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from twisted.logger import Logger
from twisted.web.iweb import IRequest

from ..errors import InvalidOption, shorten
from ..sockjs.server.request_info import header

__all__ = ["AllowedOrigins", "Origins"]

AllowedOrigins: TypeAlias = Collection[str] | Literal["*"] | None
"""
Origins such as ``"https://app.example.com"`` or ``"http://localhost:3000"`` whose pages
may talk to this server, besides its own; ``"*"`` for all; None for its own alone.
"""


class Origins:
    """
    :param allowed: see :data:`AllowedOrigins`.
    :raises InvalidOption: for what is no origin.
    """

    _log = Logger()

    def __init__(self, allowed: AllowedOrigins) -> None:
        self._everyone = allowed == "*"
        self._listed: frozenset[str] = frozenset()
        if self._everyone or allowed is None:
            return
        if isinstance(allowed, str) or not isinstance(allowed, Collection):
            raise InvalidOption("allowed_origins must be '*' or a collection of origins")
        self._listed = frozenset(_normal(origin) for origin in allowed)

    def allow(self, request: IRequest, *, as_script: bool = False) -> bool:
        """
        Whether the request comes from a page that may make it, or from no page at all.

        Browsers leave ``Origin`` out of requests to the page's own origin, and where a
        page elsewhere loads an URL as a script, an image or a frame.  ``Sec-Fetch-Site``
        tells these apart, and ``Referer`` tells where from.

        :param as_script: the answer would run as a script: without proof that the page
            may have it, no.
        """
        allowed = self._allow(request, as_script)
        if not allowed:
            # Where a proxy rewrites Host, this is the only trace of why no page gets in.
            self._log.info(
                "refused a page of {origin}, the server's own host is {host}",
                origin=shorten(_claimed_origin(request)),
                host=shorten(str(header(request, b"host"))),
            )
        return allowed

    def _allow(self, request: IRequest, as_script: bool) -> bool:
        origin = header(request, b"origin")
        if origin is not None:
            return self.allow_origin(request, origin)
        if self._everyone:
            return True
        site = header(request, b"sec-fetch-site")
        if site in ("same-origin", "none"):
            return True
        referer = header(request, b"referer")
        if referer:
            return self.allow_origin(request, _origin_of(referer))
        return site is None and not as_script

    def allow_origin(self, request: IRequest, origin: str) -> bool:
        """Whether pages of that origin may make the request."""
        if self._everyone:
            return True
        return origin.lower() in self._listed or _is_own(request, origin)


def _is_own(request: Any, origin: str) -> bool:
    """
    Whether the origin is the host that the request is for.

    A proxy in front may have ended TLS: only a request that came over TLS to us tells
    the scheme for certain.
    """
    parts = _parts(origin)
    if parts is None or (request.isSecure() and parts[0] != "https"):
        return False
    return _parts(f"{parts[0]}://{header(request, b'host') or ''}") == parts


_DEFAULT_PORTS = {"http": 80, "https": 443}


def _parts(origin: str) -> tuple[str, str, int] | None:
    try:
        url = urlsplit(origin.lower())
        port = url.port or _DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.scheme, url.hostname, port) if url.hostname and port else None


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "null"
    return f"{parts.scheme}://{parts.netloc}"


def _claimed_origin(request: Any) -> str:
    """For people; a referer's path and query are nobody's business."""
    return str(header(request, b"origin") or _origin_of(header(request, b"referer") or ""))


def _normal(origin: object) -> str:
    """The origin as browsers send it."""
    if origin == "null":  # pages without an origin, such as files and sandboxed frames
        return "null"
    if isinstance(origin, str):
        try:
            parts = urlsplit(origin.lower())
        except ValueError:  # such as http://[::1
            parts = urlsplit("")
        if parts.scheme and parts.netloc and parts.path in ("", "/") and not parts.query:
            default = f":{_DEFAULT_PORTS.get(parts.scheme)}"
            return f"{parts.scheme}://{parts.netloc.removesuffix(default)}"
    raise InvalidOption(f"allowed_origins has {origin!r}: an origin is like 'https://example.com'")
