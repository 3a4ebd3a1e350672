"""
A scripted server, and protocols on sessions with it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs import SockJSClientEndpoint
from txtokensock.testing import ScriptedServer

from ...common import collect_garbage


class Recorder(Protocol):
    """Notes all that it hears."""

    transport: Any

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.lost: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason)


class EndpointTestCase(SynchronousTestCase):
    """With a scripted server; after each test no timer and no connection may be left."""

    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.protocols: list[Recorder] = []
        self.addCleanup(self._end)

    def _end(self) -> None:
        self.server.script()
        for session in self.server.sessions:
            session.read_again()
        for protocol in self.protocols:
            protocol.transport.abortConnection()
        self.server.settle()
        self.assertEqual([len(p.lost) for p in self.protocols], [1] * len(self.protocols))
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.assertEqual(self.server.open_connections, 0)
        collect_garbage()

    def endpoint(self, url: str = "http://server.test/sockets", **options: Any) -> Any:
        """An endpoint for the server, which speaks WebSocket alone."""
        options.setdefault("transports", ("websocket",))
        options.setdefault("endpoint", self.server.network.endpoint(self.server._accepts_socket))
        return SockJSClientEndpoint(self.server.clock, url, **options)

    def connecting(self, factory: IProtocolFactory | None = None, **options: Any) -> Deferred[Any]:
        """An attempt that did what it can without time passing."""
        connecting: Deferred[Any] = self.endpoint(**options).connect(
            factory or Factory.forProtocol(self.protocol)
        )
        self.server.settle()
        return connecting

    def protocol(self) -> Recorder:
        """A new protocol."""
        self.protocols.append(Recorder())
        return self.protocols[-1]

    def connected(self, **options: Any) -> Recorder:
        """A protocol on an open session."""
        protocol: Recorder = self.successResultOf(self.connecting(**options))
        return protocol

    @property
    def session(self) -> Any:
        """The newest session."""
        return self.server.session

    def lost(self, protocol: Recorder) -> Any:
        """Why it lost its connection, which it must have heard of once."""
        self.server.settle()
        (reason,) = protocol.lost
        return reason.value
