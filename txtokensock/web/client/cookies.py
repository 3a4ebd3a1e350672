"""
The cookies of one client.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request

from twisted.internet.defer import Deferred
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from ...address import ip_address_of
from .retry_after import http_date

__all__ = ["Cookies", "cookie_header", "new_jar", "take_cookies", "with_cookies"]

_MOST_COOKIES = 50
_LARGEST_COOKIE = 4096
_LONGEST_LIFE = 400 * 86_400
"""Seconds, as browsers have it: RFC 6265bis, section 5.5."""

_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_MAX_AGE = re.compile(r"-?[0-9]+")
_MAX_AGE_DIGITS = 12
"""As many as matter: Python reads no number of thousands."""


def new_jar() -> CookieJar:
    """:return: a jar that sends a cookie to who set it, or to the domain that it names."""
    # The jar's default sends it to all below that host, as Netscape's did.
    return CookieJar(
        DefaultCookiePolicy(strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)
    )


def cookie_header(jar: CookieJar, url: str) -> str:
    """The ``Cookie`` header that a browser would send to ``url`` now, or nothing."""
    if not any(True for _ in jar):
        return ""
    request = Request(url)
    jar.add_cookie_header(request)
    return request.get_header("Cookie") or ""


def with_cookies(headers: Mapping[str, str], cookies: str) -> dict[str, str]:
    """
    :param headers: of a request.
    :param cookies: see :func:`cookie_header`.
    :return: the headers, with these cookies after those that they had.
    """
    complete = {name: text for name, text in headers.items() if name.lower() != "cookie"}
    own = [text for name, text in headers.items() if name.lower() == "cookie"]
    every = "; ".join(filter(None, [*own, cookies]))
    return {**complete, "Cookie": every} if every else complete


def take_cookies(jar: CookieJar, url: str, set_cookie: Iterable[bytes]) -> None:
    """
    Keep the cookies that a response sets, except those that could not be sent back unchanged.

    :param url: the URL of the request.
    :param set_cookie: the values of the ``Set-Cookie`` headers.
    """
    for value in set_cookie:
        if not _CONTROL.search(value) and _is_text(value):
            cookie = _acceptable(value.decode(), url)
            if cookie is not None:
                answer: Any = _Answer(cookie)
                jar.extract_cookies(answer, Request(url))
    _trim(jar)


def _acceptable(cookie: str, url: str) -> str | None:
    """
    What Python's jar does otherwise than browsers do: RFC 6265bis, sections 4.1.3, 5.6 and 5.7.

    :param cookie: the value of a ``Set-Cookie``.
    :return: it as the jar understands it, without attributes that are not valid; None for one
        that such a URL may not set.
    """
    pair, *attributes = cookie.split(";")
    named = {}
    for attribute in attributes:
        name, _, value = attribute.partition("=")
        named[name.strip().lower()] = value.strip()
    name = pair.partition("=")[0].strip().lower()
    secure, parts = "secure" in named, urlsplit(url)
    if secure and parts.scheme != "https":
        return None
    if name.startswith(("__secure-", "__host-")) and not secure:
        return None
    if name.startswith("__host-") and (named.get("path") != "/" or named.get("domain")):
        return None
    kept = [pair.strip().removeprefix("=")]
    if secure:
        kept.append("Secure")
    if named.get("path", "").startswith("/"):
        kept.append(f"Path={named['path']}")
    domain = named.get("domain", "").lower().removeprefix(".")
    own = domain == (parts.hostname or "").lower()
    # The jar refuses a domain without a dot, and addresses: it is for this host alone.
    if domain and not (own and ("." not in domain or ip_address_of(domain) is not None)):
        kept.append(f"Domain={domain}")
    seconds = _lifetime(named)
    if seconds is not None:
        kept.append(f"Max-Age={seconds}")
    return ";".join(kept)


def _lifetime(attributes: Mapping[str, str]) -> int | None:
    """Seconds for which a cookie is kept, none above 0 for one that is over; None for no end."""
    text = attributes.get("max-age", "")
    if _MAX_AGE.fullmatch(text):
        seconds = int(text[:_MAX_AGE_DIGITS])
    else:
        expires = http_date(attributes.get("expires", ""))
        if expires is None:
            return None
        seconds = int(expires - time.time())
    return min(seconds, _LONGEST_LIFE)


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


class _Answer:
    """The part of a response that a cookie jar reads."""

    def __init__(self, cookie: str) -> None:
        self._headers = Message()
        self._headers["Set-Cookie"] = cookie

    def info(self) -> Message:
        return self._headers


def _trim(jar: CookieJar) -> None:
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
