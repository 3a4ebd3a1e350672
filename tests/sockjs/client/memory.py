"""
Our own SockJS server in memory, and protocols on sessions with it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource
from twisted.web.server import Site

from txtokensock.sockjs import SockJSClientEndpoint, SockJSResource
from txtokensock.testing.host import MemoryHost

from ...common import collect_garbage
from .support import Recorder

HTTP = ("xhr-streaming", "eventsource", "xhr-polling")
ALL = ("websocket", *HTTP, "websocket-raw")


class Noting(Site):
    """Keeps the paths and headers of all requests."""

    def __init__(self, resource: Any, reactor: Clock) -> None:
        super().__init__(resource, reactor=reactor)
        self.noisy = False
        self.requests: list[Any] = []

    def getResourceFor(self, request: Any) -> Any:
        self.requests.append(request)
        return super().getResourceFor(request)

    def pages(self) -> list[str]:
        """The last part of the path of each request so far."""
        return [request.path.decode().rsplit("/", 1)[1] for request in self.requests]


class MemoryTestCase(SynchronousTestCase):
    """With a server; after each test no timer and no connection may be left."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.served: list[Recorder] = []
        self.protocols: list[Recorder] = []
        self.serve()
        self.addCleanup(self._end)

    def serve(self, **options: Any) -> None:
        """Have a server with these options."""
        self.resource = SockJSResource(
            Factory.forProtocol(lambda: self._noted(self.served)),  # type: ignore[arg-type]
            reactor=self.clock,
            **options,
        )
        root = Resource()
        root.putChild(b"sockets", self.resource)  # type: ignore[no-untyped-call]
        self.site = Noting(root, self.clock)
        self.host = MemoryHost(self.site, self.clock)

    def _noted(self, where: list[Recorder]) -> Recorder:
        where.append(Recorder())
        return where[-1]

    def _end(self) -> None:
        for protocol in self.protocols:
            protocol.transport.abortConnection()
        self.host.advance(60)  # idle connections, and sessions that nobody asks for
        self.assertEqual([len(p.lost) for p in self.protocols], [1] * len(self.protocols))
        self.assertEqual(self.host.open_connections, 0)
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        collect_garbage()

    def endpoint(self, *transports: str, **options: Any) -> SockJSClientEndpoint:
        """An endpoint for the server."""
        return SockJSClientEndpoint(
            self.clock,
            "http://server.test/sockets",
            transports=transports,
            endpoint=self.host.network.endpoint(),
            **options,
        )

    def connecting(self, *transports: str, **options: Any) -> Deferred[Any]:
        """An attempt that did what it can without time passing."""
        factory = Factory.forProtocol(lambda: self._noted(self.protocols))  # type: ignore[arg-type]
        connecting = self.endpoint(*transports, **options).connect(factory)
        self.host.settle()
        return connecting

    def connected(self, *transports: str, **options: Any) -> tuple[Recorder, Recorder]:
        """The two protocols of an open session: ours, and the server's."""
        ours: Recorder = self.successResultOf(self.connecting(*transports, **options))
        return ours, self.served[-1]

    def lost(self, protocol: Recorder) -> Any:
        """Why it lost its connection, which it must have heard of once."""
        self.host.settle()
        (reason,) = protocol.lost
        return reason.value
