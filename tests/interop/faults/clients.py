"""
Peers in a child process, and clients of them on the global reactor.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from tests.interop.support import within
from tests.kit.processes import Program
from txtokensock import Backoff, Timeouts, TokenSocket

__all__ = ["SECONDS", "PeerClient", "Peers"]

SECONDS = 0.5
"""
For each step of connecting; calls and silence take longer.  Twisted takes 0.3 seconds until
it tells that a connection was refused, lest the host have another address.
"""


class Peers(Program):
    """The program of peers, one for each transport."""

    name = "tests.interop.faults.process"
    directory = Path(__file__).parents[3]

    def __init__(self) -> None:
        super().__init__()
        self._ids = itertools.count(1)

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.interop.faults.process"]

    def is_ready(self, line: str) -> bool:
        return '"event":"ready"' in line

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        ports: list[int] = self.seen("ready")[0]["ports"]
        return ports

    async def tell(self, do: str, **fields: Any) -> Any:
        """
        Have all of them do that.

        :return: what each saw, where it was asked that.
        """
        number = next(self._ids)
        self._process.write(json.dumps({"id": number, "do": do, **fields}).encode() + b"\n")
        await self.event("done", id=number)
        return self.seen("done", id=number)[0]["seen"]


class PeerClient:
    """
    A client of one peer, and what it handed out.

    :ivar failures: the errors of its attempts so far.
    :ivar losses: of its connections.
    """

    def __init__(self, port: int, transport: str) -> None:
        self.transport = transport
        self.failures: list[Any] = []
        self.losses: list[Any] = []
        self.heard: list[Any] = []
        self.handed: list[tuple[str, list[Any]]] = []
        self.client = TokenSocket(
            f"http://127.0.0.1:{port}",
            transports=[transport],
            reactor=reactor,
            backoff=Backoff(first=0.02, cap=0.1, refused=0.1, jitter=lambda: 1.0),
            timeouts=Timeouts(**dict.fromkeys(Timeouts.__slots__, SECONDS)),
            call_timeout=4 * SECONDS,
            silence_timeout=2 * SECONDS,
            ping_timeout=SECONDS,
            max_message_size=50_000,
            actions={"ask": lambda data: data},
        )
        for event in ("ready", "reconnect"):
            self.client.on(event, lambda error: error and self.failures.append(error))
        self.client.on("disconnect", self.losses.append)

    def __repr__(self) -> str:
        return f"<a client over {self.transport}>"

    def hand(self, what: str, deferred: Deferred[Any]) -> Deferred[Any]:
        """
        Note that it fired.

        :return: fires with the outcome, an exception where it is one.
        """
        outcomes: list[Any] = []
        self.handed.append((what, outcomes))

        def fired(outcome: Any) -> Any:
            outcomes.append(outcome.value if isinstance(outcome, Failure) else outcome)
            return outcomes[-1]

        return deferred.addBoth(fired)

    def ask(self) -> Deferred[Any]:
        """A call, answered or not."""
        return self.hand("echo", self.client.rpc("echo", 1))

    async def until(self, condition: Callable[[], object], what: str) -> None:
        """Wait for it, ten seconds at most."""
        for _ in range(500):
            if condition():
                return
            await deferLater(reactor, 0.02)
        raise AssertionError(f"no {what}: {self.failures} {self.losses} {self.handed}")

    async def works(self) -> None:
        """It is connected, or will be: then a call is answered, and its channel delivers."""
        await within(self.client.when_ready())
        self.heard.clear()
        answer = await self.hand("echo", self.client.rpc("echo", 1))
        assert answer == 1, answer
        await self.hand("publish", self.client.publish("c", "works"))
        await self.until(lambda: "works" in self.heard, "message")
