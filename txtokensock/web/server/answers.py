"""
Writing answers to HTTP requests.

The texts, types and headers of a SockJS server's are those of sockjs-protocol 0.3.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias, cast

from twisted.web import pages
from twisted.web.http import (
    FORBIDDEN,
    NO_CONTENT,
    NOT_ALLOWED,
    NOT_FOUND,
    Request,
    datetimeToString,
)
from twisted.web.resource import IResource
from twisted.web.server import NOT_DONE_YET

__all__ = [
    "JSON",
    "MISDIRECTED",
    "TEXT",
    "Answer",
    "LateAnswer",
    "Page",
    "allow_origin",
    "answer",
    "cacheable",
    "done",
    "foreign_origin",
    "method_not_allowed",
    "misdirected",
    "no_page",
    "not_found",
    "preflight",
    "raw_answer",
    "set_status",
    "typed_answer",
    "unbuffered",
    "uncacheable",
]

Answer: TypeAlias = bytes | int
"""What a resource's ``render`` returns."""

Page: TypeAlias = Mapping[bytes, Callable[[Request], Answer]]
"""The methods of a URL, and what they do."""

TEXT = "text/plain; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
_YEAR = 365 * 24 * 60 * 60

_PHRASES = {status.value: status.phrase.encode() for status in HTTPStatus}


def set_status(request: Request, status: int) -> None:
    """Set the status of an answer, with its phrase: twisted.web does not know them all."""
    request.setResponseCode(status, _PHRASES[status])


def answer(
    request: Request, status: int, body: str | bytes = b"", content_type: str = TEXT
) -> bytes:
    """
    Answer with a body and its content type, or with neither.

    :return: what ``render`` returns.
    """
    data = body.encode() if isinstance(body, str) else body
    set_status(request, status)
    request.setHeader(b"content-length", b"%d" % len(data))
    if data:
        request.setHeader(b"content-type", content_type.encode())
    # twisted.web would cut the body off for HEAD as well, and log each time that it did.
    return b"" if request.method == b"HEAD" else data


def done(request: Request, status: int) -> Answer:
    """
    Finish a request whose answer must have no body, nor a length of one.

    :return: what ``render`` returns.
    """
    set_status(request, status)
    request.finish()
    return NOT_DONE_YET


def typed_answer(
    request: Request, status: int, body: str | bytes = b"", content_type: str = TEXT
) -> Answer:
    """
    Answer at once, unless the connection was lost meanwhile.  The type is sent even without a
    body.

    :return: what ``render`` returns.
    """
    if request.channel is None:
        return NOT_DONE_YET
    request.setHeader(b"content-type", content_type.encode())
    if status == NO_CONTENT:
        return done(request, status)
    return answer(request, status, body, content_type)


class LateAnswer:
    """
    The answer to a request that has to wait.  The client may be gone by then.

    :param request: a request whose ``render`` returns ``NOT_DONE_YET``.
    :param on_lost: called if the connection is lost before the answer.
    :ivar lost: whether the connection was lost.
    """

    def __init__(self, request: Request, on_lost: Callable[[], object] = lambda: None) -> None:
        self._request = request
        self._on_lost = on_lost
        self.lost = False
        request.notifyFinish().addErrback(self._connection_lost)

    def give(self, status: int, body: str | bytes = b"", content_type: str = TEXT) -> None:
        """Answer as :func:`typed_answer` does."""
        if self.lost:
            return
        data = typed_answer(self._request, status, body, content_type)
        if data is not NOT_DONE_YET:
            self._request.write(data)
            self._request.finish()

    def _connection_lost(self, _: object) -> None:
        self.lost = True
        self._on_lost()


def raw_answer(status: int) -> bytes:
    """
    The bytes of an answer without a body, for where there is no request that could write it.
    The connection is to be closed after it.
    """
    phrase = HTTPStatus(status).phrase.encode()
    return b"HTTP/1.1 %d %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % (status, phrase)


def not_found(request: Request) -> Answer:
    """Answer 404: there is nothing at that path."""
    return answer(request, NOT_FOUND, "404 Error: Page not found\n")


def no_page() -> IResource:
    """
    What is at a path where there is nothing, and at all paths below it: twisted.web asks for one
    after the other, and a path may have thousands of slashes.
    """
    page: Any = pages.notFound()
    page.isLeaf = True
    return cast(IResource, page)


def foreign_origin(request: Request) -> Answer:
    """Answer 403, which the page's scripts cannot read."""
    uncacheable(request)
    return answer(request, FORBIDDEN, "This origin is not allowed.\n")


MISDIRECTED = (
    "This server answers to the loopback names of its machine;"
    " allowed_hosts (serve --allowed-host) lists others."
)
"""Why a request for another host is refused."""


def misdirected(request: Request) -> Answer:
    """Answer 421 (RFC 9110): the request is for another host."""
    uncacheable(request)
    return answer(request, HTTPStatus.MISDIRECTED_REQUEST, MISDIRECTED + "\n")


def method_not_allowed(request: Request, allowed: Iterable[bytes]) -> Answer:
    """
    Answer 405: this method is not for that path.

    :param allowed: the methods that are.
    """
    request.setHeader(b"allow", b", ".join(allowed))
    return answer(request, NOT_ALLOWED)


def uncacheable(request: Request) -> None:
    """Forbid caches to keep the answer, and proxies to change it."""
    request.setHeader(
        b"cache-control", b"no-store, no-cache, no-transform, must-revalidate, max-age=0"
    )


def unbuffered(request: Request) -> None:
    """
    Have nginx pass a stream on as it is written.  By default it keeps an answer until it has
    some kilobytes of it.
    """
    request.setHeader(b"x-accel-buffering", b"no")


def cacheable(request: Request) -> None:
    """Allow caches to keep the answer for a year."""
    request.setHeader(b"cache-control", b"public, max-age=%d" % _YEAR)
    request.setHeader(b"expires", datetimeToString(time.time() + _YEAR))


def allow_origin(request: Request) -> None:
    """
    Let the page of the request read the answer, with cookies: the origin was checked before.
    ``null``, the origin of pages from a file, is allowed in the same way.
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
    """
    Answer OPTIONS, with which a browser asks what a page may send.

    :param methods: the methods that the page may use.
    """
    allow_origin(request)
    cacheable(request)
    request.setHeader(b"access-control-allow-methods", methods)
    request.setHeader(b"access-control-max-age", b"%d" % _YEAR)
    return done(request, NO_CONTENT)
