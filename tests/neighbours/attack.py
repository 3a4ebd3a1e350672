"""
What an attack is, and what it works with.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from .link import Address, Behaviour, Link

__all__ = ["Attack", "Ground", "Target"]

Target = Literal["server", "bridge", "wamp"]

_BETWEEN = 0.0005
"""Seconds between two connections: what waits to be accepted, in the kernel, is not ours."""


class Ground:
    """
    What an attack has: the address of its target, some addresses of its own, and time.

    :param spread: from how many addresses it comes.
    :param seconds: how long it lasts.
    :param number: of the attack, which chooses its addresses.
    :param router: the port of a WAMP router, if there is one.
    :ivar outcomes: what was answered on how many connections.
    :ivar alive: the connections that are held.
    """

    def __init__(
        self,
        address: Address,
        seconds: float,
        spread: int,
        number: int = 0,
        router: int | None = None,
    ) -> None:
        self.address = address
        self.router = router
        self.outcomes: Counter[str] = Counter()
        self._end = asyncio.get_running_loop().time() + seconds
        self._links: list[Link] = []
        self._spread = spread
        self._connected = 0
        # What one attack did must not be held against the next.
        self._network = f"127.0.{3 + number % 250}"
        self._connecting = asyncio.Lock()

    def source(self) -> str:
        """The address for the next connection."""
        self._connected += 1
        return f"{self._network}.{1 + self._connected % self._spread}"

    def setup_source(self) -> str:
        """The address for what the attack needs, and is no part of it."""
        self._connected += 1
        return f"{self._network}.{100 + self._connected % 150}"

    async def connect(self, *, plain: bool = False, buffer: int = 0) -> Link:
        """A connection, held until the attack is over."""
        async with self._connecting:
            await asyncio.sleep(_BETWEEN)
        link = await self.address.connect(self.source(), plain=plain, buffer=buffer)
        self._links.append(link)
        return link

    async def router_connection(self) -> Link:
        """A connection to the router."""
        assert self.router is not None
        link = await Address(self.router).connect(self.source())
        self._links.append(link)
        return link

    async def websocket(self) -> Link:
        """An open session, without authentication."""
        link = await self.connect()
        await link.upgrade()
        return link

    async def peer(self, *channels: str, buffer: int = 0) -> Link:
        """An authenticated session that is subscribed to these channels."""
        token = await self.address.token(self.setup_source())
        link = await self.connect(buffer=buffer)
        await link.upgrade()
        await link.authenticate(token)
        if channels:
            await link.subscribe(*channels)
        return link

    async def prepare(self, count: int, *channels: str, buffer: int = 0) -> list[Link]:
        """So many of them, which does not take time from the attack."""
        loop = asyncio.get_running_loop()
        left = self._end - loop.time()
        peers = await asyncio.gather(*(self.peer(*channels, buffer=buffer) for _ in range(count)))
        self._end = loop.time() + left
        return peers

    async def play(self, link: Link, behave: Behaviour) -> None:
        """Behave so on this connection until the attack is over, and note what was answered."""
        try:
            async with asyncio.timeout_at(self._end):
                await behave(link)
                await link.read_on()
        except* (OSError, TimeoutError):
            pass
        self.outcomes[str(link)] += 1

    async def crowd(
        self,
        count: int,
        behave: Behaviour,
        connect: Callable[[], Awaitable[Link]] | None = None,
    ) -> None:
        """Behave so on many new connections at once."""

        async def one() -> None:
            try:
                async with asyncio.timeout_at(self._end):
                    link = await (connect or self.connect)()
            except TimeoutError:
                self.outcomes["waiting"] += 1
            except OSError as problem:
                self.outcomes[str(problem) or "refused"] += 1
            else:
                await self.play(link, behave)

        await asyncio.gather(*(one() for _ in range(count)))

    async def again(self, behave: Callable[[], Awaitable[Link]], lanes: int = 8) -> None:
        """Do something with a new connection each time, over and over, in some lanes."""

        async def lane() -> None:
            loop = asyncio.get_running_loop()
            while loop.time() < self._end:
                try:
                    async with asyncio.timeout_at(self._end):
                        link = await behave()
                except TimeoutError:
                    break
                except OSError as problem:
                    self.outcomes[type(problem).__name__] += 1
                    await asyncio.sleep(0.001)
                else:
                    self.outcomes[str(link)] += 1
                    link.abort()
                    self._links.remove(link)

        await asyncio.gather(*(lane() for _ in range(lanes)))

    async def wait(self) -> None:
        """Until the attack is over."""
        await asyncio.sleep(self._end - asyncio.get_running_loop().time())

    def leave(self) -> None:
        """Abort all connections."""
        for link in self._links:
            link.abort()


@dataclass(frozen=True)
class Attack:
    """
    :ivar name: what is done, unique.
    :ivar kind: whom the attack wants to harm, and with what.
    :ivar run: does it.
    :ivar target: of what.
    :ivar tls: whether over TLS.
    :ivar expected: what must be among the answers, several with "|" between them; empty where
        nothing need be.
    :ivar spread: from how many addresses.
    :ivar seconds: how long.
    """

    name: str
    kind: str
    run: Callable[[Ground], Awaitable[None]]
    target: Target = "server"
    tls: bool = False
    expected: str = ""
    spread: int = 1
    seconds: float = 1.0
