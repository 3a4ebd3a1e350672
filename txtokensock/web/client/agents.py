"""
What stands around Twisted's ``Agent``.
"""

from __future__ import annotations

from http.cookiejar import CookieJar
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from .cookies import take_cookies

__all__ = ["CompressedAnswer", "Cookies", "Remembered", "Uncompressed"]


@implementer(IAgentEndpointFactory)
class Remembered:
    """
    Asks for the endpoint of a server once: ``Agent`` wants one for each request, also where
    a connection is used again, and to find the way takes as long as all the rest.
    """

    def __init__(self, dialer: IAgentEndpointFactory) -> None:
        self._dialer = dialer
        self._endpoints: dict[object, IStreamClientEndpoint] = {}

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        server = (uri.scheme, uri.host, uri.port)
        if server not in self._endpoints:
            self._endpoints[server] = self._dialer.endpointForURI(uri)
        return self._endpoints[server]


class CompressedAnswer(Exception):
    """An answer is compressed, though it was said that none should be."""


@implementer(IAgent)
class Uncompressed:
    """
    Says that answers are wanted as they are; treq asks for gzip, and makes of what comes in
    up to a thousand times as much.

    :param strict: whether to take no others.
    """

    def __init__(self, agent: IAgent, strict: bool) -> None:
        self._agent = agent
        self._strict = strict

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        headers = Headers() if headers is None else headers.copy()
        headers.setRawHeaders("Accept-Encoding", ["identity"])
        answer = self._agent.request(method, uri, headers, bodyProducer)
        return answer.addCallback(_as_it_is) if self._strict else answer


def _as_it_is(response: IResponse) -> IResponse:
    coding = response.headers.getRawHeaders(b"content-encoding", [b"identity"])
    if [one.strip().lower() for one in coding] != [b"identity"]:
        raise CompressedAnswer("the answer is compressed, which was not asked for")
    return response


@implementer(IAgent)
class Cookies:
    """Takes what answers set, before treq does, which raises for what is not ASCII."""

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
        answer = self._agent.request(method, uri, headers, bodyProducer)
        return answer.addCallback(self._take, uri.decode("ascii"))

    def _take(self, response: IResponse, url: str) -> IResponse:
        take_cookies(self._jar, url, response.headers.getRawHeaders(b"set-cookie", []))
        response.headers.removeHeader(b"set-cookie")
        return response
