"""A real process under attack: it serves on, and takes no more memory for it."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SkipTest

from tests.kit.resources import held_by
from txtokensock import TokenSocket

from .attacker import Attacker
from .support import InteropTestCase, within
from .twistd import Serve

ATTACK_SECONDS = 60.0
"""How long one attack may take, on a busy machine."""


class AttackTests(InteropTestCase):
    """``twistd tokensock serve``."""

    programs = ()
    timeout = 180

    async def setUp(self) -> None:
        await super().setUp()
        if sys.platform != "linux":
            raise SkipTest("needs /proc")
        # What is sent names this host, and asks for a token for each of hundreds of sessions.
        options = ("--allowed-host", "example.com", "--limit", "token_burst=10000")
        self.server = await self.started(Serve(*options))
        self.attacker = Attacker(self.server.port)

    async def attack(self, function: Callable[..., object], *arguments: Any) -> None:
        """Run an attack in a thread."""
        await within(deferToThread(function, *arguments), ATTACK_SECONDS)

    def memory(self) -> int:
        """Kilobytes that the server's process has in memory."""
        assert self.server.pid is not None
        return held_by(self.server.pid).resident // 1024

    async def survived(self) -> None:
        """A new client is served, and nothing was logged that should not happen."""
        client = TokenSocket(f"http://127.0.0.1:{self.server.port}", reactor=reactor)
        self.addCleanup(client.end)
        client.startService()
        await within(client.when_ready())
        self.assertEqual(await within(client.rpc("echo", 1)), 1)
        await client.end()
        log = self.server.log()
        self.assertNotIn("Traceback", log)
        self.assertNotIn("Unhandled", log)

    async def test_hostile_sessions(self) -> None:
        """Thousands of sessions later, it is as small as after the first of them."""
        await self.attack(self.attacker.hostile_sessions, 800)
        before = self.memory()
        await self.attack(self.attacker.hostile_sessions, 800)
        await self.attack(self.attacker.hostile_sessions, 800)
        await self.survived()
        self.assertLess(self.memory() - before, 8 * 1024)

    async def test_unfinished_frames(self) -> None:
        """
        Frames that never end: those of strangers are not kept, and of those of peers nothing
        is left when they are gone.
        """
        for authenticated in (False, True):
            await self.attack(self.unfinished, 10, authenticated)
            before = self.memory()
            await self.attack(self.unfinished, 100, authenticated)
            await self.survived()
            self.assertLess(self.memory() - before, 32 * 1024, authenticated)

    def unfinished(self, count: int, authenticated: bool) -> None:
        self.attacker.unfinished_frames(count, authenticated=authenticated)

    async def test_floods(self) -> None:
        """Nobody waits for ten strangers who send what carries nothing."""
        client = TokenSocket(f"http://127.0.0.1:{self.server.port}", reactor=reactor)
        self.addCleanup(client.end)
        client.startService()
        await within(client.when_ready())
        floods = deferToThread(self.attacker.floods, 60_000)
        longest = 0.0
        while not floods.called:
            begun = time.monotonic()
            await within(client.rpc("echo", 1))
            longest = max(longest, time.monotonic() - begun)
        await within(floods, ATTACK_SECONDS)
        self.assertLess(longest, 0.5)
        await self.survived()

    async def test_nothing_is_read(self) -> None:
        """Whoever sends and does not read fills buffers of a bounded size."""
        await self.attack(self.attacker.pings_unread, 0.2)
        before = self.memory()
        for attack in (
            self.attacker.pings_unread,
            self.attacker.requests_unread,
            self.attacker.echoes_unread,
        ):
            await self.attack(attack, 2)
            await self.survived()
            self.assertLess(self.memory() - before, 32 * 1024, attack)

    async def test_large_bodies(self) -> None:
        """Bodies that are too large are not read."""
        before = self.memory()
        await self.attack(self.attacker.large_bodies, 200)
        await self.survived()
        self.assertLess(self.memory() - before, 32 * 1024)

    async def test_half_open(self) -> None:
        """Hundreds of requests that have no end are in nobody's way."""
        with contextlib.ExitStack() as stack:
            for _ in range(300):
                tcp = stack.enter_context(self.attacker.connection())
                tcp.sendall(b"GET /socket/token HTTP/1.1\r\nHost:")
            await self.survived()

    async def test_stopped(self) -> None:
        """It was stopped while clients came, and went again: it goes on with the others."""
        self.server.stop()
        with contextlib.ExitStack() as stack:
            for _ in range(20):  # fewer than its backlog
                self.attacker.upgrade(stack.enter_context(self.attacker.connection()))
        self.server.cont()
        await self.survived()
