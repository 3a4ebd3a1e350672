"""
Slow links in memory: every transport, each speed, long messages and many short ones.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.common import Calls, collect_garbage
from tests.kit.slow_wire import SlowWire
from txtokensock import TokenSocket
from txtokensock.server import Limits, TokenSocketServer, query
from txtokensock.testing import MemoryServer

from .table import TRANSPORTS

MEGABYTE = 1_000_000
LARGE = 4_000_000
SPEEDS = (50_000, 100_000, 250_000)
LIMITS = Limits(message_size=5 * MEGABYTE, frame_size=10 * MEGABYTE, buffered=20 * MEGABYTE)
SOCKJS = {"heartbeat": 1.0, "heartbeat_timeout": 1.0, "disconnect_delay": 1.0}


class SlowLinkTests(SynchronousTestCase):
    """The client's pings and the server's come every second, and have a second."""

    def setUp(self) -> None:
        self.heard: list[str] = []
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(
                query,
                actions={
                    "size": lambda data, peer: self.heard.append(data) or len(data),  # type: ignore[func-returns-value]
                    "text": lambda data, peer: "x" * data,
                },
                limits=LIMITS,
                sockjs=SOCKJS,
                reactor=clock,
            )
        )
        self.addCleanup(collect_garbage)

    def client(self, transport: str, speed: int) -> TokenSocket:
        """A client that is ready."""
        client = self.memory.client(
            endpoint=SlowWire(self.memory.network.endpoint(), self.memory.clock, speed),
            transports=[transport],
            ping=1.0,
            ping_timeout=1.0,
            silence_timeout=1.0,
            call_timeout=500.0,
            max_message_size=10 * MEGABYTE,
        )
        self.losses = Calls()
        client.on("disconnect", self.losses)
        client.startService()
        self.memory.advance(2)
        self.assertTrue(client.connected, transport)
        return client

    def end(self, client: TokenSocket) -> None:
        """Without a loss until now."""
        self.assertEqual(self.losses, [])
        client.end()
        self.memory.advance(10)

    def each(self, play: Any) -> None:
        """Over each transport, at each speed."""
        for transport in TRANSPORTS:
            for speed in SPEEDS:
                with self.subTest(transport=transport, speed=speed):
                    client = self.client(transport, speed)
                    play(client, speed)
                    self.end(client)

    def test_up(self) -> None:
        """A call of 4 MB is made once, and answered as soon as it can be."""

        def play(client: TokenSocket, speed: int) -> None:
            call = client.rpc("size", "x" * LARGE)
            self.memory.advance(LARGE / speed + 3)
            self.assertEqual(self.successResultOf(call), LARGE)
            self.assertEqual(len(self.heard), 1)
            self.heard.clear()

        self.each(play)

    def test_down(self) -> None:
        """An answer of 4 MB as well."""

        def play(client: TokenSocket, speed: int) -> None:
            call = client.rpc("text", LARGE)
            self.memory.advance(LARGE / speed + 3)
            self.assertEqual(len(self.successResultOf(call)), LARGE)

        self.each(play)

    def test_many(self) -> None:
        """Calls of 20 kB that all wait for each other, both ways."""

        def play(client: TokenSocket, speed: int) -> None:
            calls = [client.rpc("size", "x" * 20_000) for _ in range(50)]
            answers = [client.rpc("text", 20_000) for _ in range(50)]
            self.memory.advance(2 * MEGABYTE / speed + 5)
            self.assertEqual([self.successResultOf(call) for call in calls], [20_000] * 50)
            self.assertEqual([len(self.successResultOf(one)) for one in answers], [20_000] * 50)

        self.each(play)
