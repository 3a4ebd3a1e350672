"""
The processes: a master, a replica and three sentinels; servers; peers; one that publishes.
"""

from __future__ import annotations

import contextlib
import io
import os
import resource
from collections import Counter
from collections.abc import Iterator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from tests.interop.servers import Redis, Sentinel, Server
from tests.interop.support import within
from tests.interop.twistd import Serve
from tests.kit.processes import CommandedProgram, Program
from tests.kit.resources import held_by, processor_seconds

__all__ = ["Stage"]

LIMITS = {
    "connections_per_address": 20_000,
    "peers_per_address": 20_000,
    "tokens_per_second": 10_000,
    "token_burst": 20_000,
}
"""All peers have one address here."""

LOADS = 2
"""Processes of peers."""

_SETTLED = 1.0
"""Seconds without a message after which none comes any more."""

_TOGETHER = 50
"""Peers of one process that connect at a time."""


def _slices(channels: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(channels), _TOGETHER * LOADS):
        yield channels[begin:][: _TOGETHER * LOADS]


class LoadProgram(CommandedProgram):
    """Peers, or one that publishes."""

    def __init__(self) -> None:
        super().__init__("tests.scale.load")


class Stage:
    """
    All that runs.

    :param servers: how many.
    :ivar channels: what each peer listens to.
    """

    def __init__(self, servers: int) -> None:
        self.redis = Redis("--repl-diskless-sync-delay", "0")
        self._replica = Redis("--replicaof", f"127.0.0.1 {self.redis.port}")
        self._sentinels = [Sentinel(self.redis) for _ in range(3)]
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self._sentinels)
        url = f"redis+sentinel://{hosts}/themaster"
        limits = [part for each in LIMITS.items() for part in ("--limit", "{}={}".format(*each))]
        options = ["--redis", url, "--namespace", "scale", "--authentication", "demo", *limits]
        self.servers = [Serve(*options, admin=True) for _ in range(servers)]
        self._loads = [LoadProgram() for _ in range(LOADS)]
        self._publisher = LoadProgram()
        self.channels: list[str] = []

    async def start(self) -> None:
        """Start all, until tokens can be issued."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        await self.redis.start()
        await self._replica.start()
        await within(self._replica.line("MASTER <-> REPLICA sync: Finished with success"))
        for sentinel in self._sentinels:
            await sentinel.start()
        for sentinel in self._sentinels:
            await within(sentinel.line("+slave slave"))
            await within(sentinel.line("+sentinel sentinel", count=2))
        for program in (*self.servers, *self._loads, self._publisher):
            await program.start()
        for server in self.servers:
            await server.until_ready()

    async def close(self) -> None:
        """End all, without their logs."""
        redis: list[Server] = [self.redis, self._replica, *self._sentinels]
        programs: list[Program] = [self._publisher, *self._loads, *self.servers, *redis]
        with contextlib.redirect_stdout(io.StringIO()):
            for program in programs:
                await program.close()

    def urls(self, servers: int) -> list[str]:
        """Of the first so many."""
        return [f"http://{server.address}" for server in self.servers[:servers]]

    # -- peers

    async def open(self, peers: int, servers: int, channels: int) -> None:
        """Open more peers on the first servers, until there are so many."""
        begin = len(self.channels)
        self.channels += [f"c{number % channels}" for number in range(begin, peers)]
        new = self.channels[begin:]
        urls = self.urls(servers)
        for some in _slices(new):
            shares = [list(some[number::LOADS]) for number in range(LOADS)]
            await self._all("open", [{"urls": urls, "channels": share} for share in shares])

    async def subscribe(self, channels: int) -> None:
        """Spread the peers over so many channels."""
        self.channels = [f"c{number % channels}" for number in range(len(self.channels))]
        shares: list[list[str]] = [[] for _ in range(LOADS)]
        for some in _slices(self.channels):
            for number, share in enumerate(shares):
                share += some[number::LOADS]
        await self._all("subscribe", [{"channels": share} for share in shares])

    async def close_peers(self) -> None:
        """Close all peers."""
        self.channels = []
        await self._all("close")

    async def _all(self, do: str, arguments: list[dict[str, Any]] | None = None) -> list[Any]:
        each = arguments or [{}] * LOADS
        asked = [load.ask(do, **more) for load, more in zip(self._loads, each, strict=True)]
        answers: list[Any] = await gatherResults([Deferred.fromCoroutine(one) for one in asked])
        return answers

    async def start_over(self) -> None:
        """Count messages and absences from now on."""
        await self._all("start_over")

    async def count(self) -> Counter[str]:
        """What all peers have counted."""
        total: Counter[str] = Counter()
        for each in await self._all("count"):
            total.update(each)
        return total

    async def times(self) -> dict[str, list[float]]:
        """The worse of the processes' percentiles, in seconds."""
        answers = await self._all("times")
        found = {}
        for name in ("latency", "absence"):
            columns = [each[name] for each in answers if each[name]]
            found[name] = [max(column) for column in zip(*columns, strict=True)] or [0.0] * 3
        return found

    # -- publishing

    def publish(self, servers: int, seconds: float, in_flight: int, wait: float) -> Deferred[Any]:
        """:return: fires with what :meth:`.Publisher.publish` returns."""
        channels = list(dict.fromkeys(self.channels))
        asked = self._publisher.ask(
            "publish",
            urls=self.urls(servers),
            channels=channels,
            seconds=seconds,
            in_flight=in_flight,
            wait=wait,
        )
        return Deferred.fromCoroutine(asked)

    async def stop_publishing(self) -> None:
        """The publishing under way ends."""
        await self._publisher.ask("stop")

    def expected(self, published: dict[str, int]) -> int:
        """Deliveries that follow from these messages, where nobody is away."""
        listeners = Counter(self.channels)
        return sum(count * listeners[channel] for channel, count in published.items())

    async def until_delivered(self, expected: int) -> int:
        """:return: how many came, when all have, or no more come."""
        before = -1
        while before < expected:
            now = (await self.count())["delivered"]
            if now == before:
                break
            before = now
            await deferLater(reactor, _SETTLED if now < expected else 0)
        return before

    # -- what it takes

    def processor(self) -> dict[str, float]:
        """Seconds of processor time so far, by what kind of process."""
        kinds: dict[str, list[Program]] = {
            "servers": [*self.servers],
            "redis": [self.redis, self._replica],
            "clients": [*self._loads, self._publisher],
        }
        return {
            kind: sum(processor_seconds(each.pid) for each in programs if each.pid is not None)
            for kind, programs in kinds.items()
        }

    def resident(self) -> int:
        """Bytes that the servers have in memory."""
        return sum(held_by(each.pid).resident for each in self.servers if each.pid is not None)

    @staticmethod
    def load() -> float:
        """How busy the machine is, by the system's account of the last minute."""
        return os.getloadavg()[0]
