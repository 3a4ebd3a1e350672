"""TLS servers that are not what they should be."""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Client

from tests.kit.certificates import self_signed
from txtokensock import Timeouts, TLSPolicy, TokenSocket
from txtokensock.errors import (
    TokenRefused,
    TokenSocketError,
)

from .support import InteropTestCase, within


class RudeServer(Protocol):
    """Answers a request, and then does not read any more, so that TLS is never closed."""

    transport: Any

    def __init__(self, answer: bytes, connections: set[RudeServer]) -> None:
        self._answer = answer
        self._connections = connections
        self.lost: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        self._connections.add(self)

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(self._answer)
        self.transport.pauseProducing()

    def connectionLost(self, reason: Any = None) -> None:
        self._connections.discard(self)
        self.lost.callback(None)


class TLSTests(InteropTestCase):
    """Each on a port of its own, with a certificate of its own."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        certificate, key = self_signed("127.0.0.1").write(self.new_directory())
        self.description = f"ssl:0:privateKey={key}:certKey={certificate}:interface=127.0.0.1"
        self.trusting = TLSPolicy(authorities=certificate)
        self.connections: set[RudeServer] = set()

    async def client(self, answer: bytes, **options: Any) -> TokenSocket:
        """A client of a rude server, not yet started."""
        factory = Factory.forProtocol(lambda: RudeServer(answer, self.connections))  # type: ignore[arg-type]
        port = await serverFromString(reactor, self.description).listen(factory)
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        options.setdefault("host", "127.0.0.1")
        client = TokenSocket(
            f"https://{options.pop('host')}:{self.port}",
            reactor=reactor,
            retry_policy=lambda failure, attempt: 0.01,
            timeouts=Timeouts(token=0.3),
            **options,
        )
        self.addCleanup(client.end)
        return client

    async def check_dropped(self, answer: bytes, error: type[TokenSocketError]) -> None:
        """Some attempts, and no connection is left of them."""
        client = await self.client(answer, tls=self.trusting)
        ready = client.when_ready(fail_after=3)
        client.startService()
        with self.assertRaises(error):
            await within(ready)
        await within(client.end())
        open_now = [reader for reader in reactor.getReaders() if isinstance(reader, Client)]
        for connection in list(self.connections):
            connection.transport.resumeProducing()
            await within(connection.lost)
        self.assertEqual(open_now, [])

    async def test_refusal(self) -> None:
        """Connections of token requests end with them, though the server does not close."""
        answer = b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}"
        await self.check_dropped(answer, TokenRefused)

    async def test_slow_body(self) -> None:
        """So do those that are given up in the middle of the body."""
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
        await self.check_dropped(answer, TokenSocketError)
