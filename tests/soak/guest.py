"""
A soaked client that comes, talks, and leaves in the middle of it.
"""

from __future__ import annotations

import random

from twisted.internet import reactor
from twisted.internet.defer import CancelledError
from twisted.internet.task import deferLater

from txtokensock import TokenSocket
from txtokensock.errors import ClientClosed, ConnectionFailed

from .ledger import Calls
from .listening import SHARED
from .verdict import Verdict

__all__ = ["visit"]

_LONGEST = 3.0
"""Seconds for each of a few waits."""


async def visit(
    name: str, socket: TokenSocket, calls: Calls, verdict: Verdict, chance: random.Random
) -> None:
    """
    Start the client, ask for this and that, and stop it: before it is connected, or after,
    and maybe all of it twice.
    """
    for _ in range(chance.randint(1, 2)):
        socket.startService()
        ready = socket.when_ready(chance.choice([None, 1]))
        calls.watch(f"{name} comes", ready, may_fail=(ClientClosed, ConnectionFailed))
        for _ in range(chance.randint(0, 3)):
            await deferLater(reactor, chance.uniform(0.0, _LONGEST))
            _talk(name, socket, calls, chance)
        stopped = socket.stopService()
        calls.watch(f"{name} leaves", stopped)
        late = socket.rpc("echo", {})
        calls.watch(f"{name} is late", late, right=lambda _: False, may_fail=(ClientClosed,))
        if chance.random() < 0.5:
            await stopped
    await socket.stopService()
    if socket.connected or socket.channels():
        verdict.against("a stopped client is not stopped", f"{name}: {socket.channels()}")


def _talk(name: str, socket: TokenSocket, calls: Calls, chance: random.Random) -> None:
    end = (ClientClosed, CancelledError)
    for call in (
        socket.rpc("echo", {"guest": name}),
        socket.rpc("slow", {"seconds": chance.uniform(0.0, 2.0)}, idempotent=True),
        socket.publish(f"{name}.own", {"own": 1}),
        socket.subscribe(SHARED, lambda message: None),
        socket.unsubscribe(SHARED),
        socket.subscribe(f"{name}.handler", lambda message: None),
    ):
        calls.watch(f"{name} talks", call, may_fail=end)
