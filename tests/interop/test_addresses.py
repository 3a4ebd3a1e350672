"""Servers that are not at a host and a port."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import UNIXClientEndpoint, serverFromString
from twisted.web.server import Site

from txtokensock import TokenSocket
from txtokensock.server import TokenSocketServer, query

from .support import InteropTestCase, within


class UnixSocketTests(InteropTestCase):
    """Everything goes through the socket file: the token request, and the session."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.path = str(self.new_directory() / "app.sock")
        actions: Any = {"whoami": lambda data, peer: peer.auth}
        server = TokenSocketServer(query, actions=actions, reactor=reactor)
        server.startService()
        self.addCleanup(server.stopService)
        port = await serverFromString(reactor, f"unix:{self.path}").listen(
            Site(server.resource(), reactor=reactor)
        )
        self.addCleanup(port.stopListening)

    async def check(self, **options: Any) -> None:
        """A call over it."""
        socket = TokenSocket(
            "http://app.invalid", authentication={"user": "ada"}, reactor=reactor, **options
        )
        self.addCleanup(socket.end)
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        self.assertEqual(await within(socket.rpc("whoami")), {"user": "ada"})
        await within(socket.end())

    async def test_text(self) -> None:
        """The text of an endpoint."""
        await self.check(endpoint=f"unix:{self.path}")

    async def test_endpoint(self) -> None:
        """An endpoint."""
        await self.check(endpoint=UNIXClientEndpoint(reactor, self.path))
