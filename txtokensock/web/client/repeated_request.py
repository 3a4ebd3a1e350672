"""
A request that is sent many times.
"""

from __future__ import annotations

from collections.abc import Mapping
from http.cookiejar import Cookie, CookieJar

from twisted.internet.defer import Deferred, fail
from twisted.web.http_headers import Headers

from .agent import Agent, Prepared
from .content_coding import UNCOMPRESSED, check_uncompressed
from .cookies import cookie_header, take_cookies, with_cookies
from .http_response import Response

__all__ = ["RepeatedRequest"]


class RepeatedRequest:
    """
    A request that is sent again and again.  What stays the same is put together, and checked,
    once; it goes past treq, which would put agents of its own around it each time.

    A compressed response fails: a few bytes can become a lot of them.

    :param agent: sends it.
    :param cookies: are sent along, and take what the responses set.
    :param url: in ASCII, with its query.
    :param headers: without the cookies that servers set.
    """

    def __init__(
        self, agent: Agent, cookies: CookieJar, method: str, url: str, headers: Mapping[str, str]
    ) -> None:
        self._agent = agent
        self._jar = cookies
        self._method = method.encode()
        self._url = url
        self._headers = headers
        self._cookies: list[Cookie] = []
        self._prepared: Prepared | None = None

    def send(self, content: bytes | None = None) -> Deferred[Response]:
        """
        Send the request, once more.

        :param content: the body, if there is one.
        :return: fires, and fails, as :meth:`.Agent.request` does; fails with
            :class:`~.content_coding.CompressedResponse` as well.
        """
        cookies = [cookie for cookie in self._jar if not cookie.is_expired()]
        if self._prepared is None or cookies != self._cookies:
            try:
                self._prepared = self._prepare()
            except Exception:
                return fail()
            self._cookies = cookies
        return self._prepared.send(content).addCallback(self._responded)

    def _prepare(self) -> Prepared:
        headers = with_cookies(self._headers, cookie_header(self._jar, self._url))
        lines = Headers({name: [value] for name, value in headers.items()})
        lines.setRawHeaders(*UNCOMPRESSED)
        return self._agent.prepare(self._method, self._url.encode(), lines)

    def _responded(self, response: Response) -> Response:
        set_cookie = response.values(b"set-cookie")
        if set_cookie:
            take_cookies(self._jar, self._url, set_cookie)
        check_uncompressed(response.code, response.values(b"content-encoding"))
        return response
