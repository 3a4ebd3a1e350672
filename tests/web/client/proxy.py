"""A proxy in memory that does what the test says, and clients that go through it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.testing.network import MemoryNetwork
from txtokensock.web.client.http_connect import ConnectEndpoint

from ...common import collect_garbage

NAME = "http://proxy.test:3128"
OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class Recorder(Protocol):
    """
    One end of a connection.

    :ivar received: all bytes.
    :ivar lost: the reasons of its end, of which there should be one.
    """

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[BaseException] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason.value)


class ProxyTestCase(SynchronousTestCase):
    """
    With a proxy; after each test no connection and no timer may be left.

    :ivar accept: what the proxy's port does, see :data:`~txtokensock.testing.network.Accept`.
    """

    def setUp(self) -> None:
        self.clock = Clock()
        self.accept: bool | None = True
        self.proxies: list[Recorder] = []
        self.clients: list[Recorder] = []
        factory = Factory.forProtocol(lambda: self._new(self.proxies))  # type: ignore[arg-type]
        self.network = MemoryNetwork(self.clock, factory)
        self.addCleanup(self._end)

    def _end(self) -> None:
        for client in self.clients:
            client.transport.abortConnection()
        self.settle()
        self.assertEqual([len(client.lost) for client in self.clients], [1] * len(self.clients))
        self.assertEqual(self.network.open, [])
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        collect_garbage()

    def _new(self, among: list[Recorder]) -> Recorder:
        among.append(Recorder())
        return among[-1]

    def endpoint(self, host: str = "server.test", port: int = 443, **options: Any) -> Any:
        """To that server, through the proxy."""
        proxy = self.network.endpoint(lambda: self.accept, 3128)
        return ConnectEndpoint(proxy, host, port, proxy_name=NAME, **options)

    def connecting(
        self, factory: IProtocolFactory | None = None, answer: bytes = b"", **options: Any
    ) -> Deferred[Any]:
        """An attempt, after the proxy's answer and all that takes no time."""
        factory = factory or Factory.forProtocol(lambda: self._new(self.clients))  # type: ignore[arg-type]
        connecting: Deferred[Any] = self.endpoint(**options).connect(factory)
        self.settle()
        if answer:
            self.proxy.transport.write(answer)
            self.settle()
        return connecting

    def connected(self, answer: bytes = OK, **options: Any) -> Recorder:
        """A protocol on a connection through the proxy."""
        client: Recorder = self.successResultOf(self.connecting(None, answer, **options))
        return client

    def failure(self, connecting: Deferred[Any], *kinds: type[BaseException]) -> Any:
        """The error of an attempt, which must have left no connection."""
        error = self.failureResultOf(connecting, *kinds).value
        self.settle()
        self.assertEqual(self.network.open, [])
        return error

    @property
    def proxy(self) -> Recorder:
        """The proxy's end of the newest connection."""
        return self.proxies[-1]

    def settle(self) -> None:
        """Let everything happen that can happen without time passing."""
        self.clock.pump([0] * 30)


class Building(Factory):
    """A factory that builds what ``build`` gives."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def buildProtocol(self, addr: Any) -> Any:
        return self._build()
