"""
The soak's server as a process: answers, calls back, and publishes numbered messages.
"""

from __future__ import annotations

import argparse
import os
import random
from collections import Counter
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater

from txtokensock.errors import ActionError, RemoteError
from txtokensock.server import Limits, Peer, TokenSocketServer, query

from .child import Child
from .ledger import Calls
from .listening import OWN

TICK = 0.02
CALLS_BACK = 5.0
"""Calls a second to the clients."""


class Ran:
    """
    Which calls ran that must run once only, remembered past ``kill -9``.

    Each client numbers them, and they arrive in order: a number that is not above the last
    one has run before.

    :param directory: shared by all lives of the server.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: dict[str, int] = {}

    def first_time(self, client: str, number: int) -> bool:
        """Note that this call runs; False if it ran before."""
        handle = self._files.get(client)
        if handle is None:
            path = self._directory / f"{client}.ran"
            handle = self._files[client] = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        last = int(os.pread(handle, 20, 0) or b"0")
        os.pwrite(handle, b"%020d" % number, 0)
        return number > last


class SoakServer:
    """
    :param life: how many servers there have been, with this one.
    :param rate: messages a second, over all peers and channels.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.service = TokenSocketServer(
            query,
            actions={
                "echo": lambda data, peer: data,
                "slow": self._slow,
                "once": self._once,
                "fail": self._fail,
                "probe": self._probe,
            },
            limits=Limits(shutdown_timeout=3.0),
            reactor=reactor,
        )
        self.published = 0
        self.delivered = 0
        self._options = options
        self._rate = options.rate
        self._numbers: Counter[str] = Counter()
        self._ran = Ran(options.directory)
        self._random = random.Random(f"{options.seed}-server-{options.life}")
        self._due = 0.0
        self._seen = 0.0
        self._next_channel = 0
        self.child = Child({"rate": self.set_rate, "figures": self.figures})
        self.calls = Calls(self.child.verdict, reactor)

    def start(self) -> None:
        """Take clients."""
        self.service.startService()
        port = reactor.listenTCP(
            self._options.port, self.service.site(), interface="127.0.0.1", backlog=256
        )
        reactor.addSystemEventTrigger("before", "shutdown", port.stopListening)
        reactor.addSystemEventTrigger("before", "shutdown", self._stop)
        self._seen = reactor.seconds()
        for what, seconds in ((self._publish_due, TICK), (self._call_back, 1 / CALLS_BACK)):
            LoopingCall(what).start(seconds).addErrback(self.child.failed)
        self.child.say("ready")

    async def _stop_in_order(self) -> None:
        await self.service.stopService()
        self.calls.settle()
        self.figures()

    def _stop(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._stop_in_order())

    # -- commands

    def set_rate(self, rate: float) -> None:
        """Publish so many messages a second from now on; with 0, call nobody either."""
        self._rate = rate
        self._due = 0.0

    def figures(self) -> None:
        """Say what was done so far."""
        self.child.say(
            "figures",
            published=self.published,
            delivered=self.delivered,
            calls=self.calls.made,
            answered=self.calls.answered,
            failed=self.calls.failed,
            peers=len(self.service.peers()),
            warnings=self.child.warnings,
        )

    # -- what clients call

    def _slow(self, data: Any, peer: Peer) -> Deferred[Any]:
        return deferLater(reactor, data["seconds"], lambda: data)

    def _once(self, data: Any, peer: Peer) -> Any:
        if not self._ran.first_time(data["client"], data["number"]):
            self.child.verdict.against("a call ran twice that must not", repr(data))
        return data

    def _fail(self, data: Any, peer: Peer) -> Any:
        raise ActionError(data)

    async def _probe(self, data: Any, peer: Peer) -> Any:
        for channel in data["channels"]:
            await self.service.publish(channel, {"probe": data["probe"]})
        return data

    # -- what the server does by itself

    def _publish_due(self) -> None:
        now = reactor.seconds()
        # What was not published while the machine was busy, or we were stopped, is not made
        # up for.
        self._due += min(now - self._seen, 5 * TICK) * self._rate
        self._seen = now
        channels = [name for name in self.service.channels() if not name.endswith(OWN)]
        while channels and self._due >= 1:
            self._next_channel += 1
            channel = channels[self._next_channel % len(channels)]
            listeners = len(self.service.channel_peers(channel))
            self._publish(channel)
            self._due -= max(1, listeners)
            self.delivered += listeners

    def _publish(self, channel: str) -> None:
        self._numbers[channel] += 1
        self.published += 1
        message = {"life": self._options.life, "n": self._numbers[channel]}
        if self._random.random() < 0.002:
            message["text"] = "é" * self._random.randint(1, 20_000)
        self.service.publish(channel, message).addErrback(self.child.failed)

    def _call_back(self) -> None:
        peers = self.service.peers()
        if not peers or not self._rate:
            return
        peer = self._random.choice(peers)
        name = self._random.choice(["add", "later", "refuse"])
        data = [self._random.randint(0, 9), self._random.randint(0, 9)]
        self.calls.watch(
            f"{name} {data} of a client",
            peer.rpc(name, data, timeout=15.0),
            right=lambda answer: answer == sum(data),
            may_fail=(RemoteError,) if name == "refuse" else (),
        )


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    parser.add_argument("--life", type=int)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--seed")
    parser.add_argument("--directory", type=Path)
    server = SoakServer(parser.parse_args())
    server.child.run(server.start)


if __name__ == "__main__":
    main()
