"""TLS through a tunnel, to the proxy, and the one in the other."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.kit.certificates import Issued
from txtokensock import TLSPolicy
from txtokensock.errors import TLSFailed
from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.client.http_connect import ConnectEndpoint
from txtokensock.web.client.tunnel import ProxyUnanswered
from txtokensock.web.tls.certificates import CertificateRefused
from txtokensock.web.tls.handshake import TLSEndpoint

from ..tls.support import Ends, Greeting, TLSTestCase
from .proxy import OK

NAME = "https://proxy.test:3128"


class Passing(Protocol):
    """A proxy that is asked for a connection and makes it to a server of its own."""

    transport: Any

    def __init__(self, server: Factory) -> None:
        self._server = server
        self._asked = b""
        self._inner: IProtocol | None = None

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
            return
        self._asked += data
        if self._asked.endswith(b"\r\n\r\n"):
            self.transport.write(OK)
            self._inner = self._server.buildProtocol(self.transport.getPeer())
            assert self._inner is not None
            self._inner.makeConnection(self.transport)

    def connectionLost(self, reason: Any = None) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)


class TunnelTLSTests(TLSTestCase):
    """Real handshakes, in memory."""

    def setUp(self) -> None:
        super().setUp()
        self.served: list[Ends] = []
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.settle()
        self.assertEqual(self.network.open, [])
        self.assertEqual(list(self.clock.getDelayedCalls()), [])

    def with_tls(self, issued: Issued, factory: Factory) -> Factory:
        """The factory's protocol over TLS."""
        options = CertificateOptions(privateKey=issued.key, certificate=issued.certificate)
        return TLSMemoryBIOFactory(options, False, factory)

    def connecting(self, *, proxy: str | None = None, server: str | None = None) -> Deferred[Any]:
        """
        An attempt, after all that takes no time.

        :param proxy: the host of the proxy's certificate; None without TLS.
        :param server: the same, of the server's.
        """
        policy = TLSPolicy(authorities=self.authorities)
        behind: Factory = Factory.forProtocol(self._protocol)  # type: ignore[arg-type]
        if server is not None:
            behind = self.with_tls(self.authority.server(server), behind)
        front = Factory.forProtocol(lambda: Passing(behind))  # type: ignore[arg-type]
        if proxy is not None:
            front = self.with_tls(self.authority.server(proxy), front)
        self.network = MemoryNetwork(self.clock, front)
        endpoint = self.network.endpoint()
        if proxy is not None:
            endpoint = self.secure(endpoint, policy, b"proxy.test")
        endpoint = ConnectEndpoint(endpoint, "server.test", 443, proxy_name=NAME)
        if server is not None:
            endpoint = self.secure(endpoint, policy, b"server.test")
        connecting: Deferred[Any] = endpoint.connect(Factory.forProtocol(Greeting))
        self.settle()
        return connecting

    def secure(self, endpoint: Any, policy: TLSPolicy, host: bytes) -> Any:
        """TLS around an endpoint."""
        return TLSEndpoint(self.clock, policy.creatorForNetloc(host, 443), endpoint)

    def check(self, **tls: str) -> None:
        """Both sides hear each other, and of an orderly end."""
        client = self.successResultOf(self.connecting(**tls))
        (server,) = self.served
        self.assertEqual(server.received, b"hello")
        server.transport.write(b"x" * 200_000)
        self.settle()
        self.assertEqual(len(client.received), 200_000)
        client.transport.loseConnection()
        self.settle()
        self.assertIsNotNone(client.reason)
        self.assertIsNotNone(server.reason)

    def test_to_the_server(self) -> None:
        """TLS begins behind the proxy's answer."""
        self.check(server="server.test")

    def test_to_the_proxy(self) -> None:
        """The request for a connection is itself encrypted."""
        self.check(proxy="proxy.test")

    def test_both(self) -> None:
        """TLS in TLS."""
        self.check(proxy="proxy.test", server="server.test")

    def test_proxy_that_is_not_trusted(self) -> None:
        """The error says that it is the proxy's certificate, and the request is not sent."""
        error = self.failureResultOf(self.connecting(proxy="other.test"), TLSFailed).value
        self.assertIn(f"cannot reach the proxy {NAME}: TLS: ", str(error))
        self.assertIn("proxy.test", str(error))
        self.assertEqual((error.phase, error.permanent), ("connect", True))
        self.assertEqual(self.served, [])

    def test_server_that_is_not_trusted(self) -> None:
        """Then the proxy has done its part, and is not what the error is about."""
        failure = self.failureResultOf(self.connecting(server="other.test"), CertificateRefused)
        self.assertIn("server.test", str(failure.value))

    def no_tls(self, proxy: type[Protocol]) -> Deferred[Any]:
        """An attempt at a proxy that does something else where TLS is expected."""
        policy = TLSPolicy(authorities=self.authorities)
        self.network = MemoryNetwork(self.clock, Factory.forProtocol(proxy))
        tls = self.secure(self.network.endpoint(), policy, b"proxy.test")
        endpoint = ConnectEndpoint(tls, "server.test", 443, proxy_name=NAME)
        connecting = endpoint.connect(Factory.forProtocol(Greeting))
        self.settle()
        return connecting

    def test_plain_http_at_the_proxy(self) -> None:
        """The error says that it speaks no TLS."""
        error = self.failureResultOf(self.no_tls(Rude), TLSFailed).value
        self.assertIn(f"cannot reach the proxy {NAME}: TLS: ", str(error))
        self.assertIn("does not speak TLS", str(error))

    def test_client_certificate_of_the_proxy(self) -> None:
        """As of TLS 1.3 a proxy says only after the handshake that it wants one."""
        issued = self.authority.server("proxy.test")
        self.network = self.serve(issued, clients_of=[self.authority])
        policy = TLSPolicy(authorities=self.authorities)
        tls = self.secure(self.network.endpoint(), policy, b"proxy.test")
        endpoint = ConnectEndpoint(tls, "server.test", 443, proxy_name=NAME)
        connecting = endpoint.connect(Factory.forProtocol(Greeting))
        self.settle()
        error = self.failureResultOf(connecting, TLSFailed).value
        self.assertIn(f"cannot reach the proxy {NAME}: TLS: ", str(error))
        self.assertIn("certificate", str(error))

    def test_silence_at_the_proxy(self) -> None:
        """Who waits in vain is told what for."""
        connecting = self.no_tls(Protocol)
        connecting.cancel()
        error = self.failureResultOf(connecting, ProxyUnanswered).value
        self.assertEqual(
            str(error),
            f"the proxy {NAME} was not reached: TLS was not answered, is it http:// there?",
        )


class Rude(Protocol):
    """Answers whatever it reads with an error in HTTP."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.transport.loseConnection()
