"""
What talks to a real Crossbar router: a plain Autobahn session, which knows nothing of the
bridge, and a bridge's WAMP side.
"""

from __future__ import annotations

import os
from typing import Any

import msgspec
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CloseDetails, ComponentConfig, PublishOptions
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.kit.processes import EVENT_SECONDS
from txtokensock import Backoff, TokenSocket
from txtokensock.bridge.config.wamp import WampConfig, problems
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.shares import Shares
from txtokensock.bridge.wamp.wamp_side import WampSide

from .crossbar import REALM, Crossbar, CrossbarMissing, install_crossbar
from .support import Heard, InteropTestCase, until, within


class Peer(ApplicationSession):
    """A component of somebody else."""

    def __init__(self) -> None:
        super().__init__(ComponentConfig(REALM))
        self.here: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def onJoin(self, details: Any) -> None:
        self.here.callback(None)

    def onLeave(self, details: CloseDetails) -> None:
        self.disconnect()

    def onDisconnect(self) -> None:
        super().onDisconnect()
        self.gone.callback(None)

    async def hear(self, topic: str) -> Heard:
        """Each event's arguments, from now on."""
        heard = Heard()
        await within(self.subscribe(heard, topic))
        return heard

    def tell(self, topic: str, *args: Any, **kwargs: Any) -> Deferred[Any]:
        """Publish, acknowledged."""
        return self.publish(topic, *args, options=PublishOptions(acknowledge=True), **kwargs)


class CrossbarTestCase(InteropTestCase):
    """With a Crossbar, fresh for each test; skipped where it cannot be installed."""

    timeout = 120

    async def setUp(self) -> None:
        try:
            install_crossbar()
        except CrossbarMissing as problem:
            if os.environ.get("CI") == "true":
                self.fail(str(problem))
            raise SkipTest(f"needs Crossbar, which cannot be installed: {problem}") from None
        await super().setUp()
        self.counters = Counters()

    async def peer(self, crossbar: Crossbar) -> Peer:
        """A component that has joined."""
        session = Peer()
        factory = WampWebSocketClientFactory(lambda: session, crossbar.url, reactor=reactor)
        factory.setProtocolOptions(
            openHandshakeTimeout=0, closeHandshakeTimeout=0, serverConnectionDropTimeout=0
        )
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", crossbar.port)
        connection = await within(endpoint.connect(factory))

        async def gone() -> None:
            connection.transport.abortConnection()
            await within(session.gone)

        self.addCleanup(gone)
        await within(session.here)
        return session

    async def socket(self, url: str, **authentication: str) -> TokenSocket:
        """A client of a token-sockjs server, connected."""
        socket = TokenSocket(
            url,
            reactor=reactor,
            authentication=authentication,
            call_timeout=EVENT_SECONDS,
            backoff=Backoff(cap=0.25),
        )
        self.addCleanup(socket.end)
        socket.startService()
        await within(socket.when_ready())
        return socket

    def side(self, socket: TokenSocket, url: str, **fields: Any) -> WampSide:
        """A bridge's WAMP side, started."""
        fields = {"realm": REALM, "backoff": {"cap": 0.25}, "stop_timeout": 1, **fields}
        section = msgspec.convert({"url": url, **fields}, WampConfig)
        found = list(problems(section, "wamp"))
        self.assertEqual(found, [])
        shares = Shares(lambda: socket.limits, reactor.seconds)
        side = WampSide(
            section, socket=socket, shares=shares, counters=self.counters, reactor=reactor
        )
        self.addCleanup(side.stopService)
        side.startService()
        return side

    async def bridge(
        self, name: str, upstream: str, crossbar: Crossbar, **fields: Any
    ) -> WampSide:
        """The same, with a socket of its own, when both are connected."""
        side = self.side(await self.socket(upstream, name=name), crossbar.url, **fields)
        await self.up(side)
        return side

    async def registered(self, peer: Peer) -> None:
        """Wait for the registrations, which are some messages behind the session."""
        for _ in range(200):
            try:
                await within(peer.call("com.example.echo", 1))
                return
            except ApplicationError as problem:
                self.assertEqual(problem.error, "wamp.error.no_such_procedure")
                await deferLater(reactor, 0.05)
        self.fail("com.example.echo is never registered")

    async def up(self, side: WampSide) -> None:
        """Wait until the side has joined."""
        await until(lambda: side.state().up, lambda: side.state())
