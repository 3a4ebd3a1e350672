"""
Which web pages may use a server.

A browser sends the visitor's cookies with every request, whichever page makes it: a
page elsewhere could take the visitor's token and open a session in their name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Literal, NamedTuple, TypeAlias

from twisted.logger import Logger

from ...errors import InvalidOption, shorten
from ...support.deprecation import deprecate
from ...support.user_functions import call_plain_function
from .header_text import header
from .trusted_proxies import forwarded, is_secure

__all__ = ["AllowedOrigins", "OriginPolicy", "same_origin"]

AllowedOrigins: TypeAlias = Collection[str] | Callable[[Any, str], bool] | Literal["*"] | None
"""
Whose pages may use a server:

=============  ==========================================================================
``None``       pages of the server's own origin alone
``"*"``        all pages
a collection   of origins such as ``"https://app.example.com"``, besides the server's own;
               ``"null"`` stands for pages without an origin, such as files
a callable     gets the request and the origin as the browser sent it, and decides alone;
               if it raises, that is logged and the page is refused
=============  ==========================================================================

The server's own origin is the host that the request's ``Host`` header names.  Behind a
proxy that changes ``Host``, list the origin.
"""


class OriginPolicy:
    """
    Decides which pages may make a request.

    :param allowed: see :data:`AllowedOrigins`.
    :param option: what the log names where a page is refused.
    :raises InvalidOption: if it is none of these, or holds what is not an origin.
    :ivar everyone: whether all pages may.
    """

    _log = Logger()

    def __init__(self, allowed: AllowedOrigins, *, option: str = "allowed_origins") -> None:
        self._option = option
        self.everyone = isinstance(allowed, str) and allowed == "*"
        self._decide: Callable[[Any, str], bool] | None = None
        self._listed: frozenset[_Origin] = frozenset()
        if self.everyone or allowed is None:
            return
        if callable(allowed):
            self._decide = allowed
        elif isinstance(allowed, str | bytes) or not isinstance(allowed, Collection):
            raise InvalidOption(
                f"allowed_origins is {allowed!r}: it must be '*', a collection of origins, a"
                " function or None"
            )
        else:
            self._listed = frozenset(_checked(origin) for origin in allowed)

    @property
    def hosts(self) -> set[str]:
        """The hosts of the origins that are listed, IPv6 without brackets."""
        return {origin.host.strip("[]") for origin in self._listed if origin.host}

    def allow(self, request: Any, origin_allowed: bool | None = None) -> bool:
        """
        Whether the request comes from a page that may make it, or from no page at all.

        Browsers leave ``Origin`` out of requests to the page's own origin, and where a
        page elsewhere loads a URL as a script, an image or a frame.  ``Sec-Fetch-Site``
        tells these apart, and ``Referer`` names the page.

        :param request: an :class:`~twisted.web.iweb.IRequest`.
        :param origin_allowed: what :meth:`allow_origin` has said of its ``Origin``, if it was
            asked.
        """
        allowed = self._allow(request) if origin_allowed is None else origin_allowed
        if not allowed:
            # If a proxy rewrites Host, only this line says why every page is refused.
            self._log.info(
                "refused a page of {origin}: the server's own host is {host}, and"
                " {option} does not allow it{hint}",
                event="origin.refused",
                option=self._option,
                hint=_schemes(request) if self._decide is None else "",
                origin=shorten(_claimed_origin(request)),
                host=shorten(str(header(request, b"host"))),
            )
        return allowed

    def _allow(self, request: Any) -> bool:
        if self.everyone:
            return True
        origin = header(request, b"origin")
        if origin is not None:
            return self.allow_origin(request, origin)
        site = header(request, b"sec-fetch-site")
        if site in ("same-origin", "none"):
            return True
        referer = header(request, b"referer")
        if referer:
            return self.allow_origin(request, _origin_of_url(referer))
        return site is None

    def allow_script(self, request: Any, *, everyone: bool = False) -> bool:
        """
        Whether the request proves that it comes from a page that may load the answer as a
        script.  Any page can load one, with the visitor's cookies and without ``Origin``: what
        says nothing of where it comes from is refused.

        :param request: an :class:`~twisted.web.iweb.IRequest`.
        :param everyone: whether ``"*"`` means all pages here as well.  It proves nothing, so
            that under it only the server's own pages are allowed otherwise.
        """
        if self.everyone and everyone:
            return True
        allowed = self._is_proven(request)
        if not allowed:
            self._log.info(
                "refused a script to a page of {origin}: {remedy}",
                event="script.refused",
                origin=shorten(_claimed_origin(request)),
                remedy="jsonp=True would allow it, to all pages"
                if self.everyone
                else "allowed_origins (serve --allowed-origin) would allow it, if the page says"
                " its origin",
            )
        return allowed

    def _is_proven(self, request: Any) -> bool:
        site = header(request, b"sec-fetch-site")
        if site in ("same-origin", "none"):  # no other page sees what a person asks for by hand
            return True
        origin = header(request, b"origin") or _origin_of_url(header(request, b"referer") or "")
        # Whether the page is of our own origin, the browser knows better than Host does; and
        # pages without an origin cannot be told apart from pages that hide theirs.
        return origin != "null" and self._allow_page(request, origin, own=site is None)

    def allow_origin(self, request: Any, origin: str) -> bool:
        """
        Whether pages of that origin may make the request.

        :param origin: as the browser sent it.
        """
        return self.everyone or self._allow_page(request, origin, own=True)

    def _allow_page(self, request: Any, origin: str, *, own: bool) -> bool:
        """:param own: whether the host that the request is for counts."""
        if self._decide is not None:
            try:
                return bool(call_plain_function(self._decide, request, origin))
            except Exception:
                self._log.failure(
                    "allowed_origins raised: the page is refused", event="origin.failed"
                )
                return False
        parsed = _parse(origin)
        if parsed is None:
            return False
        return parsed in self._listed or (own and _is_own(request, parsed))


_SAME_ORIGIN = deprecate("same_origin()", "allowed_origins=None", ends="0.3.0")


def same_origin(request: Any, origin: str) -> bool:
    """
    Whether ``origin`` is the server itself, with the scheme of the request.
    ``allowed_origins=None`` means this, and also works behind a proxy that ends TLS.
    """
    _SAME_ORIGIN.warn()
    parsed = _parse(origin)
    scheme = "https" if is_secure(request) else "http"
    return parsed is not None and parsed.scheme == scheme and _is_own(request, parsed)


class _Origin(NamedTuple):
    scheme: str
    host: str
    port: int | None


_NULL = _Origin("null", "", None)
"""The origin of pages that have none, such as files and sandboxed frames."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

