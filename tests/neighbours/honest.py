"""
``python -m tests.neighbours.honest CORE KIND PORT``: an honest client, which measures how long
it waits.

It calls every 20 ms, and each fifth time it publishes instead, and waits for its own message.
Besides, every half second somebody new comes, is served, and goes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

if __name__ == "__main__":
    from twisted.internet import asyncioreactor

    asyncioreactor.install(asyncio.new_event_loop())

from twisted.internet.defer import Deferred

from tests.kit.commands import Commands

from .link import HONEST, Address, Link, Refused, message, messages

__all__ = ["HONEST_KEY"]

INTERVAL = 0.02
NEWCOMERS = 0.5
PATIENCE = 5.0
"""Seconds after which a call has failed."""

HONEST_KEY = "honest-key"
"""A key of the bridge for the channel ``honest`` and the function ``echo``."""


class Client(Protocol):
    """Somebody who is connected."""

    async def call(self, number: int) -> None:
        """Have a number echoed."""

    async def publish(self, number: int) -> None:
        """Publish a number, and wait for it."""

    def leave(self) -> None:
        """Disconnect."""


class Peer:
    """Of the server."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    async def enter(cls, address: Address, source: str) -> Peer:
        """A peer who has a token, is authenticated, and listens."""
        token = await address.token(source)
        link = await address.connect(source)
        try:
            await link.upgrade()
            await link.authenticate(token)
            await link.subscribe("honest")
        except BaseException:
            link.abort()
            raise
        return cls(link)

    async def call(self, number: int) -> None:
        await self._link.send(messages(message("echo", number, f"call{number}")))
        await self._link.until(f'call{number}\\"'.encode())

    async def publish(self, number: int) -> None:
        publish = {"channel": "honest", "data": f"own{number}"}
        await self._link.send(messages({"rpc": "_publish", "req": publish}))
        await self._link.until(f'own{number}\\"'.encode())

    def leave(self) -> None:
        self._link.abort()


class Caller:
    """Of the bridge."""

    def __init__(self, address: Address, link: Link, events: Link) -> None:
        self._address, self._link, self._events = address, link, events

    @classmethod
    async def enter(cls, address: Address, source: str) -> Caller:
        """A caller with a connection for calls, and one for events."""
        link, events = await address.connect(source), await address.connect(source)
        caller = cls(address, link, events)
        try:
            await events.send(caller._request("GET", "/events?channel=honest"))
            await events.until(b": connected")
        except BaseException:
            caller.leave()
            raise
        return caller

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Authorization": f"Bearer {HONEST_KEY}", "Content-Type": "application/json"}
        return self._address.request(method, path, body, **headers)

    async def _ask(self, path: str, body: Any) -> None:
        await self._link.send(self._request("POST", path, json.dumps(body).encode()))
        status, answer = await self._link.response()
        if status not in (200, 202):
            raise Refused(f"{path}: {status} {answer[:200]!r}")

    async def call(self, number: int) -> None:
        await self._ask("/call", {"rpc": "echo", "data": number})

    async def publish(self, number: int) -> None:
        await self._ask("/publish", {"channel": "honest", "data": f"own{number}"})
        await self._events.until(f'own{number}"'.encode())

    def leave(self) -> None:
        self._link.abort()
        self._events.abort()


class Honest:
    """
    :param enter: makes a client, from an address.
    """

    def __init__(self, enter: Callable[[str], Awaitable[Client]]) -> None:
        self._enter = enter
        self._numbers = itertools.count()
        self._tasks: list[asyncio.Task[None]] = []
        self._lock = asyncio.Lock()
        self._new = asyncio.Lock()
        self.reset()

    def reset(self) -> None:
        """Measure from now on."""
        self._longest = self._newcomers = 0.0
        self._calls = 0
        self._failures: list[str] = []

    async def report(self) -> dict[str, Any]:
        """
        :return: what was measured since the last time, with what was waited for just now.
        """
        async with self._new, self._lock:
            found = {
                "longest": self._longest,
                "newcomers": self._newcomers,
                "calls": self._calls,
                "failures": self._failures[:5],
            }
            self.reset()
        return found

    async def begin(self) -> None:
        """Call from now on."""
        self._tasks = [asyncio.ensure_future(self._call()), asyncio.ensure_future(self._come())]

    async def _call(self) -> None:
        loop = asyncio.get_running_loop()
        client: Client | None = None
        while True:
            begun = loop.time()
            number = next(self._numbers)
            async with self._lock:
                try:
                    async with asyncio.timeout(PATIENCE):
                        client = client or await self._enter(HONEST)
                        await (client.call if number % 5 else client.publish)(number)
                except (OSError, TimeoutError) as problem:
                    self._failures.append(f"{type(problem).__name__}: {problem}")
                    if client is not None:
                        client.leave()
                        client = None
                self._longest = max(self._longest, loop.time() - begun)
                self._calls += 1
            await asyncio.sleep(max(0.0, INTERVAL - (loop.time() - begun)))

    async def _come(self) -> None:
        loop = asyncio.get_running_loop()
        for number in itertools.count():
            async with self._new:
                begun = loop.time()
                try:
                    async with asyncio.timeout(PATIENCE):
                        client = await self._enter(f"127.0.2.{1 + number % 250}")
                        await client.call(next(self._numbers))
                    client.leave()
                except (OSError, TimeoutError) as problem:
                    self._failures.append(f"newcomer: {type(problem).__name__}: {problem}")
                self._newcomers = max(self._newcomers, loop.time() - begun)
            await asyncio.sleep(NEWCOMERS)


def main() -> None:
    """Be honest, until the parent is gone."""
    os.sched_setaffinity(0, {int(sys.argv[1])})
    kind, port = sys.argv[2], int(sys.argv[3])
    address = Address(port, tls=kind == "server-tls")
    entrance = Caller.enter if kind == "bridge" else Peer.enter

    def obey(what: Callable[[], Awaitable[Any]]) -> Callable[[], Deferred[Any]]:
        return lambda: Deferred.fromFuture(asyncio.ensure_future(what()))

    async def enter(source: str) -> Client:
        return await entrance(address, source)

    honest = Honest(enter)
    commands = Commands({"begin": obey(honest.begin), "report": obey(honest.report)})
    commands.run(lambda: commands.say("ready"))


if __name__ == "__main__":
    main()
