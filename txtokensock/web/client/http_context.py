"""
What all connections of one client share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ...support.providers import AnyAgent, AnyClientEndpoint, AnyTLSPolicy
from .cookies import cookie_header, new_jar, take_cookies, with_cookies
from .dialer import Dialer
from .http_client import WebClient
from .proxies import ProxyOption
from .request_headers import HeadersOption, RequestHeaders

__all__ = ["HTTPContext"]


class HTTPContext:
    """
    What all connections of one client use, those of the token request and those of the
    session: cookies, headers, and the way to the server.

    :param reactor: makes the connections, and keeps the time.
    :param headers: see :data:`~.headers.HeadersOption`.
    :param tls: decides on certificates.
    :param proxy: see :class:`~.dialer.Dialer`.
    :param endpoint: see there.
    :raises InvalidOption: if an option is not valid.
    :ivar reactor: the same.
    :ivar dialer: gives endpoints.
    :ivar cookies: what servers set.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        headers: HeadersOption | None = None,
        tls: AnyTLSPolicy | None = None,
        proxy: ProxyOption = True,
        endpoint: AnyClientEndpoint | str | None = None,
    ) -> None:
        self.reactor = reactor
        self.dialer = Dialer(reactor, tls=tls, proxy=proxy, endpoint=endpoint)
        self.cookies = new_jar()
        self._headers = RequestHeaders(headers)

    async def ask_headers(self) -> dict[str, str]:
        """
        The headers of one attempt; see :meth:`~.headers.RequestHeaders.ask`.

        :raises InvalidOption: if the user's function failed, or gave none.
        """
        return await self._headers.ask(self.reactor)

    def with_cookies(self, headers: Mapping[str, str], url: str) -> dict[str, str]:
        """
        The headers of one request: those of the attempt, and the cookies for ``url`` after
        those that the user gave.
        """
        return with_cookies(headers, cookie_header(self.cookies, url))

    def take_cookies(self, url: str, set_cookie: Iterable[bytes]) -> None:
        """See :func:`~.cookies.take_cookies`; :meth:`client` does it by itself."""
        take_cookies(self.cookies, url, set_cookie)

    def client(
        self,
        *,
        persistent: bool = False,
        connected: Callable[[Any], None] = lambda _: None,
        read_ended: Callable[[], object] = lambda: None,
        agent: AnyAgent | None = None,
    ) -> WebClient:
        """A client for HTTP requests; see :class:`~.http_client.WebClient`."""
        return WebClient(
            self.reactor,
            self.dialer,
            self.cookies,
            persistent=persistent,
            connected=connected,
            read_ended=read_ended,
            agent=agent,
        )
