"""
How connections are made: to which endpoint, and with TLS or without.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.endpoints import HostnameEndpoint, clientFromString, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from ..errors import InvalidOption, shorten
from .tls import TLSPolicy

__all__ = ["Dialer"]


@implementer(IAgentEndpointFactory)
class Dialer:
    """
    Gives the endpoint for a server.

    :param reactor: makes the connections.
    :param tls: decides on certificates; by default a :class:`~.tls.TLSPolicy`.
    :param endpoint: connects instead, whatever the server's address, TLS included: an
        endpoint, or the text of one such as ``"unix:/run/app.sock"``.
    :raises InvalidOption: for what is no endpoint.
    """

    def __init__(
        self,
        reactor: Any,
        *,
        tls: IPolicyForHTTPS | None = None,
        endpoint: IStreamClientEndpoint | str | None = None,
    ) -> None:
        self._reactor = reactor
        self._tls = tls or TLSPolicy()
        self._endpoint = _endpoint_option(reactor, endpoint)

    def endpoint(self, host: str, port: int, *, secure: bool) -> IStreamClientEndpoint:
        """
        :param host: a name or an IP address, IPv6 without brackets.
        :param secure: with TLS.
        :return: connects to it.
        """
        if self._endpoint is not None:
            return self._endpoint
        name = host.encode("ascii")
        tcp = HostnameEndpoint(self._reactor, name, port)
        if not secure:
            return tcp
        return wrapClientTLS(self._tls.creatorForNetloc(name, port), tcp)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """For Twisted's ``Agent``."""
        host = uri.host.decode("ascii")
        return self.endpoint(host, uri.port, secure=uri.scheme == b"https")


def _endpoint_option(
    reactor: Any, option: IStreamClientEndpoint | str | None
) -> IStreamClientEndpoint | None:
    if isinstance(option, str):
        try:
            endpoint: IStreamClientEndpoint = clientFromString(reactor, option)
        except Exception as problem:  # each kind of endpoint reads its own text
            raise InvalidOption(
                f"endpoint is {shorten(repr(option))}, which describes none: {problem}"
            ) from None
        return endpoint
    if option is not None and not IStreamClientEndpoint.providedBy(option):
        raise InvalidOption(f"endpoint is {option!r}: it must be a client endpoint, or its text")
    return option
