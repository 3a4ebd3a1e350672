"""
Hosts for which Twisted's own endpoint will not do: names with an underscore, as Docker has
them, and addresses, which need no resolver.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IReactorTime,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

__all__ = ["tcp_endpoint"]

_PLACEHOLDER = b"name.invalid"


def tcp_endpoint(reactor: Any, host: str, port: int) -> IStreamClientEndpoint:
    """
    :param host: a name or an IP address, IPv6 without brackets.
    :return: the endpoint that resolves it and connects.
    """
    # Twisted's would have a thread resolve an address, and lose its zone.
    if isIPAddress(host):
        return TCP4ClientEndpoint(reactor, host, port)
    if isIPv6Address(host):
        return TCP6ClientEndpoint(reactor, host, port)
    if "_" in host:
        return _AnyNameEndpoint(reactor, host, port)
    return HostnameEndpoint(reactor, host.encode("ascii"), port)


@implementer(IStreamClientEndpoint)
class _AnyNameEndpoint:
    """Twisted's endpoint for a name that is valid in IDNA, which is resolved as another."""

    def __init__(self, reactor: Any, host: str, port: int) -> None:
        self._host = host
        self._endpoint = HostnameEndpoint(_Resolving(reactor, host), _PLACEHOLDER, port)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        return self._endpoint.connect(protocolFactory).addErrback(self._name)

    def _name(self, failure: Failure) -> Failure:
        if failure.check(DNSLookupError):
            return Failure(DNSLookupError(f"no results for hostname lookup: {self._host}"))
        return failure


@implementer(IReactorTime, IReactorPluggableNameResolver, IHostnameResolver)
class _Resolving:
    """
    A reactor as far as an endpoint needs it, whose resolver looks up one name whatever it is
    asked for.
    """

    def __init__(self, reactor: Any, host: str) -> None:
        self.callLater = reactor.callLater
        self.seconds = reactor.seconds
        self.getDelayedCalls = reactor.getDelayedCalls
        self.connectTCP = reactor.connectTCP
        self.installNameResolver = reactor.installNameResolver
        self._reactor = reactor
        self._host = host

    @property
    def nameResolver(self) -> IHostnameResolver:
        """This, which resolves names itself."""
        return self

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolver: IHostnameResolver = self._reactor.nameResolver
        return resolver.resolveHostName(
            resolutionReceiver, self._host, portNumber, addressTypes, transportSemantics
        )
