"""TLS as a step of connecting: when it is done, and what goes wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, NoProtocol
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import TLSVersion

from txtokensock import AttemptTimeout, TLSPolicy
from txtokensock.support.timeouts import Timeouts, within_phase
from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.tls.certificates import CertificateRefused
from txtokensock.web.tls.handshake import TLSEndpoint, TLSUnanswered

from .support import VERSIONS, Ends, Greeting, TLSTestCase


class Clients(Factory):
    """
    Builds what it is told to.

    :ivar built: what it built.
    :ivar started: whether it was, by an endpoint that does that.
    """

    noisy = False

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build
        self.built: list[Any] = []
        self.started = False

    def doStart(self) -> None:
        self.started = True

    def doStop(self) -> None:
        self.started = False

    def buildProtocol(self, addr: Any) -> Any:
        protocol = self._build()
        self.built.append(protocol)
        return protocol


class EndpointTests(TLSTestCase):
    """``TLSEndpoint``."""

    def connecting(
        self, network: MemoryNetwork, build: Callable[[], Any] = Greeting, host: bytes = b"a.test"
    ) -> Deferred[Any]:
        """An attempt, not begun: not even TCP is there."""
        self.clients = Clients(build)
        creator = TLSPolicy(authorities=self.authorities).creatorForNetloc(host, 443)
        endpoint = TLSEndpoint(self.clock, creator, network.endpoint())  # type: ignore[arg-type]
        attempt: Deferred[Any] = endpoint.connect(self.clients)
        return attempt

    def silent(self, answer: bytes | None = None) -> MemoryNetwork:
        """A server that speaks no TLS: it answers something and hangs up, or does nothing."""

        class Server(Protocol):
            def dataReceived(self, data: bytes) -> None:
                if answer is not None:
                    self.transport.write(answer)  # type: ignore[union-attr]
                    self.transport.loseConnection()  # type: ignore[union-attr]

        return MemoryNetwork(self.clock, Factory.forProtocol(Server))

    def test_closed_in_the_middle(self) -> None:
        """A server may close TLS before it is there, as one does that is being stopped."""
        for version in (1, 3):
            network = self.silent(bytes([21, 3, version, 0, 2, 1, 0]))
            connecting = self.connecting(network)
            self.settle()
            error = self.failureResultOf(connecting, ConnectionLost).value
            self.assertIn("the server closed the connection instead of speaking TLS", str(error))
            self.assertEqual(network.open, [])

    def test_made(self) -> None:
        """It fires when both sides have agreed, and not before; then they talk."""
        for version in VERSIONS:
            network = self.serve(self.authority.server("a.test"), version=version)
            connecting = self.connecting(network)
            while not self.clients.built:
                self.assertNoResult(connecting)
                self.clock.advance(0)
            protocol = self.successResultOf(connecting)
            self.assertEqual(self.clients.built, [protocol])
            self.settle()
            (server,) = self.served
            self.assertEqual(server.received, b"hello")
            server.transport.write(b"welcome")
            self.settle()
            self.assertEqual(protocol.received, b"welcome")
            protocol.transport.loseConnection()
            self.settle()
            self.assertIsNotNone(protocol.reason)
            self.assertEqual(network.open, [])

    def test_server_speaks_first(self) -> None:
        """What comes with the end of the handshake is the protocol's."""
        for version in VERSIONS:
            network = self.serve(self.authority.server("a.test"), version=version, greets=True)
            connecting = self.connecting(network, Ends)
            self.settle()
            protocol = self.successResultOf(connecting)
            self.assertEqual(protocol.received, b"hello")
            protocol.transport.abortConnection()
            self.settle()

    def test_refused(self) -> None:
        """A certificate that is not accepted makes it fail, and no protocol is built."""
        for version in VERSIONS:
            network = self.serve(self.authority.server("a.test"), version=version)
            connecting = self.connecting(network, host=b"b.test")
            self.settle()
            self.failureResultOf(connecting, CertificateRefused)
            self.assertEqual((self.clients.built, network.open), ([], []))

    def test_client_certificate(self) -> None:
        """Before TLS 1.3 the server's refusal is a failure, too; as of 1.3 it comes later."""
        for version in VERSIONS:
            network = self.serve(
                self.authority.server("a.test"), version=version, clients_of=[self.authority]
            )
            connecting = self.connecting(network)
            self.settle()
            if version == TLSVersion.TLSv1_2:
                self.assertIn("handshake failure", str(self.failureResultOf(connecting).value))
            else:
                reason = self.successResultOf(connecting).reason
                self.assertIn("certificate required", str(reason))
            self.assertEqual(network.open, [])

    def test_hung_up(self) -> None:
        """A server that just closes."""
        connecting = self.connecting(self.silent(b""))
        self.settle()
        failure = self.failureResultOf(connecting, ConnectionLost)
        self.assertIn(
            "the server closed the connection instead of speaking TLS", str(failure.value)
        )

    def test_cancelled(self) -> None:
        """Before there is a connection, while TLS is awaited, and when all is done."""
        network = self.silent()
        connecting = self.connecting(network)
        connecting.cancel()
        self.settle()
        self.assertNotIsInstance(self.failureResultOf(connecting).value, TLSUnanswered)
        self.assertEqual(network.connections, [])

        connecting = self.connecting(network)
        self.settle()
        self.assertNoResult(connecting)
        connecting.cancel()
        self.failureResultOf(connecting, TLSUnanswered)
        self.settle()
        self.assertEqual((self.clients.built, network.open), ([], []))
        self.assertTrue(issubclass(TLSUnanswered, CancelledError))

    def test_deadline(self) -> None:
        """The error of the deadline asks whether there is TLS at all."""
        step = within_phase(
            self.connecting(self.silent()), "connect", Timeouts(connect=10), self.clock
        )
        self.settle()
        self.clock.advance(10)
        error = self.failureResultOf(step, AttemptTimeout).value
        self.assertEqual(
            str(error),
            "no connection was made within 10 seconds: TLS was not answered, is it http:// there?",
        )
        self.settle()

        step = within_phase(Deferred(), "connect", Timeouts(connect=10), self.clock)
        self.clock.advance(10)
        error = self.failureResultOf(step, AttemptTimeout).value
        self.assertEqual(str(error), "no connection was made within 10 seconds")

    def test_factory(self) -> None:
        """One that builds nothing, or raises; or whose protocol does, when it is connected."""

        class Broken(Ends):
            def connectionMade(self) -> None:
                raise ValueError("no")

        for build, error in (
            (lambda: None, NoProtocol),
            (_raising, ValueError),
            (Broken, ValueError),
        ):
            network = self.serve(self.authority.server("a.test"))
            connecting = self.connecting(network, build)
            self.settle()
            self.failureResultOf(connecting, error)
            self.assertEqual(network.open, [])

    def test_factory_cancels(self) -> None:
        """A factory that has seen enough: no protocol is put on the connection."""

        def build() -> Ends:
            connecting.cancel()
            return Ends()

        network = self.serve(self.authority.server("a.test"))
        connecting = self.connecting(network, build)
        self.settle()
        self.failureResultOf(connecting, CancelledError)
        self.assertIsNone(self.clients.built[0].transport)
        self.assertEqual(network.open, [])

    def test_factory_is_started(self) -> None:
        """By an endpoint that does that."""

        class Starting:
            def connect(self, factory: Any) -> Deferred[Any]:
                factory.doStart()
                return Deferred(lambda _: factory.doStop())

        network: Any = SimpleNamespace(endpoint=Starting)
        connecting = self.connecting(network)
        self.assertTrue(self.clients.started)
        connecting.cancel()
        self.assertFalse(self.clients.started)
        self.failureResultOf(connecting, CancelledError)


def _raising() -> Any:
    raise ValueError("no")
