"""
What the answers of a SockJS server to HTTP requests have in common.

The texts, types and headers are those of sockjs-protocol 0.3.3.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from twisted.web import http
from twisted.web.http import Request
from twisted.web.server import NOT_DONE_YET

__all__ = [
    "allow_origin",
    "answer",
    "cacheable",
    "done",
    "method_not_allowed",
    "not_found",
    "preflight",
    "uncacheable",
]

TEXT = "text/plain; charset=UTF-8"
_YEAR = 365 * 24 * 60 * 60


def answer(request: Request, status: int, body: str = "", content_type: str = TEXT) -> bytes:
    """
    :return: what ``render`` returns.  Without a body there is no content type.
    """
    request.setResponseCode(status)
    if body:
        request.setHeader(b"content-type", content_type.encode())
    else:
        request.setHeader(b"content-length", b"0")  # or Twisted adds a content type
    return body.encode()


def done(request: Request, status: int) -> int:
    """
    Finish a request whose answer must have no body, nor a length of one.

    :return: what ``render`` returns.
    """
    request.setResponseCode(status)
    request.finish()
    return NOT_DONE_YET


def not_found(request: Request) -> bytes:
    """404."""
    return answer(request, http.NOT_FOUND, "404 Error: Page not found\n")


def method_not_allowed(request: Request, allowed: Iterable[bytes]) -> bytes:
    """405."""
    request.setHeader(b"allow", b", ".join(allowed))
    return answer(request, http.NOT_ALLOWED)


def uncacheable(request: Request) -> None:
    """Let nobody keep the answer, and no proxy change it."""
    request.setHeader(
        b"cache-control", b"no-store, no-cache, no-transform, must-revalidate, max-age=0"
    )


def cacheable(request: Request) -> None:
    """Let everybody keep the answer for a year."""
    request.setHeader(b"cache-control", b"public, max-age=%d" % _YEAR)
    request.setHeader(b"expires", http.datetimeToString(time.time() + _YEAR))


def allow_origin(request: Request) -> None:
    """
    Let the page that asks read the answer, with its cookies; the origin has been
    checked before.  ``null`` is the origin of pages from a file, and echoed as well.
    """
    origin = request.getHeader(b"origin")
    request.setHeader(b"access-control-allow-origin", origin or b"*")
    request.setHeader(b"vary", b"Origin")
    if origin:
        request.setHeader(b"access-control-allow-credentials", b"true")
    headers = request.getHeader(b"access-control-request-headers")
    if headers:
        request.setHeader(b"access-control-allow-headers", headers)


def preflight(request: Request, methods: bytes) -> int:
    """The answer to OPTIONS."""
    allow_origin(request)
    cacheable(request)
    request.setHeader(b"access-control-allow-methods", methods)
    request.setHeader(b"access-control-max-age", b"%d" % _YEAR)
    return done(request, http.NO_CONTENT)
