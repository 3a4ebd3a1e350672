"""
A client of ours in a process of its own, so that its memory can be measured, which reads or
writes much: ``python -m tests.interop.slow_peer URL ROLE OPTIONS``.

ROLE is one of :data:`ROLES`, OPTIONS are JSON.  Commands, see :mod:`tests.kit.commands`:
``look``, and ``go`` where the role has that; their result is its state.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater

from tests.kit.commands import Commands
from tests.kit.resources import peak
from txtokensock import TokenSocket
from txtokensock.errors import QueueFull

CHANNEL = "channel1"


Say = Callable[[str], None]


class Role:
    """
    :param socket: not started yet.
    :param options: of the command line.
    :param say: tells the parent of an event.
    """

    def __init__(self, socket: TokenSocket, options: dict[str, Any], say: Say) -> None:
        self.socket = socket
        self.options = options
        self.say = say
        self.losses: list[str] = []
        socket.on("disconnect", lambda error: self.losses.append(str(error)))

    async def begin(self) -> None:
        """There is a connection."""

    def state(self) -> dict[str, Any]:
        """What there is to tell."""
        return {}

    def look(self) -> None:
        """Nothing is done."""

    def go(self) -> None:
        """Nothing more is done."""


class Reader(Role):
    """
    Reads messages ``{"n": number}``: nothing is done with the first of them before
    :meth:`go`.  With "loop" in the options it iterates.
    """

    def __init__(self, socket: TokenSocket, options: dict[str, Any], say: Say) -> None:
        super().__init__(socket, options, say)
        self.numbers: list[int] = []
        self.waiting: list[Deferred[None]] = []
        self.slow = True

    async def begin(self) -> None:
        loop = self.options.pop("loop", False)
        self.subscription = await self.socket.subscribe(
            CHANNEL, None if loop else self.received, **self.options
        )
        if loop:
            self.iterating = ensureDeferred(self.iterate())

    async def iterate(self) -> None:
        async for message in self.subscription:
            await self.received(message)

    def received(self, message: Any) -> Deferred[None]:
        self.numbers.append(message["n"])
        if message.get("last"):
            self.say("last")
        if self.slow:
            self.waiting.append(Deferred())
            return self.waiting[-1]
        return deferLater(reactor, 0, lambda: None)

    def go(self) -> None:
        """Be done with what was begun, and from now on with all in the next turn."""
        self.slow = False
        waiting, self.waiting = self.waiting, []
        for one in waiting:
            one.callback(None)

    def state(self) -> dict[str, Any]:
        return {
            "begun": len(self.numbers),
            "first": self.numbers[0] if self.numbers else None,
            "newest": self.numbers[-1] if self.numbers else None,
            "in_order": self.numbers == sorted(set(self.numbers)),
            "dropped": self.subscription.dropped,
            "losses": self.losses,
        }


class Writer(Role):
    """
    Publishes "count" messages of "size" bytes after :meth:`go`; waits for each, unless
    "careless" is in the options.
    """

    def __init__(self, socket: TokenSocket, options: dict[str, Any], say: Say) -> None:
        super().__init__(socket, options, say)
        self.sent = 0
        self.refused = 0

    def go(self) -> None:
        """Begin."""
        self.publishing = ensureDeferred(self.publish())

    async def publish(self) -> None:
        for number in range(self.options["count"]):
            publishing = self.socket.publish(
                CHANNEL, {"n": number, "text": "x" * self.options["size"]}
            )
            publishing.addCallback(self.one_sent)
            if self.options.get("careless"):
                publishing.addErrback(self.one_refused)
                if number % 50 == 0:
                    await deferLater(reactor, 0)
            else:
                await publishing
        self.say("asked")

    def one_sent(self, _: None) -> None:
        self.sent += 1

    def one_refused(self, failure: Any) -> None:
        failure.trap(QueueFull)
        self.refused += 1

    def state(self) -> dict[str, Any]:
        return {"sent": self.sent, "refused": self.refused, "losses": self.losses}


class Callee(Role):
    """Has an action "long", whose answers are of "size" bytes."""

    def __init__(self, socket: TokenSocket, options: dict[str, Any], say: Say) -> None:
        super().__init__(socket, options, say)
        self.called = 0
        socket.register({"long": self.long})

    async def begin(self) -> None:
        await self.socket.subscribe(CHANNEL)  # so that the server knows us by a request

    def long(self, data: Any) -> Any:
        self.called += 1
        return {"n": data, "text": "x" * self.options["size"]}

    def state(self) -> dict[str, Any]:
        return {"called": self.called, "losses": self.losses}


ROLES = {"reader": Reader, "writer": Writer, "callee": Callee}


def main(url: str, role: str, options: str) -> None:
    """The process."""
    settings = json.loads(options)
    socket = TokenSocket(url, reactor=reactor, **settings.pop("socket", {}))
    commands = Commands({"look": lambda: play("look"), "go": lambda: play("go")})
    player = ROLES[role](socket, settings, commands.say)

    def play(what: str) -> dict[str, Any]:
        getattr(player, what)()
        return {**player.state(), "peak": peak()}

    async def start() -> None:
        socket.startService()
        await socket.when_ready(fail_after=1)
        await player.begin()
        commands.say("ready", peak=peak())

    commands.run(start)


if __name__ == "__main__":
    main(*sys.argv[1:])
