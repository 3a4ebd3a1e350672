"""One of two servers is restarted, while a thousand clients call."""

from __future__ import annotations

import itertools
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults

from txtokensock import Backoff, TokenSocket

from .light_peer import LightPeer
from .servers import Redis
from .support import until, within
from .test_serve import MeasuredServe, ServeTestCase

APPLICATION = '''
"""Each call is in flight for some time."""

from twisted.internet import reactor, task

ACTIONS = {"later": lambda data, peer: task.deferLater(reactor, 0.5, lambda: data)}
'''

PEERS, CLIENTS = 960, 40
DRAIN, DELAY = 6.0, 0.5
TRANSPORTS = ("websocket", "websocket", "xhr-polling", "xhr-streaming", "eventsource")
LIMITS = ("peers_per_address", "connections_per_address", "tokens_per_second", "token_burst")
GOING = (4503, "Server shutting down")


class DrainTests(ServeTestCase):
    """``twistd tokensock serve``, twice, on one Redis."""

    programs = ("redis-server",)

    async def setUp(self) -> None:
        await super().setUp()
        (self.directory / "application.py").write_text(APPLICATION)
        self.redis = await self.started(Redis())
        self.going_on = True
        self.answered = 0
        self.failed: list[Any] = []
        self.back = 0

    async def serve(self) -> MeasuredServe:
        """One of the servers."""
        server = MeasuredServe(
            *("--redis", f"redis://127.0.0.1:{self.redis.port}/0", "--namespace", "app"),
            *("--actions", "application:ACTIONS", "--authentication", "demo"),
            *("--drain", f"{DRAIN:g}", "--drain-delay", f"{DELAY:g}"),
            *(f"--limit={limit}=10000" for limit in LIMITS),
            admin=True,
            directory=self.directory,
        )
        await self.started(server)
        await server.until_ready()
        return server

    def connect(self, number: int, hosts: list[str]) -> TokenSocket:
        """A client of the first of these, which comes back to the other."""
        client = TokenSocket(
            hosts,
            transports=[TRANSPORTS[number // 2 % len(TRANSPORTS)]],
            backoff=Backoff(cap=0.25),
            authentication={"user": "ada"},
            reactor=reactor,
        )
        client.on("reconnect", self.is_back)
        client.startService()
        return client

    def is_back(self, *_: object) -> None:
        """A client has reconnected."""
        self.back += 1

    async def call(self, client: TokenSocket) -> None:
        """One call after the other, each of which may be made twice."""
        for number in itertools.count():
            if not self.going_on:
                return
            try:
                assert await client.rpc("later", number, idempotent=True) == number
            except Exception as problem:
                self.failed.append(problem)
            self.answered += 1

    async def test_restart(self) -> None:
        """
        No call fails, whatever the transport; its clients come back one after the other, within
        1.5 times the drain; and it ends without a warning, to be started again.
        """
        servers = [await self.serve(), await self.serve()]
        clients = [
            self.connect(number, [each.address for each in servers[:: (1, -1)[number % 2]]])
            for number in range(CLIENTS)
        ]
        self.addCleanup(lambda: gatherResults([client.end() for client in clients]))
        peers = [
            LightPeer([each.port for each in servers[:: (1, -1)[number % 2]]], "later")
            for number in range(PEERS)
        ]
        self.addCleanup(self.end, peers)
        await within(gatherResults([each.when_ready(fail_after=1) for each in clients]), 30.0)
        calls = [Deferred.fromCoroutine(self.call(client)) for client in clients]
        await until(lambda: all(peer.answered for peer in peers), "every peer is answered", 30.0)

        begun = reactor.seconds()
        await self.restart(servers[0])
        await until(lambda: self.back == CLIENTS // 2, lambda: f"{self.back} are back")
        moved = [peer for peer in peers if peer.lost]
        await until(lambda: all(len(peer.ready) == 2 for peer in moved), "they are back")

        self.going_on = False
        await within(gatherResults(calls))
        self.assertEqual([self.failed, *(peer.failed for peer in peers if peer.failed)], [[]])
        self.assertEqual({peer.lost[0][1] for peer in moved}, {GOING})
        self.assertEqual([len(moved), *(len(each.lost) for each in moved)], [480, *[1] * 480])
        self.assertLess(max(peer.ready[1] for peer in moved) - begun - DELAY, 1.5 * DRAIN)
        lost = sorted(peer.lost[0][0] - begun - DELAY for peer in moved)
        for part in (0, 1, 2, 3):  # a quarter of them in a quarter of the time
            self.assertApproximates(lost[len(lost) * part // 4], DRAIN * part / 4, 1.0)

    async def end(self, peers: list[LightPeer]) -> None:
        """No connection of theirs is left."""
        for peer in peers:
            peer.end()
        await until(lambda: not any(peer.connection for peer in peers))

    async def restart(self, server: MeasuredServe) -> None:
        """SIGTERM, and another start when it has ended by itself."""
        server.signal("TERM")
        await server.until_ready(503)
        await server.ended()
        self.assertNotIn("did not finish", server.log())
        await server.start()
        await server.until_ready()
