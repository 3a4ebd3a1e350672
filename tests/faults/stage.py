"""
A client in memory, the peer that it has to do with, and everything that was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.common import BACKOFF
from txtokensock import TokenSocket
from txtokensock.errors import ClientClosed
from txtokensock.testing.host import MemoryHost

from .nonsense_frames import TOO_LARGE
from .peer import Peer

__all__ = ["REST", "Handed", "Stage"]

REST = 65.0
"""Seconds after which a deadline of a call, or of an idle connection, has passed."""


class Handed:
    """
    A Deferred that a client handed out.

    :ivar fired: how often it did.
    :ivar outcome: a result, or an exception.
    :ivar at: when.
    """

    def __init__(self, what: str, deferred: Deferred[Any], stage: Stage) -> None:
        self.what = what
        self.since = stage.now
        self.fired = 0
        self.outcome: Any = None
        self.at: float | None = None

        def fired(outcome: Any) -> None:
            self.fired += 1
            self.outcome = outcome.value if isinstance(outcome, Failure) else outcome
            self.at = stage.now

        deferred.addBoth(fired)

    def __repr__(self) -> str:
        took = "" if self.at is None else f" after {self.at - self.since:g} s"
        return f"<{self.what}: fired {self.fired} times{took}: {self.outcome!r}>"


class Stage:
    """
    :param transport: of the client.
    :ivar client: it, not started yet.
    :ivar handed: every Deferred that it handed out, and that was asked for here.
    :ivar events: (seconds, event, arguments) so far; ``attempt`` for the beginning of one.
    :ivar heard: what the subscription to "c" delivered.
    :ivar running: actions that did not return yet.
    :ivar gave_up: whether the client makes no more attempts, though nobody stopped it.
    """

    def __init__(self, transport: str, **options: Any) -> None:
        self.transport = transport
        self.clock = Clock()
        self.peer = Peer(self.clock)
        self.host = MemoryHost(self.peer, self.clock)
        self.network = self.host.network
        self.handed: list[Handed] = []
        self.events: list[tuple[float, str, Any]] = []
        self.heard: list[Any] = []
        self.running: list[Deferred[Any]] = []
        self.gave_up = False
        self._most_connections = 0
        self.client = self._client(**options)

    def _client(self, **options: Any) -> TokenSocket:
        options.setdefault("backoff", BACKOFF)
        options.setdefault("transports", (self.transport,))
        client = TokenSocket(
            "http://server.test",
            endpoint=self.network.endpoint(self._accepts),
            reactor=self.clock,
            authentication=self._attempt,
            actions={"ask": lambda data: data, "slow": self._slow, "never": self._slow},
            max_message_size=TOO_LARGE // 2,
            **options,
        )
        for event in ("ready", "reconnect", "disconnect", "error"):
            client.on(event, lambda error, event=event: self._note(event, error))
        return client

    def _accepts(self) -> bool | None:
        self._most_connections = max(self._most_connections, self.client_connections + 1)
        return self.peer.accepts()

    def _attempt(self) -> dict[str, Any]:
        self.peer.expecting = "token"
        self._note("attempt", None)
        return {"user": "ada"}

    def _slow(self, data: Any) -> Deferred[Any]:
        self.running.append(Deferred())
        return self.running[-1]

    def _note(self, event: str, argument: Any) -> None:
        if isinstance(argument, ClientClosed):
            self.gave_up = True
        self.events.append((self.now, event, argument))

    # -- time

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.seconds()

    def settle(self) -> None:
        """Let everything happen that can happen now."""
        self.host.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.host.advance(seconds)

    def until(self, condition: Callable[[], object], seconds: float) -> bool:
        """Let time pass until the condition holds; False where it does not by then."""
        end = self.now + seconds
        self.settle()
        while not condition():
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            if due > end:
                self.clock.rightNow = end
                return False
            self.clock.rightNow = max(due, self.now)
            self.settle()
        return True

    # -- what is asked of the client

    def hand(self, what: str, deferred: Deferred[Any]) -> Handed:
        """Note a Deferred that it handed out."""
        self.handed.append(Handed(what, deferred, self))
        return self.handed[-1]

    def rpc(self, name: str, **options: Any) -> Handed:
        """A call."""
        return self.hand(f"rpc {name}", self.client.rpc(name, [name], **options))

    def subscribe(self, channel: str) -> Handed:
        """A subscription."""
        return self.hand(f"subscribe {channel}", self.client.subscribe(channel, self.heard.append))

    def publish(self, channel: str = "c", data: Any = "published") -> Handed:
        """A publish."""
        return self.hand("publish", self.client.publish(channel, data))

    # -- what was seen

    def seen(self, *events: str, since: float = 0.0) -> list[tuple[float, str, Any]]:
        """These events, so far."""
        return [one for one in self.events if one[1] in events and one[0] >= since]

    @property
    def failures(self) -> list[tuple[float, Exception]]:
        """How long each attempt took that failed, and its error."""
        began, failed = 0.0, []
        for at, event, argument in self.events:
            if event == "attempt":
                began = at
            elif event in ("ready", "reconnect") and argument is not None:
                failed.append((at - began, argument))
        return failed

    @property
    def client_connections(self) -> int:
        """Connections that the client has not ended, nor lost."""
        return sum(
            client.connected and not client.disconnecting for client, _ in self.network.connections
        )

    @property
    def extra_connections(self) -> int:
        """How many more there were at one time, and tried to be, than the transport needs."""
        return self._most_connections - (1 if "websocket" in self.transport else 2)

    def rest(self) -> None:
        """
        Let every deadline pass, and forget what was noted: what is kept then is the
        client's.
        """
        self.peer.revive()
        self.advance(REST)
        # One that is kept for the next request goes soon, if it was not used just now.
        self.until(lambda: self.client_connections == 1, 10.0)
        for noted in (self.handed, self.events, self.heard, self.running):
            noted.clear()
        self.network.connections[:] = self.network.open
