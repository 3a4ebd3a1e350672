"""A TLS server in memory, and clients of several kinds that connect to it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from OpenSSL.crypto import X509
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    trustRootFromCertificates,
)
from twisted.internet.task import Clock
from twisted.protocols import tls as twisted_tls
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import Agent
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from tests.kit.certificates import Authority, Issued
from txtokensock.sockjs import SockJSClientEndpoint
from txtokensock.testing.network import MemoryNetwork

from ...common import collect_garbage

VERSIONS = (TLSVersion.TLSv1_2, TLSVersion.TLSv1_3)


class Ends(Protocol):
    """
    Notes why its connection ended.

    :ivar reason: that.
    """

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.reason: BaseException | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.reason = reason.value


class Greeting(Ends):
    """One that speaks first."""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")


class TLSTestCase(SynchronousTestCase):
    """Has an authority, and a directory for its certificates."""

    authority = Authority()

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-tls-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.clock = Clock()
        # It collects small writes for a turn, by default of the global reactor.
        self.patch(twisted_tls, "_get_default_clock", lambda: self.clock)
        self.authorities, _ = self.authority.issued.write(self.directory, "authority")
        self.addCleanup(collect_garbage)

    def file(self, content: bytes, name: str = "file.pem") -> Path:
        """A file in the directory."""
        path = self.directory / name
        path.write_bytes(content)
        return path

    def settle(self) -> None:
        """What takes no time."""
        self.clock.pump([0] * 30)

    def serve(
        self,
        issued: Issued,
        *,
        version: TLSVersion = TLSVersion.TLSv1_3,
        clients_of: Sequence[Authority] = (),
        greets: bool = False,
    ) -> MemoryNetwork:
        """
        Start a server.

        :param clients_of: whose certificates clients must show, if they must.
        :param greets: whether it speaks first.
        """
        required: dict[str, Any] = {}
        if clients_of:
            required["trustRoot"] = trustRootFromCertificates(
                [Certificate(X509.from_cryptography(one.issued.certificate)) for one in clients_of]
            )
        options = CertificateOptions(
            privateKey=issued.key,
            certificate=issued.certificate,
            extraCertChain=list(issued.chain),
            insecurelyLowerMinimumTo=version,
            lowerMaximumSecurityTo=version,
            **required,
        )
        self.served: list[Ends] = []
        build: Any = partial(self._protocol, Greeting if greets else Ends)
        factory = Factory.forProtocol(build)
        return MemoryNetwork(self.clock, TLSMemoryBIOFactory(options, False, factory))

    def _protocol(self, kind: type[Ends] = Ends) -> Ends:
        self.served.append(kind())
        return self.served[-1]

    def bare(self, network: MemoryNetwork, policy: IPolicyForHTTPS, host: str) -> Greeting:
        """A protocol on a connection of its own, after all that takes no time."""
        endpoint = wrapped(network, policy, host.encode())
        connected = endpoint.connect(Factory.forProtocol(Greeting))
        self.settle()
        protocol: Greeting = self.successResultOf(connected)
        return protocol

    def request(self, network: MemoryNetwork, policy: IPolicyForHTTPS, host: str) -> Deferred[Any]:
        """An HTTP request by Twisted's ``Agent``, after all that takes no time."""
        agent = Agent.usingEndpointFactory(self.clock, _Wrapping(network, policy))
        answer: Deferred[Any] = agent.request(b"GET", _url(host).encode())
        self.settle()
        return answer

    def session(self, network: MemoryNetwork, policy: IPolicyForHTTPS, host: str) -> Deferred[Any]:
        """A SockJS session by WebSocket, after all that takes no time."""
        endpoint = SockJSClientEndpoint(
            self.clock,
            _url(host),
            transports=["websocket"],
            endpoint=wrapped(network, policy, host.encode()),
        )
        connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Protocol))
        self.settle()
        return connecting


def _url(host: str) -> str:
    return f"https://[{host}]/" if ":" in host else f"https://{host}/"


def wrapped(network: MemoryNetwork, policy: IPolicyForHTTPS, host: bytes) -> IStreamClientEndpoint:
    """Connects to the server, with TLS."""
    return wrapClientTLS(policy.creatorForNetloc(host, 443), network.endpoint())


@implementer(IAgentEndpointFactory)
class _Wrapping:
    def __init__(self, network: MemoryNetwork, policy: IPolicyForHTTPS) -> None:
        self._network = network
        self._policy = policy

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        return wrapped(self._network, self._policy, uri.host)
