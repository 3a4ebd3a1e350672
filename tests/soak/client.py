"""
The soak's client as a process: some clients that stay, and some that come and go.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import LoopingCall, deferLater

from tests.kit.resources import give_back

from .child import Child
from .guest import visit
from .ledger import LATEST, Calls
from .sockets import Way, new_socket
from .user import User

GUEST_EVERY = 4.0
"""Seconds between clients that come and go."""

WAVERING = ("auto", "auto+proxy")
"""Clients that choose their transport."""

_IDLE = 6.0
"""Seconds after which what is kept for later has gone: HTTP connections, and slow readers."""


class SoakClient:
    """
    :param options: see :func:`main`.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.child = Child(
            {
                "connect": self.connect,
                "work": self.work,
                "rest": self.rest,
                "check": self.check,
                "figures": self.figures,
                "end": self.end,
            }
        )
        self.calls = Calls(self.child.verdict, reactor)
        self.guests = 0
        self._options = options
        self._random = random.Random(f"{options.seed}-guests")
        self._guests = LoopingCall(self._invite)
        self._at_start: set[Any] = set()
        self._way = Way(options.url, options.proxy, options.behind)
        self._kinds = options.clients.split(",")
        rate = options.calls / len(self._kinds)
        self.users = [
            self._user(f"{number}-{kind}", kind, rate) for number, kind in enumerate(self._kinds)
        ]

    def _user(self, name: str, kind: str, rate: float) -> User:
        socket = new_socket(self._way, name, kind)
        return User(name, socket, rate, self.calls, self.child, self._options.seed)

    # -- commands

    def start(self) -> None:
        """Wait for commands."""
        self._at_start = set(reactor.getDelayedCalls())
        self.child.say("ready")

    async def connect(self) -> None:
        """Connect every client that stays."""
        for user in self.users:
            user.start()
        for user in self.users:
            await user.come_back()
        self.child.say("connected")

    def work(self) -> None:
        """Ask, subscribe, come and go, until :meth:`rest`."""
        for user in self.users:
            user.start()
            user.work()
        self._guests.start(GUEST_EVERY).addErrback(self.child.failed)

    async def rest(self) -> None:
        """Ask nothing more, until everything is answered and everybody connected."""
        self._guests.stop()
        for user in self.users:
            user.rest()
        deadline = reactor.seconds() + LATEST
        while self.calls.pending and reactor.seconds() < deadline:
            await deferLater(reactor, 0.1)
        self.calls.settle()
        for user in self.users:
            await user.come_back()
        self.child.say("resting")

    async def check(self) -> None:
        """At rest, all must be as it was asked for; what is held now is really needed."""
        await _all(user.check() for user in self.users)
        # Some transports hold one socket, some two: so those that may use either hold none.
        await _all(user.stop() for user in self.users if user.name.endswith(WAVERING))
        await deferLater(reactor, _IDLE)
        self.figures("checked", objects=give_back())

    async def end(self) -> None:
        """Stop every client; then nothing may be left of them."""
        await _all(user.stop() for user in self.users)
        await deferLater(reactor, _IDLE)
        self.calls.settle()
        if any(user.listening.iterations for user in self.users):
            self.child.verdict.against("an iteration does not end", "though its client did")
        left = set(reactor.getDelayedCalls()) - self._at_start
        if left:
            self.child.verdict.against("timers are left", ", ".join(map(str, left)))
        self.figures("stopped", objects=give_back())

    def figures(self, event: str = "figures", **more: Any) -> None:
        """Say what was done so far."""
        connections = [user.connections for user in self.users]
        self.child.say(
            event,
            calls=self.calls.made,
            answered=self.calls.answered,
            failed=self.calls.failed,
            pending=len(self.calls.pending),
            messages=sum(user.listening.heard for user in self.users),
            connections=sum(one.made for one in connections),
            each={user.name: user.connections.made for user in self.users},
            longest=self.calls.longest,
            lost=sum(one.lost for one in connections),
            ends=_sum(one.ends for one in connections),
            attempts=_sum(one.failed for one in connections),
            errors=_sum(user.errors for user in self.users),
            guests=self.guests,
            warnings=self.child.warnings,
            **more,
        )

    # -- clients that come and go

    def _invite(self) -> None:
        self.guests += 1
        name = f"guest-{self.guests}"
        kind = self._random.choice(self._kinds)
        socket = new_socket(self._way, name, kind)
        chance = random.Random(f"{self._options.seed}-{name}")
        coming = visit(name, socket, self.calls, self.child.verdict, chance)
        self.calls.watch("a guest's visit", Deferred.fromCoroutine(coming))


async def _all(coroutines: Iterable[Coroutine[Any, Any, None]]) -> None:
    await gatherResults([Deferred.fromCoroutine(one) for one in coroutines])


def _sum(counters: Iterable[Counter[str]]) -> Counter[str]:
    return sum(counters, Counter())


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url")
    parser.add_argument("--calls", type=float)
    parser.add_argument("--proxy")
    parser.add_argument("--behind")
    parser.add_argument("--clients", help="see new_socket(), with commas between them")
    parser.add_argument("--seed")
    parser.add_argument("--life")
    client = SoakClient(parser.parse_args())
    client.child.run(client.start)


if __name__ == "__main__":
    main()
