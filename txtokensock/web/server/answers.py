"""
What the answers of a SockJS server to HTTP requests have in common.

The texts, types and headers are those of sockjs-protocol 0.3.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from twisted.web import http
from twisted.web.http import Request
from twisted.web.server import NOT_DONE_YET

__all__ = [
    "Answer",
    "LateAnswer",
    "Page",
    "allow_origin",
    "answer",
    "cacheable",
    "done",
    "foreign_origin",
    "method_not_allowed",
    "not_found",
    "preflight",
    "uncacheable",
]

Answer: TypeAlias = bytes | int
"""What a resource's ``render`` returns."""

Page: TypeAlias = Mapping[bytes, Callable[[Request], Answer]]
"""The methods of a URL, and what they do."""

TEXT = "text/plain; charset=UTF-8"
_YEAR = 365 * 24 * 60 * 60


def answer(request: Request, status: int, body: str = "", content_type: str = TEXT) -> Answer:
    """
    An answer with a body, or none, and then without a content type.

    :return: what ``render`` returns.
    """
    request.setResponseCode(status)
    data = body.encode()
    request.setHeader(b"content-length", b"%d" % len(data))
    if data:
        request.setHeader(b"content-type", content_type.encode())
    return b"" if request.method == b"HEAD" else data


def done(request: Request, status: int) -> Answer:
    """
    Finish a request whose answer must have no body, nor a length of one.

    :return: what ``render`` returns.
    """
    request.setResponseCode(status)
    request.finish()
    return NOT_DONE_YET


class LateAnswer:
    """
    The answer to a request that has to wait; the client may have gone by then.

    :param request: for which ``render`` returned ``NOT_DONE_YET``.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._lost = False
        request.notifyFinish().addErrback(self._connection_lost)

    def give(self, status: int, body: str = "") -> None:
        """Answer; the type is text even without a body."""
        if self._lost:
            return
        request, data = self._request, body.encode()
        request.setResponseCode(status)
        request.setHeader(b"content-type", TEXT.encode())
        if status != http.NO_CONTENT:
            request.setHeader(b"content-length", b"%d" % len(data))
            request.write(data)
        request.finish()

    def _connection_lost(self, _: object) -> None:
        self._lost = True


def not_found(request: Request) -> Answer:
    """404."""
    return answer(request, http.NOT_FOUND, "404 Error: Page not found\n")


def foreign_origin(request: Request) -> Answer:
    """403, which the page's scripts cannot read."""
    return answer(request, http.FORBIDDEN, "This origin is not allowed.\n")


def method_not_allowed(request: Request, allowed: Iterable[bytes]) -> Answer:
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


def preflight(request: Request, methods: bytes) -> Answer:
    """The answer to OPTIONS."""
    allow_origin(request)
    cacheable(request)
    request.setHeader(b"access-control-allow-methods", methods)
    request.setHeader(b"access-control-max-age", b"%d" % _YEAR)
    return done(request, http.NO_CONTENT)
