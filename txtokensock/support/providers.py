"""
Objects that provide an interface of Twisted's, as parameters take them.

For a type checker without a plugin for zope, an interface is a class that nothing inherits from:
it refuses every endpoint where an ``IStreamClientEndpoint`` is asked for.  So parameters ask for
what has the methods as well.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.web.iweb import IAgent, IPolicyForHTTPS

__all__ = ["AnyAgent", "AnyClientEndpoint", "AnyFactory", "AnyTLSPolicy"]


class _ClientEndpoint(Protocol):
    def connect(self, protocolFactory: Any, /) -> Deferred[Any]: ...


class _Agent(Protocol):
    def request(
        self, method: bytes, uri: bytes, headers: Any = ..., bodyProducer: Any = ..., /
    ) -> Deferred[Any]: ...


class _TLSPolicy(Protocol):
    def creatorForNetloc(self, hostname: bytes, port: int, /) -> Any: ...


# In quotes: an interface is no class, of which Python could make a union.
AnyClientEndpoint: TypeAlias = "IStreamClientEndpoint | _ClientEndpoint"
"""Provides Twisted's ``IStreamClientEndpoint``."""

AnyFactory: TypeAlias = "IProtocolFactory | Factory[Any]"
"""Provides Twisted's ``IProtocolFactory``."""

AnyAgent: TypeAlias = "IAgent | _Agent"
"""Provides Twisted's ``IAgent``."""

AnyTLSPolicy: TypeAlias = "IPolicyForHTTPS | _TLSPolicy"
"""Provides Twisted's ``IPolicyForHTTPS``, as :class:`~txtokensock.TLSPolicy` does."""
