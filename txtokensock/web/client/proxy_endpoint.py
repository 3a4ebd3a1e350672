"""
The endpoint for each kind of proxy.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.iweb import IPolicyForHTTPS

from ..tls.handshake import TLSEndpoint
from .http_connect import ConnectEndpoint
from .names import tcp_endpoint
from .proxies import Proxy
from .socks import SocksEndpoint

__all__ = ["through"]


def through(
    proxy: Proxy, reactor: Any, host: str, port: int, tls: IPolicyForHTTPS
) -> IStreamClientEndpoint:
    """
    :param host: the server's, a name or an IP address, IPv6 without brackets.
    :param tls: decides on the certificate of a proxy that is spoken to over TLS.
    :return: an endpoint that connects to the server through the proxy, without TLS to the
        server.  The proxy resolves the server's name.
    """
    name = proxy.host.encode("ascii")
    endpoint = tcp_endpoint(reactor, proxy.host, proxy.port)
    if proxy.is_socks:
        return SocksEndpoint(
            endpoint, host, port, proxy_name=str(proxy), credentials=proxy.credentials
        )
    if proxy.scheme == "https":
        endpoint = TLSEndpoint(reactor, tls.creatorForNetloc(name, proxy.port), endpoint)
    return ConnectEndpoint(
        endpoint, host, port, proxy_name=str(proxy), authorization=proxy.authorization
    )
