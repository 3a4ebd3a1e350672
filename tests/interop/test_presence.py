"""
Who is subscribed to a channel, on several servers in processes of their own, one of which is
killed.
"""

from __future__ import annotations

import time

from txtokensock.server import Presence

from .embedded import EmbeddedServer
from .support import until, within
from .test_redis_cluster import RedisTestCase
from .twistd import Serve

NAMESPACE = "app"


class PresenceOfServers(RedisTestCase):
    """Two ``twistd tokensock serve`` with peers, and a server that asks."""

    async def setUp(self) -> None:
        await super().setUp()
        redis = f"redis://127.0.0.1:{self.redis.port}/0"
        options = ("--redis", redis, "--namespace", NAMESPACE)
        self.processes = [await self.started(Serve(*options)) for _ in range(2)]
        self.asking: EmbeddedServer = await self.ours(NAMESPACE)
        urls = [self.asking.url, *(f"http://{each.address}" for each in self.processes)]
        for count, url in enumerate(urls, 1):
            await self.until_status(url, 200)
            for _ in range(count):
                await self.ready_client(url, "c")

    async def presence(self) -> Presence:
        presence = await within(self.asking.server.presence("c"))
        self.assertEqual(len(presence.identities), presence.count)
        return presence

    async def test_killed(self) -> None:
        """
        A server that is killed by ``kill -9`` is not counted within the lease, and one that
        hangs is said to be silent, until it goes on.
        """
        before = await self.presence()
        self.assertEqual((before.count, before.servers, before.silent), (6, 3, 0))
        one, two = self.processes
        killed = time.monotonic()
        await one.kill()

        async def is_right() -> bool:
            found = await self.presence()
            return (found.count, found.servers, found.silent) == (4, 2, 0)

        await until(is_right, "count without the killed server")
        self.assertLess(time.monotonic() - killed, before.lease)
        two.stop()  # and Redis still has it
        hung = await self.presence()
        self.assertEqual((hung.count, hung.servers, hung.silent), (1, 1, 1))
        two.cont()
        await until(is_right, "count with the server that hung")
