"""
One soaked client, and what it does all day.
"""

from __future__ import annotations

import random
from collections import Counter

from twisted.internet import reactor
from twisted.internet.defer import FirstError, TimeoutError
from twisted.internet.task import LoopingCall

from txtokensock import TokenSocket
from txtokensock.errors import CallTimeout, NetworkError

from .asking import Asking
from .child import Child
from .ledger import Calls, Connections, is_leaving, name_of
from .listening import Listening

__all__ = ["User"]

TICK = 0.1
CHANGES = 1.0
"""How often a second a subscription changes."""

_PROBES = 3
_PATIENCE = 50.0


class User:
    """
    A client that stays, its calls and its subscriptions.

    :param name: which of them.
    :param rate: calls a second.
    :ivar errors: what its ``error`` event told.
    """

    def __init__(
        self,
        name: str,
        socket: TokenSocket,
        rate: float,
        calls: Calls,
        child: Child,
        seed: str,
    ) -> None:
        verdict = child.verdict
        chance = random.Random(f"{seed}-{name}")
        self.name = name
        self.socket = socket
        self.connections = Connections(name, verdict)
        self.listening = Listening(name, socket, calls, verdict, chance, reactor)
        self.errors: Counter[str] = Counter()
        self._asking = Asking(name, socket, calls, verdict, chance, self.listening.own)
        self._calls = calls
        self._verdict = verdict
        self._rate = rate
        self._due = 0.0
        self._random = chance
        self._failed = child.failed
        self._loop = LoopingCall(self._tick)
        socket.on("ready", self._connected)
        socket.on("reconnect", self._connected)
        socket.on("disconnect", self.connections.gone)
        socket.on("error", self._error)

    def start(self) -> None:
        """Connect, where it is not running."""
        self.socket.startService()
        self.listening.keep()

    def work(self) -> None:
        """Make calls, and change subscriptions, until :meth:`rest`."""
        self._loop.start(TICK).addErrback(self._failed)

    def rest(self) -> None:
        """Ask for nothing new."""
        self._loop.stop()

    async def come_back(self) -> None:
        """Wait for the connection."""
        try:
            await self.socket.when_ready().addTimeout(_PATIENCE, reactor)
        except TimeoutError:
            self._verdict.against("a client does not come back", self.name)

    async def check(self) -> None:
        """At rest, all must be as it was asked for."""
        self.connections.settle(self.socket.connected)
        self.listening.compare()
        for attempt in range(_PROBES):
            try:
                await self._asking.ask_at_rest()
                await self.listening.probe(f"{self.name}-{self._calls.made}-{attempt}")
                break
            except (FirstError, NetworkError) as problem:
                # A busy machine may cost a connection, but not every time.
                found = repr(problem)
                await self.come_back()
        else:
            self._verdict.against("calls fail at rest", f"{self.name}: {found}")
        if self.socket.ignored_messages:
            count = self.socket.ignored_messages
            self._verdict.against("messages could not be read", f"{self.name}: {count}")

    async def stop(self) -> None:
        """Stop the client; after that nothing may go on."""
        await self.socket.stopService()
        self.listening.forget_ended()
        self.connections.settle(connected=False)
        if self.listening.ears:
            self._verdict.against("a subscription outlives its client", self.name)

    def _tick(self) -> None:
        self._due = min(self._due + self._rate * TICK, 2 * self._rate)
        while self._due >= 1:
            self._due -= 1
            self._asking.ask()
        if self._random.random() < CHANGES * TICK:
            self.listening.change()

    def _connected(self, problem: Exception | None) -> None:
        self.connections.heard(problem)
        if problem is None:
            self._asking.turns.connected()
            self.listening.connected()

    def _error(self, problem: Exception) -> None:
        self.errors[name_of(problem)] += 1
        if not isinstance(problem, CallTimeout) and not is_leaving(problem):
            self._verdict.against("an error belongs to no call", f"{self.name}: {problem!r}")
        self.listening.forget_ended()
        self.listening.keep()
