"""
A real Redis that answers, and does not serve: after a failover, when its memory is full, where
a password or a host is wrong.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import EventLoggingObserver
from twisted.internet.utils import getProcessOutputAndValue
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from txtokensock.errors import RemoteError
from txtokensock.server import SHARED_WITH_NODE, RedisStore

from .embedded import EmbeddedServer
from .servers import Redis
from .support import until, within
from .test_redis_cluster import ANSWER_SECONDS, RedisTestCase, get_status, get_token, spend
from .twistd import Serve


async def tell(redis: Redis, *command: str) -> str:
    """What Redis says to a command."""
    out, err, status = await within(
        getProcessOutputAndValue(
            "redis-cli", ["-p", str(redis.port), *command], env=None, reactor=reactor
        )
    )
    assert status == 0, err
    return out.decode().strip()


@implementer(IStreamClientEndpoint)
class _Address:
    """An address that leads to one of several servers, as a failover has it."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", self.redis.port)
        connecting: Deferred[Any] = endpoint.connect(protocolFactory)
        return connecting


class TroubleTests(RedisTestCase):
    """Each is noticed, named once, and over when it is over."""

    programs = ("redis-server", "redis-cli")

    async def setUp(self) -> None:
        await super().setUp()
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def told(self, pattern: str) -> int:
        """How often the log said it."""
        said = [each["why"] for each in self.logged if each.get("event") == "redis.failed"]
        return sum(re.search(pattern, why) is not None for why in said)

    async def served(self, store: RedisStore) -> EmbeddedServer:
        """A server with that store, which may not work."""
        server = EmbeddedServer(store=store)
        self.addCleanup(server.close)
        await server.start()
        return server

    async def until_problem(self, server: EmbeddedServer, pattern: str) -> None:
        """Until readiness has that reason."""

        async def found() -> bool:
            return re.search(pattern, server.server.readiness.store_problem or "") is not None

        await until(found, pattern)
        self.assertFalse(server.server.readiness.ready)

    async def test_failover(self) -> None:
        """The master becomes a replica of another one, to which the address leads then."""
        other = await self.started(Redis())
        await tell(other, "REPLICAOF", "127.0.0.1", str(self.redis.port))
        address = _Address(self.redis)
        server = await self.served(
            RedisStore(namespace=SHARED_WITH_NODE, endpoint=address, timeout=ANSWER_SECONDS)
        )
        await self.until_status(server.url, 200)
        await tell(other, "REPLICAOF", "NO", "ONE")
        await tell(self.redis, "REPLICAOF", "127.0.0.1", str(other.port))
        await self.until_status(server.url, 503)
        await self.until_problem(server, "READONLY")
        address.redis = other
        await self.until_status(server.url, 200)
        self.assertTrue(await spend(await get_token(server.url), server.url))
        self.assertTrue(server.server.readiness.ready)
        self.assertEqual(self.told("READONLY"), 1)

    async def test_first_request(self) -> None:
        """A token request right after the start waits for the answer of Redis."""
        url = f"redis://127.0.0.1:{self.redis.port}/0"
        server = await self.served(RedisStore(url, SHARED_WITH_NODE, timeout=ANSWER_SECONDS))
        self.assertEqual(await get_status(server.url), 200)

    async def test_full(self) -> None:
        """No tokens while its memory is full; what does not need any goes on."""
        server = await self.ours()
        token = await get_token(server.url)
        await tell(self.redis, "CONFIG", "SET", "maxmemory", "1")
        self.assertEqual(await get_status(server.url), 503)
        await self.until_problem(server, "OOM")
        self.assertTrue(await spend(token, server.url))
        await tell(self.redis, "CONFIG", "SET", "maxmemory", "0")
        await self.until_status(server.url, 200)
        self.assertEqual(self.told("OOM"), 1)

    async def test_no_channels(self) -> None:
        """A user of Redis 7 has no channels unless that is said: who subscribes is told."""
        await tell(self.redis, "ACL", "SETUSER", "ada", "on", ">secret", "~*", "+@all")
        await tell(self.redis, "ACL", "SETUSER", "ada", "resetchannels")
        url = f"redis://ada:secret@127.0.0.1:{self.redis.port}/0"
        server = await self.served(RedisStore(url, SHARED_WITH_NODE, timeout=ANSWER_SECONDS))
        await self.until_status(server.url, 200)
        socket, heard = await self.ready_client(server.url)
        failure = await self.assertFailure(within(socket.subscribe("c")), RemoteError)
        self.assertEqual(failure.error, "Store unavailable")
        self.assertEqual(server.server.channels(), [])
        self.assertIn("NOPERM", server.server.readiness.store_problem or "")
        await tell(self.redis, "ACL", "SETUSER", "ada", "&*")
        await within(socket.subscribe("c"))
        await within(socket.publish("c", 1))
        await heard.until(1)
        await self.until_well(server)

    async def until_well(self, server: EmbeddedServer) -> None:
        """Until readiness has no reason."""

        async def well() -> bool:
            return server.server.readiness.store_problem is None

        await until(well, "no reason")

    async def test_wrong_password(self) -> None:
        """The log names it once; it may be right later."""
        await tell(self.redis, "CONFIG", "SET", "requirepass", "right")
        url = f"redis://:wrong@127.0.0.1:{self.redis.port}/0"
        server = await self.served(RedisStore(url, SHARED_WITH_NODE, timeout=ANSWER_SECONDS))
        await self.until_problem(server, "WRONGPASS")
        await tell(self.redis, "-a", "right", "CONFIG", "SET", "requirepass", "wrong")
        await self.until_status(server.url, 200)
        self.assertEqual(self.told("WRONGPASS"), 1)

    async def test_not_there(self) -> None:
        """A host that does not exist, and TLS where there is none."""
        for url, pattern in (
            ("redis://nowhere.invalid:6379/0", "cannot be connected to"),
            (f"rediss://127.0.0.1:{self.redis.port}/0", "lost|Not received"),
        ):
            server = await self.served(RedisStore(url, SHARED_WITH_NODE, timeout=ANSWER_SECONDS))
            await self.until_problem(server, pattern)
            self.assertEqual(await get_status(server.url), 503)

    async def test_rights(self) -> None:
        """A user that may not issue or spend tokens: not ready from the start, until it may."""
        for command in ("setex", "getdel"):
            await tell(self.redis, "ACL", "SETUSER", "ada", "on", ">secret", "~*", "&*", "+@all")
            await tell(self.redis, "ACL", "SETUSER", "ada", f"-{command}")
            url = f"redis://ada:secret@127.0.0.1:{self.redis.port}/0"
            server = await self.served(RedisStore(url, timeout=ANSWER_SECONDS))
            await self.until_problem(server, f"NOPERM.*{command}")
            self.assertEqual(await get_status(server.url), 503)
            await tell(self.redis, "ACL", "SETUSER", "ada", f"+{command}")
            await self.until_status(server.url, 200)
            await self.until_well(server)
            self.assertEqual(self.told(f"NOPERM.*{command}"), 1)

    async def test_not_redis(self) -> None:
        """What answers is a web server: it is named once, and no traceback is logged."""
        other = await self.started(Serve())
        server = await self.served(
            RedisStore(f"redis://127.0.0.1:{other.port}/0", timeout=ANSWER_SECONDS)
        )
        await self.until_problem(server, "does not speak Redis's protocol")
        self.assertEqual(await get_status(server.url), 503)
        self.assertEqual(self.told("does not speak"), 1)
