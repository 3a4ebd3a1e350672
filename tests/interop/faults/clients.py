"""
Peers in a child process, and clients of them on the global reactor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from tests.interop.support import until, within
from tests.kit.processes import CommandedProgram
from txtokensock import Backoff, Timeouts, TokenSocket

__all__ = ["SECONDS", "PeerClient", "Peers"]

SECONDS = 0.5
"""
For each step of connecting; calls and silence take longer.  Twisted takes 0.3 seconds until
it tells that a connection was refused, lest the host have another address.
"""


class Peers(CommandedProgram):
    """The program of peers, one for each transport."""

    def __init__(self) -> None:
        super().__init__("tests.interop.faults.process")

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        ports: list[int] = self.seen("ready")[0]["ports"]
        return ports


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
        await until(
            condition, lambda: f"{what}: {self.failures} {self.losses} {self.handed}", 10.0
        )

    async def works(self) -> None:
        """It is connected, or will be: then a call is answered, and its channel delivers."""
        await within(self.client.when_ready())
        self.heard.clear()
        answer = await self.hand("echo", self.client.rpc("echo", 1))
        assert answer == 1, answer
        await self.hand("publish", self.client.publish("c", "works"))
        await self.until(lambda: "works" in self.heard, "message")