# RFC 6454 section 6.2: a scheme, a host and maybe a port.  No user, no path, no query.
_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[^\s/?#@:\[\]]+)(?::(?P<port>\d{1,5}))?"
)


def _parse(text: str) -> _Origin | None:
    """The origin that a browser sent, or None if it is not one."""
    if text == "null":
        return _NULL
    match = _ORIGIN.fullmatch(text.lower())
    if match is None or not text.isascii():
        return None
    scheme, host, port = match["scheme"], match["host"], match["port"]
    if port is None:
        return _Origin(scheme, host, _DEFAULT_PORTS.get(scheme))
    return _Origin(scheme, host, int(port)) if 0 < int(port) < 65536 else None


def _checked(origin: object) -> _Origin:
    """An origin of the option; a slash at its end, which people write, is allowed."""
    parsed = _parse(origin.removesuffix("/")) if isinstance(origin, str) else None
    if parsed is None:
        raise InvalidOption(
            f"allowed_origins has {origin!r}: an origin is like 'https://example.com'"
        )
    return parsed


def _is_own(request: Any, origin: _Origin) -> bool:
    """
    Whether the origin is the host that the request is for.

    A proxy in front may have ended TLS: only a request that came over TLS to us, or through a
    trusted proxy that says it, tells the scheme for certain.
    """
    if origin.scheme not in _DEFAULT_PORTS:
        return False
    said = forwarded(request)
    certain = is_secure(request) or (said is not None and said.secure is not None)
    if certain and is_secure(request) != (origin.scheme == "https"):
        return False
    return _parse(f"{origin.scheme}://{header(request, b'host') or ''}") == origin


def _origin_of_url(url: str) -> str:
    """The origin of a page's URL, without the path and the query, which may be secret."""
    match = re.match(r"[^:/?#]+://[^/?#]+", url)
    return match[0] if match else "null"


def _claimed_origin(request: Any) -> str:
    """The origin that a request claims, for the log: without a user, a path and a query."""
    origin = header(request, b"origin")
    if not origin or "//" in origin:
        origin = _origin_of_url(origin or header(request, b"referer") or "")
    return re.sub(r"//[^/@]*@", "//", origin)


def _schemes(request: Any) -> str:
    """What the log adds where a page is of the server's own host, and of another scheme."""
    page = _parse(_claimed_origin(request))
    own = "https" if is_secure(request) else "http"
    if page is None or page.scheme == own:
        return ""
    if page != _parse(f"{page.scheme}://{header(request, b'host') or ''}"):
        return ""
    return f": the page's scheme is {page.scheme}, the server's own is {own}"
