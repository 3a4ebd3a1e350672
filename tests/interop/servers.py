"""
Real servers as child processes: :class:`Redis`, :class:`Sentinel` and :class:`NodeServer`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.kit.ports import ReservedPort
from tests.kit.processes import Program

NODE = Path(__file__).with_name("node")
"""Where the JavaScript programs and their ``node_modules`` are."""


class Server(Program):
    """
    A server that listens.

    :ivar port: its TCP port on 127.0.0.1, its own also while it is down.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reserved = ReservedPort()
        self.port = self._reserved.number

    async def restart(self) -> None:
        """Run it again on the same port; a life that is not over yet is ended first."""
        if self.running:
            await self.kill()
        await self.start()

    async def close(self) -> None:
        await super().close()
        self._reserved.release()


class Redis(Server):
    """
    Debian's redis-server, which keeps nothing: a restart forgets all.

    :param options: more of its command line.
    """

    name = "redis-server"

    def __init__(self, *options: str) -> None:
        super().__init__()
        self._options = options
        self._directory = tempfile.TemporaryDirectory(prefix="txtokensock-redis-")

    def command(self) -> list[str]:
        return [
            *("redis-server", "--port", str(self.port), "--bind", "127.0.0.1"),
            *("--save", "", "--appendonly", "no", "--dir", self._directory.name),
            # By default a server that takes 32 MB too slowly is disconnected.
            *("--client-output-buffer-limit", "pubsub 0 0 0"),
            *self._options,
        ]

    def is_ready(self, line: str) -> bool:
        return "Ready to accept connections" in line

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()


class Sentinel(Server):
    """
    One of the sentinels that guard a Redis under the name ``themaster``.

    :param redis: the master at first.
    """

    name = "sentinel"

    def __init__(self, redis: Redis) -> None:
        super().__init__()
        self._directory = tempfile.TemporaryDirectory(prefix="txtokensock-sentinel-")
        self._config = Path(self._directory.name) / "sentinel.conf"  # it writes there, too
        self._config.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._directory.name}\n"
            f"sentinel monitor themaster 127.0.0.1 {redis.port} 2\n"
            "sentinel down-after-milliseconds themaster 500\n"
            "sentinel failover-timeout themaster 3000\n",
            encoding="ascii",
        )

    def command(self) -> list[str]:
        return ["redis-server", str(self._config), "--sentinel"]

    def is_ready(self, line: str) -> bool:
        return "+monitor master themaster" in line

    async def close(self) -> None:
        await super().close()
        self._directory.cleanup()


class NodeServer(Server):
    """
    ``node/server.js`` on the real node-token-sockjs 2.1.11.

    :param redis: which must run already.
    :param environment: what ``server.js`` understands, such as ``PING="1"``.
    """

    name = "node server.js"
    directory = NODE

    def __init__(self, redis: Redis, **environment: str) -> None:
        super().__init__()
        self._environment = {"REDIS_PORT": str(redis.port), **environment}

    @property
    def url(self) -> str:
        """What a client is told to connect to."""
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return ["node", "server.js"]

    def environment(self) -> dict[str, str]:
        return {**self._environment, "PORT": str(self.port)}

    def is_ready(self, line: str) -> bool:
        return line == f'{{"port":{self.port}}}'
