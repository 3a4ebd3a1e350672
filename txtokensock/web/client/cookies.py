"""
The cookies of one client.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar
from typing import Any
from urllib.request import Request

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["Cookies", "cookie_header", "take_cookies", "trim"]

_MOST_COOKIES = 50
_LARGEST_COOKIE = 4096
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def cookie_header(jar: CookieJar, url: str) -> str:
    """The ``Cookie`` header that a browser would send to ``url`` now, or nothing."""
    request = Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def take_cookies(jar: CookieJar, url: str, set_cookie: Iterable[bytes]) -> None:
    """
    Keep the cookies that a response sets, except those that could not be sent back unchanged.

    :param url: the URL of the request.
    :param set_cookie: the values of the ``Set-Cookie`` headers.
    """
    headers = Message()
    for value in set_cookie:
        if not _CONTROL.search(value) and _is_text(value):
            headers["Set-Cookie"] = value.decode()
    answer: Any = _Answer(headers)
    jar.extract_cookies(answer, Request(url))
    trim(jar)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Answer:
    """The part of a response that a cookie jar reads."""

    def __init__(self, headers: Message) -> None:
        self._headers = headers

    def info(self) -> Message:
        return self._headers


def trim(jar: CookieJar) -> None:
    """
    Keep as many cookies as a browser does, see RFC 6265 section 6.1.  Without a limit, a
    server that sets new names would make the ``Cookie`` header grow until every request is
    refused.
    """
    for cookie in list(jar):
        if len(cookie.name) + len(cookie.value or "") > _LARGEST_COOKIE:
            jar.clear(cookie.domain, cookie.path, cookie.name)
    for cookie in list(jar)[:-_MOST_COOKIES]:
        jar.clear(cookie.domain, cookie.path, cookie.name)


@implementer(IAgent)
class Cookies:
    """
    Takes the cookies of responses before treq does, which raises for those not in ASCII.

    :param agent: sends the requests.
    :param jar: keeps the cookies.
    """

    def __init__(self, agent: IAgent, jar: CookieJar) -> None:
        self._agent = agent
        self._jar = jar

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        responding = self._agent.request(method, uri, headers, bodyProducer)
        return responding.addCallback(self._take, uri.decode("ascii"))

    def _take(self, response: IResponse, url: str) -> IResponse:
        set_cookie = response.headers.getRawHeaders(b"set-cookie")
        if set_cookie:
            take_cookies(self._jar, url, set_cookie)
            response.headers.removeHeader(b"set-cookie")
        return response
