"""
How connections are made: to which endpoint, through a proxy or not, with TLS or without.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.endpoints import clientFromString
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from ...errors import InvalidOption, shorten
from ...support.providers import AnyClientEndpoint, AnyTLSPolicy
from ..tls.handshake import TLSEndpoint
from ..tls.policy import TLSPolicy
from .names import tcp_endpoint
from .proxies import Proxy, ProxyOption, proxy_for
from .proxy_endpoint import through

__all__ = ["Dialer"]


@implementer(IAgentEndpointFactory)
class Dialer:
    """
    Gives the endpoint for a server.

    :param reactor: makes the connections.
    :param tls: decides on certificates; by default a :class:`~.tls.TLSPolicy`.
    :param proxy: see :data:`~.proxies.ProxyOption`.
    :param endpoint: connects instead, whatever the server's address, TLS included: an
        endpoint, or the text of one such as ``"unix:/run/app.sock"``.
    :raises InvalidOption: if ``tls``, ``proxy`` or ``endpoint`` is not what it has to be.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        tls: AnyTLSPolicy | None = None,
        proxy: ProxyOption = True,
        endpoint: AnyClientEndpoint | str | None = None,
    ) -> None:
        self._reactor = reactor
        self._tls = TLSPolicy() if tls is None else cast(IPolicyForHTTPS, tls)
        self._proxy = proxy
        self._endpoint = _endpoint_option(reactor, endpoint)
        if not IPolicyForHTTPS.providedBy(self._tls):
            raise InvalidOption(
                f"tls is {shorten(repr(tls))}: it must be a TLSPolicy or another IPolicyForHTTPS"
            )
        if self._endpoint is not None and isinstance(proxy, str):
            raise InvalidOption("endpoint and proxy exclude each other: each is the whole way")

    def endpoint(self, host: str, port: int, *, secure: bool) -> IStreamClientEndpoint:
        """
        :param host: a name or an IP address, IPv6 without brackets.
        :param secure: whether to use TLS.
        :return: the endpoint that connects to it.
        """
        if self._endpoint is not None:
            return self._endpoint
        name = host.encode("ascii")
        proxy = self.proxy(host, port, secure=secure)
        tcp: IStreamClientEndpoint
        if proxy is None:
            tcp = tcp_endpoint(self._reactor, host, port)
        else:
            tls = self._tls.for_proxies() if isinstance(self._tls, TLSPolicy) else self._tls
            tcp = through(proxy, self._reactor, host, port, tls)
        if not secure:
            return tcp
        return TLSEndpoint(self._reactor, self._tls.creatorForNetloc(name, port), tcp)

    def proxy(self, host: str, port: int, *, secure: bool) -> Proxy | None:
        """
        :return: the proxy to that server at this moment, or None.
        :raises InvalidOption: if the option or the environment holds no valid URL of a proxy.
        """
        if self._endpoint is not None:
            return None
        return proxy_for(self._proxy, host, port, secure=secure)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The endpoint for the server of a URI, as agents ask for it."""
        host = uri.host.decode("ascii")
        return self.endpoint(host, uri.port, secure=uri.scheme == b"https")


def _endpoint_option(
    reactor: Any, option: AnyClientEndpoint | str | None
) -> IStreamClientEndpoint | None:
    if isinstance(option, str):
        try:
            endpoint: IStreamClientEndpoint = clientFromString(reactor, option)
        except Exception as problem:  # each kind of endpoint reads its own text
            raise InvalidOption(
                f"endpoint is {shorten(repr(option))}, which is not the text of a client endpoint:"
                f" {problem}"
            ) from None
        return endpoint
    if option is not None and not IStreamClientEndpoint.providedBy(option):
        raise InvalidOption(f"endpoint is {option!r}: it must be a client endpoint, or its text")
    return option
