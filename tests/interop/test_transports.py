"""
Every transport against real servers, at length: order and size of messages, responses that
are full, servers that are killed, and the end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults

from tests.kit.tables import each
from txtokensock import Backoff, TokenSocket
from txtokensock.errors import AllTransportsFailed, ConnectionLost
from txtokensock.sockjs import TRANSPORTS

from .servers import NodeServer, Redis, Server
from .support import Heard, InteropTestCase, within
from .twistd import Serve

MANY = 1000
EACH = {name.replace("-", "_"): (name,) for name in TRANSPORTS}


class TransportTestCase(InteropTestCase):
    """What a client does on one transport."""

    server: Server

    async def client(self, *transports: str, **options: Any) -> TokenSocket:
        """An authenticated client."""
        client = TokenSocket(
            f"127.0.0.1:{self.server.port}",
            transports=transports,
            actions={"double": lambda data: data * 2},
            backoff=Backoff(cap=0.25),
            reactor=reactor,
            **options,
        )
        self.addCleanup(client.end)
        client.startService()
        await within(client.when_ready(fail_after=1))
        return client

    async def check_messages(self, client: TokenSocket) -> None:
        """A thousand each way, in order; with the large one, many responses are full."""
        heard = Heard()
        await within(client.subscribe("channel", heard))
        calls = gatherResults([client.rpc("echo", number) for number in range(MANY)])
        published = [client.publish("channel", {"n": number}) for number in range(MANY)]
        self.assertEqual(await within(calls), list(range(MANY)))
        await within(gatherResults(published))
        self.assertEqual(await heard.until(MANY), [({"n": number},) for number in range(MANY)])
        large = "é\u2028%25" * 100_000
        self.assertEqual(await within(client.rpc("echo", large)), large)

    async def check_kill(self, client: TokenSocket) -> None:
        """
        What was under way fails or is sent again, what is wanted is wanted again, and the
        connection comes back.
        """
        lost, back, heard = Heard(), Heard(), Heard()
        client.on("disconnect", lost)
        client.on("reconnect", back)
        await within(client.subscribe("kept", heard))
        await self.server.kill()
        await lost.until(1)
        again = client.rpc("echo", "again", idempotent=True)
        await self.server.start()
        self.assertEqual(await within(again), "again")
        self.assertEqual(back[-1], (None,))
        await within(client.publish("kept", {"n": 1}))
        self.assertEqual(await heard.until(1), [({"n": 1},)])


@each(EACH)
class NodeServerTests(TransportTestCase):
    """The real Node server, with sockjs-node 0.3.24."""

    async def run_case(self, transport: str) -> None:
        """Messages, a call by the server, a kill, and an orderly end by each side."""
        self.server = self.node = await self.started(NodeServer(await self.started(Redis())))
        client = await self.client(transport)
        await self.check_messages(client)
        doubled = await within(client.rpc("callme", {"command": "double", "args": "é"}))
        self.assertEqual(doubled, "éé")
        await self.check_kill(client)
        lost = Heard()
        client.on("disconnect", lost)
        failed = client.rpc("leave", None)
        await self.assertFailure(within(failed), ConnectionLost)
        await lost.until(1)
        await within(client.when_ready())
        await within(client.end())
        # Each life of the session is over for the server, too.
        await self.node.event("close", len(self.node.seen("open")) - 1)


@each(EACH)
class OwnServerTests(TransportTestCase):
    """``twistd tokensock serve``."""

    programs = ()

    async def run_case(self, transport: str) -> None:
        """Messages, a kill, and the end."""
        self.server = await self.started(Serve())
        client = await self.client(transport)
        await self.check_messages(client)
        await self.check_kill(client)
        await within(client.end())


class FallingBackTests(TransportTestCase):
    """With a server that has some transports only."""

    async def test_node_without_websockets(self) -> None:
        """The next one is used; /info says so at once."""
        self.server = await self.started(NodeServer(await self.started(Redis()), WEBSOCKET="0"))
        for options in ({}, {"info": True}):
            client = await self.client("websocket", "xhr-streaming", **options)
            self.assertEqual(await within(client.rpc("echo", 1)), 1)
            await within(client.end())
        with self.assertRaises(AllTransportsFailed) as caught:
            await self.client("websocket", "websocket-raw")
        self.assertEqual(list(caught.exception.errors), ["websocket", "websocket-raw"])
