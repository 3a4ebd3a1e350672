"""
Our own server in the test's process, on a real port, for JavaScript clients.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.task import deferLater
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.web.resource import IResource
from twisted.web.server import Site

from tests.kit.ports import ReservedPort
from txtokensock.errors import ActionError
from txtokensock.server import Peer, TokenSocketServer, query
from txtokensock.server.token_route import Authenticate

from .support import Heard


def fail(data: Any, peer: Peer) -> None:
    """An action whose error is what the caller sends."""
    raise ActionError(data)


def callme(data: Any, peer: Peer) -> Deferred[Any]:
    """An action that calls the caller's ``command`` and passes its answer on."""
    return peer.rpc(data["command"], data["args"])


def later(data: Any, peer: Peer) -> Deferred[Any]:
    """An action that answers in another turn of the reactor."""
    return deferLater(reactor, 0, lambda: {"nested": data})


class EmbeddedServer:
    """
    ``TokenSocketServer`` with a few actions, in a site; it refuses the channel "forbidden".

    :param rest: what else the site serves.
    :param tls: what it shows and asks for, if it speaks TLS.
    :param interface: the IP address that it listens on.
    :param authentication: gives identities.
    :param options: more of the service's.
    :ivar server: the service.
    :ivar url: what a client is told to connect to, the same after a restart.
    """

    def __init__(
        self,
        rest: IResource | None = None,
        *,
        tls: CertificateOptions | None = None,
        interface: str = "127.0.0.1",
        authentication: Authenticate = query,
        **options: Any,
    ) -> None:
        self._reserved = ReservedPort()
        self._interface = interface
        host = f"[{interface}]" if ":" in interface else interface
        self.url = f"http{'s' if tls else ''}://{host}:{self._reserved.number}"
        self.server = TokenSocketServer(
            authentication,
            actions={
                "echo": lambda data, peer: data,
                "whoami": lambda data, peer: peer.auth,
                "something": {"nested": later},
                "fail": fail,
                "callme": callme,
            },
            reactor=reactor,
            **options,
        )
        self.asked = Heard()
        """Called for each request to subscribe, with the peer and the channel."""
        self.server.on("subscribe", self.asked)
        self.server.on("subscribe", lambda peer, channel: channel != "forbidden")
        self.server.on("publish", lambda peer, channel, data: channel != "forbidden")
        site: IProtocolFactory = Site(self.server.resource(rest), reactor=reactor)
        if tls is not None:
            site = TLSMemoryBIOFactory(tls, False, site)
        self._connections = Connections(site)
        self._port: IListeningPort | None = None

    async def start(self) -> None:
        """Take clients."""
        self.server.startService()
        self._port = reactor.listenTCP(
            self._reserved.number, self._connections, interface=self._interface
        )

    async def stop(self) -> None:
        """Stop listening, take leave of every client, and drop what they keep open."""
        port, self._port = self._port, None
        if port is not None:
            closed = port.stopListening()
            await self.server.stopService()
            await self._connections.drop()
            await closed

    async def close(self) -> None:
        """The same, for good."""
        await self.stop()
        self._reserved.release()

    async def restart(self) -> None:
        """As after an update: everybody is closed in order, and may come back."""
        await self.stop()
        await self.start()

    def stop_reading(self) -> None:
        """Leave what the clients send in the buffers of the system."""
        for connection in self._connections.protocols:
            connection.pauseProducing()

    def read_again(self) -> None:
        """Read it."""
        for connection in self._connections.protocols:
            connection.resumeProducing()


class Connections(WrappingFactory):
    """
    Knows the connections of a site, of which clients keep some open for later requests.
    """

    noisy = False

    def __init__(self, site: IProtocolFactory) -> None:
        super().__init__(site)
        self._all_gone: list[Deferred[None]] = []

    def unregisterProtocol(self, p: ProtocolWrapper) -> None:
        super().unregisterProtocol(p)
        if not self.protocols:
            waiting, self._all_gone = self._all_gone, []
            for gone in waiting:
                gone.callback(None)

    def drop(self) -> Deferred[None]:
        """:return: fires when every connection is gone; each is aborted."""
        if not self.protocols:
            return succeed(None)
        gone: Deferred[None] = Deferred()
        self._all_gone.append(gone)
        for connection in list(self.protocols):
            connection.abortConnection()
        return gone
