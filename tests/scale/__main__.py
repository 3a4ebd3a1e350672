"""
``python -m tests.scale``: see ``docs/scaling.rst``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet import reactor as global_reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater, react
from twisted.internet.utils import getProcessOutput

from .stage import Stage

SERVERS = 4
AWAY = 60.0
"""Seconds for which absent peers are waited for."""

LISTENERS = (1, 4, 16, 64)
PUBLISHES = 20_000
"""To Redis alone, without servers."""

_AROUND = 2.0
"""Seconds of publishing before a fault."""


async def grow(stage: Stage, peers: int, seconds: float) -> None:
    """What a delivery costs, with more and more servers, peers and channels."""
    row = "{:>7} {:>6} {:>8} {:>9} {:>11} {:>10} {:>9} {:>9} {:>7} {:>7} {:>6}"
    print(
        row.format(
            *("servers", "peers", "channels", "publish/s", "deliver/s", "server us", "redis us"),
            *("client us", "p50 ms", "p99 ms", "lost"),
        ),
        flush=True,
    )

    async def measure(servers: int, channels: int) -> None:
        await stage.start_over()
        before = stage.processor()
        in_flight = min(channels * 2, 16)
        sent = await stage.publish(servers, seconds, in_flight, 0.0)
        expected = stage.expected(sent["published"])
        delivered = await stage.until_delivered(expected)
        after = stage.processor()
        used = {kind: (after[kind] - before[kind]) * 1e6 for kind in after}
        published = sum(sent["published"].values())
        latency = (await stage.times())["latency"]
        print(
            row.format(
                *(servers, len(stage.channels), channels),
                f"{published / sent['seconds']:.0f}",
                f"{delivered / sent['seconds']:.0f}",
                f"{used['servers'] / delivered:.1f}",
                f"{used['redis'] / published:.0f}",
                f"{used['clients'] / delivered:.1f}",
                *(f"{latency[0] * 1e3:.1f}", f"{latency[1] * 1e3:.1f}"),
                expected - delivered,
            ),
            flush=True,
        )

    for servers in (1, 2, SERVERS):
        await stage.close_peers()
        await stage.open(peers // 2, servers, 1)
        await measure(servers, 1)
    before = stage.processor()["servers"], stage.resident()
    await stage.open(peers, SERVERS, 1)
    new = peers - peers // 2
    opened = (stage.processor()["servers"] - before[0]) / new * 1e6
    held = (stage.resident() - before[1]) / new / 1024
    await measure(SERVERS, 1)
    for channels in (100, peers):
        await stage.subscribe(channels)
        await measure(SERVERS, channels)
    print(f"a new peer takes {opened:.0f} us of its server, and then {held:.0f} KiB", flush=True)


async def redis_alone(stage: Stage) -> None:
    """What a publish costs Redis, by the number of servers that listen."""
    print(f"{'listeners':>9} {'redis us':>9} for a publish", flush=True)
    endpoint = TCP4ClientEndpoint(global_reactor, "127.0.0.1", stage.redis.port)
    listeners: list[Protocol] = []
    for count in LISTENERS:
        while len(listeners) < count:
            listener = await connectProtocol(endpoint, Protocol())
            listener.transport.write(b"SUBSCRIBE wall\r\n")
            listeners.append(listener)
        before = stage.processor()["redis"]
        command = f"-p {stage.redis.port} -n {PUBLISHES} -c 8 -q PUBLISH wall {'x' * 30}"
        await getProcessOutput("redis-benchmark", command.split(), env=None, errortoo=True)
        used = (stage.processor()["redis"] - before) / PUBLISHES * 1e6
        print(f"{count:9} {used:9.1f}", flush=True)
    for listener in listeners:
        listener.transport.abortConnection()


Act = Callable[[], Awaitable[Any]]


async def break_parts(stage: Stage) -> None:
    """What is lost, and how long peers are away, when parts are killed."""
    *_, third, fourth = stage.servers

    async def terminate() -> None:
        third.signal("TERM")
        await third.ended()

    await stage.subscribe(100)
    row = "{:28} {:>6} {:>6} {:>7} {:>7} {:>7} {:>9} {:>6} {:>6} {:>8} {:>7} {:>6}"
    print(
        row.format(
            *("fault", "away", "still", "p50 s", "p99 s", "max s", "server s", "sent", "failed"),
            *("silent s", "missed", "gaps"),
        ),
        flush=True,
    )

    async def meet(name: str, fault: Act) -> None:
        await stage.start_over()
        publishing = stage.publish(SERVERS - 2, AWAY, 4, 0.2)
        await deferLater(global_reactor, _AROUND)
        before = stage.processor()["servers"]
        await fault()
        used = stage.processor()["servers"]
        begun = global_reactor.seconds()
        quiet = 0
        while quiet < 3 and global_reactor.seconds() < begun + AWAY / 2:
            await deferLater(global_reactor, 1.0)
            quiet = 0 if (await stage.count())["away"] else quiet + 1
        await stage.stop_publishing()
        sent = await publishing
        expected = stage.expected(sent["published"])
        delivered = await stage.until_delivered(expected)
        count, times = await stage.count(), (await stage.times())["absence"]
        used = stage.processor()["servers"] - min(used, before)
        published = sum(sent["published"].values())
        print(
            row.format(
                *(name, count["absences"], count["away"]),
                *(f"{value:.2f}" for value in times),
                *(f"{used:.1f}", published, sent["failed"], f"{sent['silence']:.2f}"),
                *(expected - delivered, count["gaps"]),
            ),
            flush=True,
        )

    await meet("a server is killed", fourth.kill)
    await meet("and started again", fourth.start)
    await meet("another one is stopped", terminate)
    await meet("the master Redis is killed", stage.redis.kill)


async def scale(peers: int, seconds: float) -> None:
    """Run all of it."""
    stage = Stage(SERVERS)
    begun = global_reactor.seconds()
    print(f"the load of the machine is {stage.load():.1f}", flush=True)
    try:
        await stage.start()
        await redis_alone(stage)
        await grow(stage, peers, seconds)
        await break_parts(stage)
    finally:
        await stage.close()
    print(f"{global_reactor.seconds() - begun:.0f} s; the load is {stage.load():.1f}")


def main(reactor: Any) -> Deferred[None]:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="make scale")
    parser.add_argument("--peers", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=4.0, help="of publishing, for one row")
    found = parser.parse_args(sys.argv[1:])
    return Deferred.fromCoroutine(scale(found.peers, found.seconds))


if __name__ == "__main__":
    react(main)
