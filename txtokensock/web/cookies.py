"""
The cookies of one client (no I/O).
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from urllib.request import Request

__all__ = ["cookie_header", "trim"]

_MOST_COOKIES = 50
_LARGEST_COOKIE = 4096


def cookie_header(jar: CookieJar, url: str) -> str:
    """The ``Cookie`` header that a browser would send to ``url`` now, or nothing."""
    # The jar thinks in http and https.
    request = Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def trim(jar: CookieJar) -> None:
    """
    Keep what a browser keeps, see RFC 6265 section 6.1: a header that grew with every
    cookie of another name would be refused one day, and then for ever.
    """
    for cookie in list(jar):
        if len(cookie.name) + len(cookie.value or "") > _LARGEST_COOKIE:
            jar.clear(cookie.domain, cookie.path, cookie.name)
    for cookie in list(jar)[:-_MOST_COOKIES]:
        jar.clear(cookie.domain, cookie.path, cookie.name)
