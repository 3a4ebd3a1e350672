"""
A client of ours in a process of its own, so that its memory can be measured, which reads or
writes much: ``python -m tests.interop.slow_peer URL ROLE OPTIONS``.

ROLE is one of :data:`ROLES`, OPTIONS are JSON.  Each line on stdin is the name of a method
of the role's; then its state is printed, as ``{"event":"state",...}``.  It ends when stdin
does, so that it cannot outlive the tests.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.stdio import StandardIO
from twisted.internet.task import deferLater
from twisted.protocols.basic import LineOnlyReceiver

from txtokensock import TokenSocket
from txtokensock.errors import QueueFull

CHANNEL = "channel1"


class Role:
    """
    :param socket: not started yet.
    :param options: of the command line.
    """

    def __init__(self, socket: TokenSocket, options: dict[str, Any]) -> None:
        self.socket = socket
        self.options = options
        self.losses: list[str] = []
        socket.on("disconnect", lambda error: self.losses.append(str(error)))

    async def begin(self) -> None:
        """There is a connection."""

    def state(self) -> dict[str, Any]:
        """What there is to tell."""
        return {}

    def look(self) -> None:
        """Only tell the state."""


class Reader(Role):
    """
    Reads messages ``{"n": number}``: nothing is done with the first of them before
    :meth:`go`.  With "loop" in the options it iterates.
    """

    def __init__(self, socket: TokenSocket, options: dict[str, Any]) -> None:
        super().__init__(socket, options)
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
            say("last")
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

    def __init__(self, socket: TokenSocket, options: dict[str, Any]) -> None:
        super().__init__(socket, options)
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
        say("asked")

    def one_sent(self, _: None) -> None:
        self.sent += 1

    def one_refused(self, failure: Any) -> None:
        failure.trap(QueueFull)
        self.refused += 1

    def state(self) -> dict[str, Any]:
        return {"sent": self.sent, "refused": self.refused, "losses": self.losses}


class Callee(Role):
    """Has an action "long", whose answers are of "size" bytes."""

    def __init__(self, socket: TokenSocket, options: dict[str, Any]) -> None:
        super().__init__(socket, options)
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


class Commands(LineOnlyReceiver):
    """What stdin says."""

    delimiter = b"\n"

    def __init__(self, role: Role) -> None:
        self.role = role

    def lineReceived(self, line: bytes) -> None:
        getattr(self.role, line.decode())()
        say("state", **self.role.state(), peak=peak())

    def connectionLost(self, reason: Any = None) -> None:
        reactor.stop()


def peak() -> int:
    """The most kilobytes that this process ever had in memory."""
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])


def say(event: str, **fields: Any) -> None:
    """One line for the test."""
    print(json.dumps({"event": event, **fields}, separators=(",", ":")), flush=True)


async def main(url: str, role: str, options: str) -> None:
    settings = json.loads(options)
    socket = TokenSocket(url, reactor=reactor, **settings.pop("socket", {}))
    player = ROLES[role](socket, settings)
    socket.startService()
    await socket.when_ready(fail_after=1)
    await player.begin()
    StandardIO(Commands(player))
    say("ready", peak=peak())


if __name__ == "__main__":
    ensureDeferred(main(*sys.argv[1:])).addErrback(
        lambda failure: (failure.printTraceback(), reactor.stop())
    )
    reactor.run()
