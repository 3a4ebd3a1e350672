"""
Servers of ours on a Redis that sentinels guard: what a failover under load costs.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from tests.kit.certificates import Authority
from tests.kit.processes import EVENT_SECONDS
from txtokensock import Gap, TLSPolicy, TokenSocket
from txtokensock.errors import RemoteError
from txtokensock.server import RedisStore
from txtokensock.server.ops.metrics import ServerMetrics

from .embedded import EmbeddedServer
from .servers import Redis, Sentinel
from .support import Heard, InteropTestCase, until, within
from .test_redis_cluster import (
    ANSWER_SECONDS,
    RedisTestCase,
    authenticate,
    get_status,
    get_token,
    spend,
)


class FailoverTests(RedisTestCase):
    """Two servers, a master with a replica, and three sentinels."""

    programs = ("redis-server",)

    async def setUp(self) -> None:
        await InteropTestCase.setUp(self)
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.redis = await self.started(Redis("--repl-diskless-sync-delay", "0"))
        self.replica = await self.started(Redis("--replicaof", f"127.0.0.1 {self.redis.port}"))
        await within(self.replica.line("MASTER <-> REPLICA sync: Finished with success"))
        self.sentinels = [await self.started(Sentinel(self.redis)) for _ in range(3)]
        for sentinel in self.sentinels:
            await within(sentinel.line("+slave slave"))
            await within(sentinel.line("+sentinel sentinel", count=2))

    async def served(self, metrics: ServerMetrics) -> EmbeddedServer:
        """A server that knows the sentinels alone."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        store = RedisStore(f"redis+sentinel://{hosts}/themaster", "a", timeout=ANSWER_SECONDS * 3)
        server = EmbeddedServer(store=store, observer=metrics)
        self.addCleanup(server.close)
        await server.start()
        await self.until_status(server.url, 200)
        return server

    async def subscribed(self, server: EmbeddedServer) -> tuple[TokenSocket, list[Any]]:
        """A client that hears the channel ``c``, its gaps among the messages."""
        socket, _ = await self.ready_client(server.url)
        heard: list[Any] = []
        await within(socket.subscribe("c", heard.append, on_gap=lambda _, gap: heard.append(gap)))
        socket.onreconnect(self.reconnected)
        return socket, heard

    async def test_killed_under_load(self) -> None:
        """The master is killed among publishes and new tokens."""
        await self.fail_over(self.redis.kill)

    async def test_frozen_under_load(self) -> None:
        """It hangs: its connections stay open until another one is the master."""

        async def freeze() -> None:
            self.redis.stop()

        await self.fail_over(freeze)

    async def fail_over(self, fault: Callable[[], Awaitable[None]]) -> None:
        """
        Clients keep their connections; within seconds there are tokens and messages again; every
        server has told of the gap.
        """
        metrics = [ServerMetrics(), ServerMetrics()]
        servers = [await self.served(each) for each in metrics]
        self.reconnected = Heard()
        clients = [await self.subscribed(server) for server in servers]
        outcomes: list[Deferred[Any]] = []
        sent = 0

        def publish() -> None:
            nonlocal sent
            for socket, _ in clients:
                outcomes.append(socket.publish("c", sent))
                sent += 1

        for turn in range(500):
            publish()
            if turn == 250:
                self.assertTrue(await spend(await get_token(servers[0].url), servers[1].url))
                await fault()
        killed_at = reactor.seconds()

        async def back() -> bool:
            publish()
            return all(
                [await get_status(server.url) == 200 for server in servers]
                + [any(isinstance(each, Gap) for each in heard) for _, heard in clients]
            )

        await until(back, "tokens and gaps")
        self.assertLess(reactor.seconds() - killed_at, 12)
        for outcome in outcomes:
            outcome.addErrback(lambda failure: failure.trap(RemoteError) and None)
        await within(gatherResults(outcomes))
        self.assertTrue(await spend(await get_token(servers[0].url), servers[1].url))
        await self.assert_heard_by_all(clients)
        self.assertEqual(self.reconnected, [])
        for each, (_, heard) in zip(metrics, clients, strict=True):
            told = sum(isinstance(one, Gap) for one in heard)
            self.assertTrue(1 <= told <= each._store_gaps, (told, each._store_gaps))
        self.assertTrue(self.events("redis.failed"))
        self.assertEqual(len(self.events("redis.gap")), sum(each._store_gaps for each in metrics))
        self.assertEqual(
            {each["port"] for each in self.events("redis.moved")}, {self.replica.port}
        )
        await self.assert_lost_tokens_pass(servers[1].url)

    def events(self, name: str) -> list[Any]:
        """Those of the log."""
        return [each for each in self.logged if each.get("event") == name]

    async def assert_heard_by_all(self, clients: list[Any]) -> None:
        """Each hears what the other publishes, on the connection that it had."""
        for number, (socket, _) in enumerate(clients):
            await within(socket.publish("c", f"back {number}"))

            async def heard(text: str = f"back {number}") -> bool:
                return all(text in messages for _, messages in clients)

            await until(heard, "message")

    async def assert_lost_tokens_pass(self, url: str) -> None:
        """A token that the new master never got is no refusal, but a reason to come again."""
        answer = await authenticate(str(uuid.uuid4()), url)
        self.assertEqual(answer, {"rpc": "auth", "uuid": "u", "error": "Store unavailable"})


class TLSRedis(Redis):
    """One that speaks TLS alone, and asks for certificates."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        authority = Authority()
        self.authorities, _ = authority.issued.write(directory, "authority")
        self.certificate, self.key = authority.server("127.0.0.1").write(directory)
        self.client = authority.client().write(directory, "client")

    def command(self) -> list[str]:
        return [
            *(*super().command(), "--port", "0", "--tls-port", str(self.port)),
            *("--tls-cert-file", str(self.certificate), "--tls-key-file", str(self.key)),
            *("--tls-ca-cert-file", str(self.authorities)),
        ]


class TLSTests(RedisTestCase):
    """A Redis with certificates of an authority of one's own."""

    programs = ("redis-server",)

    async def setUp(self) -> None:
        await InteropTestCase.setUp(self)
        self.redis: TLSRedis = await self.started(TLSRedis(self.new_directory()))

    async def test_own_authority(self) -> None:
        """It is trusted where the store is told to; otherwise readiness says why it is not."""
        redis = self.redis
        url = f"rediss://127.0.0.1:{redis.port}/0"
        certificate, key = redis.client
        trusting = TLSPolicy(
            authorities=redis.authorities, certificate=certificate, private_key=key
        )
        for tls, status in ((trusting, 200), (None, 503)):
            server = EmbeddedServer(store=RedisStore(url, "a", tls=tls, timeout=EVENT_SECONDS))
            self.addCleanup(server.close)
            await server.start()
            await self.until_status(server.url, status)
            if status == 503:
                self.assertIn("certificate", server.server.readiness.store_problem or "")
