"""
Which web pages may use a SockJS server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from twisted.logger import Logger

from ...errors import InvalidOption
from .request_info import header

__all__ = ["AllowedOrigins", "OriginPolicy", "same_origin"]

AllowedOrigins: TypeAlias = Collection[str] | Callable[[Any, str], bool] | None
"""
None for every origin, a collection of origins such as ``"https://example.com"``, or a
callable that gets the request and the origin.
"""

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginPolicy:
    """
    Decides whether a page's scripts may talk to this server.

    A request without an ``Origin`` comes from no script of another origin, with one
    exception: a page may load any URL as a script, and jsonp answers with one.  There
    ``Referer`` and ``Sec-Fetch-Site`` speak for the origin.

    :param allowed: see :data:`AllowedOrigins`.
    :raises InvalidOption: if it is neither.
    """

    _log = Logger()

    def __init__(self, allowed: AllowedOrigins) -> None:
        if isinstance(allowed, str | bytes):
            raise InvalidOption("allowed_origins must be a collection of origins, not one text")
        self._predicate: Callable[[Any, str], bool] | None = None
        self._listed: frozenset[str] = frozenset()
        if callable(allowed):
            self._predicate = allowed
        elif isinstance(allowed, Collection):
            self._listed = frozenset(allowed)
        elif allowed is not None:
            raise InvalidOption(f"allowed_origins is {allowed!r}: give a collection or a callable")
        self._everyone = allowed is None

    def allows(self, request: Any, *, as_script: bool = False) -> bool:
        """
        :param as_script: whether the request's answer is a script.
        """
        if self._everyone:
            return True
        origin = header(request, b"origin")
        if origin is None and as_script:
            origin = _origin_of(header(request, b"referer"))
            if origin is None:
                return header(request, b"sec-fetch-site") in (None, "none", "same-origin")
        return origin is None or self._allows_origin(request, origin)

    def _allows_origin(self, request: Any, origin: str) -> bool:
        if self._predicate is None:
            return origin in self._listed
        try:
            return bool(self._predicate(request, origin))
        except Exception:
            self._log.failure("allowed_origins raised, the origin is refused")
            return False


def same_origin(request: Any, origin: str) -> bool:
    """
    Whether ``origin`` is the server itself, as the request's ``Host`` names it: an
    ``allowed_origins`` for servers whose pages come from the same host and port.

    Behind a proxy that ends TLS or rewrites ``Host``, list the origins instead.
    """
    scheme = "https" if request.isSecure() else "http"
    own = _parts(f"{scheme}://{header(request, b'host') or ''}")
    return own is not None and own == _parts(origin)


def _parts(origin: str) -> tuple[str, str, int | None] | None:
    try:
        url = urlsplit(origin)
        port = url.port or _DEFAULT_PORTS.get(url.scheme)
    except ValueError:
        return None
    return (url.scheme, url.hostname, port) if url.hostname else None


def _origin_of(referer: str | None) -> str | None:
    if not referer:
        return None
    try:
        url = urlsplit(referer)
    except ValueError:
        return "null"
    return f"{url.scheme}://{url.netloc}"
