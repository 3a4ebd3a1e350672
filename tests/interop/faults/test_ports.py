"""
The same faults with real TCP, on the real reactor: what a Clock cannot show.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater

from tests.interop.support import InteropTestCase, within
from tests.kit.resources import held_by
from txtokensock.errors import ConnectionFailed, ConnectionLost

from .clients import SECONDS, PeerClient, Peers

TRANSPORTS = ("websocket", "xhr-streaming", "xhr-polling")

ATTEMPTS = [
    ("token-connect", "TCP", "refuses", "token"),
    ("token-connect", "connection", "half-opens", "token"),
    ("token", "connection", "resets", "token"),
    ("token", "connection", "stops halfway", "token"),
    ("token", "connection", "floods", "token"),
    ("token", "HTTP", "redirects", "token"),
    ("token", "HTTP", "answers no HTTP", "token"),
    ("connect", "TCP", "refuses", "connect"),
    # A reset overtakes what was sent just before, also the news that there is a connection.
    ("connect", "connection", "resets", "connect handshake"),
    ("connect", "connection", "stalls", "handshake"),
    ("handshake", "connection", "closes", "handshake"),
    ("handshake", "connection", "half-opens", "handshake"),
    ("handshake", "HTTP", "floods the head", "handshake"),
    ("open", "connection", "resets", "handshake open"),
    ("open", "connection", "stalls", "open"),
    ("open", "frames", "sends no frame", "open"),
    ("auth", "connection", "half-opens", "auth"),
    ("auth", "connection", "breaks off", "auth"),
    ("auth", "messages", "refuses", "auth"),
]
"""A fault of an attempt, and the phase that its error names."""

LOSSES = [
    ("call", "connection", "resets"),
    ("call", "connection", "truncates"),
    ("call", "connection", "half-opens"),
    ("call", "connection", "stops halfway"),
    ("call", "frames", "sends no UTF-8"),
    ("call", "connection", "floods"),
    ("receive", "connection", "breaks off"),
    ("receive", "connection", "stalls"),
    ("action", "connection", "closes"),
    ("replay", "connection", "resets"),
    ("replay", "connection", "half-opens"),
]
"""A fault by which the connection is lost."""

KEPT = [
    ("call", "connection", "omits"),
    ("call", "connection", "drips"),
    ("call", "messages", "sends wrong types"),
    ("call", "messages", "answers to nobody"),
]
"""A fault that the connection survives."""

ENDS = [
    ("close", "connection", "stalls"),
    ("close", "connection", "resets"),
    ("send", "connection", "half-opens"),
]
"""A fault that meets the end of the client."""


class ProcessTests(InteropTestCase):
    """A client for each of three transports at a time."""

    programs = ()
    timeout = 120

    async def setUp(self) -> None:
        await super().setUp()
        self.peers = await self.started(Peers())
        deadlines = dict.fromkeys(["token", "handshake", "open", "auth", "close"], SECONDS)
        await self.peers.ask("deadlines", deadlines={**deadlines, "call": 4 * SECONDS})
        self.descriptors = _files()
        self.ones = [
            PeerClient(port, transport)
            for port, transport in zip(self.peers.ports, TRANSPORTS, strict=True)
        ]
        for one in self.ones:
            self.addCleanup(one.client.end)
            one.hand("subscribe", one.client.subscribe("c", one.heard.append))

    async def all(self, do: Callable[[PeerClient], Any]) -> None:
        """Do that with each client, at the same time."""
        await gatherResults([within(do(one), 30.0) for one in self.ones], consumeErrors=True)

    async def ended(self) -> None:
        """All are ended: every Deferred fired once, and nothing is left, on either side."""
        await self.all(lambda one: one.hand("end", one.client.end()))
        for one in self.ones:
            for what, outcomes in one.handed:
                self.assertEqual(len(outcomes), 1, what)
        await self.peers.ask("disarm")
        await self.peers.ask("revive")
        await self.ones[0].until(lambda: _files() <= self.descriptors, "descriptor closed")
        await deferLater(reactor, 0.1)
        for transport, seen in zip(TRANSPORTS, await self.peers.ask("look"), strict=True):
            self.assertEqual(seen["overlaps"], [], transport)
            self.assertEqual(seen["connections"], 0, transport)
            self.assertLessEqual(seen["most"], 1 if transport == "websocket" else 2, transport)

    async def test_attempts(self) -> None:
        """Each fault of connecting names its phase, and the client comes back after it."""
        for step, kind, fault, phase in ATTEMPTS:
            await self.peers.ask("arm", step=step, kind=kind, fault=fault)
            for one in self.ones:
                one.failures.clear()
                one.client.startService()
            await self.peers.ask("drop")
            await self.all(
                lambda one, what=(step, fault): one.until(lambda: one.failures, f"failure {what}")
            )
            for one in self.ones:
                self.assertIsInstance(one.failures[0], ConnectionFailed)
                self.assertIn(one.failures[0].phase, phase.split(), (one, step, fault))
                one.ask()
            await self.peers.ask("disarm")
            await self.all(PeerClient.works)
        await self.ended()

    async def test_losses(self) -> None:
        """Each fault that ends a connection is noticed, and another is made."""
        for one in self.ones:
            one.client.startService()
        await self.all(PeerClient.works)
        for step, kind, fault in LOSSES:
            await self.lose(step, kind, fault)
        await self.ended()

    async def lose(self, step: str, kind: str, fault: str) -> None:
        """One of them."""
        await self.peers.ask("hold", hold=True)
        for one in self.ones:
            one.losses.clear()
            one.hand("hold", one.client.rpc("hold", timeout=20 * SECONDS))
        await self.peers.ask("arm", step=step, kind=kind, fault=fault, times=1)
        if step == "replay":
            await self.peers.ask("drop")
        for one in self.ones:
            one.ask()
        await self.peers.ask("publish", data=1)
        await self.peers.ask("call")
        count = 2 if step == "replay" else 1
        await self.all(
            lambda one: one.until(lambda: len(one.losses) >= count, f"loss {step} {fault}")
        )
        await self.peers.ask("hold", hold=False)
        await self.peers.ask("disarm")
        await self.all(PeerClient.works)
        for one in self.ones:
            (outcome,) = [outcomes for what, outcomes in one.handed if what == "hold"][-1]
            self.assertIsInstance(outcome, ConnectionLost, one)

    async def test_kept(self) -> None:
        """Each fault that does not end a connection costs one answer at most."""
        for one in self.ones:
            one.client.startService()
        await self.all(PeerClient.works)
        for step, kind, fault in KEPT:
            await self.peers.ask("arm", step=step, kind=kind, fault=fault, times=1)
            await self.all(PeerClient.ask)
            await self.peers.ask("disarm")
            await self.all(PeerClient.works)
        for one in self.ones:
            self.assertEqual(one.losses, [])
        await self.ended()

    async def test_ends(self) -> None:
        """The end takes as long as ``timeouts.close``, whatever the server does."""
        for step, kind, fault in ENDS:
            for one in self.ones:
                one.client.startService()
                one.hand("subscribe", one.client.subscribe("c", one.heard.append))
            await self.all(PeerClient.works)
            await self.peers.ask("arm", step=step, kind=kind, fault=fault, times=1)
            for one in self.ones:
                one.ask()
            await deferLater(reactor, 0.05)
            began = reactor.seconds()
            await self.all(lambda one: one.hand("end", one.client.end()))
            self.assertLess(reactor.seconds() - began, SECONDS + 1.0)
            await self.peers.ask("disarm")
            await self.peers.ask("revive")
        await self.ended()


def _files() -> int:
    """How many files this process has open."""
    return held_by(os.getpid()).files
