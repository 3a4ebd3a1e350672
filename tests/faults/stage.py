"""
A client in memory, the peer that it has to do with, and everything that was seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from tests.common import BACKOFF
from tests.kit.truth import untruth
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

    :ivar key: of the request in the peer's record, or None where it is none.
    :ivar again: whether it may arrive more than once.
    :ivar fired: how often it did.
    :ivar outcome: a result, or an exception.
    :ivar at: when.
    """

    def __init__(
        self,
        what: str,
        deferred: Deferred[Any],
        stage: Stage,
        key: Hashable = None,
        *,
        again: bool = False,
    ) -> None:
        self.what = what
        self.key = key
        self.again = again
        self._record = stage.peer.record
        # What is asked for of a channel has no number, and may have been asked for before.
        self._before = 0 if isinstance(key, int) else self._record.taken[key]
        self.since = stage.now
        self.fired = 0
        self.outcome: Any = None
        self.at: float | None = None

        def fired(outcome: Any) -> None:
            self.fired += 1
            self.outcome = outcome.value if isinstance(outcome, Failure) else outcome
            self.at = stage.now
            self._until = self._record.taken[key]

        deferred.addBoth(fired)

    @property
    def untruth(self) -> str:
        """What the peer's record says against its outcome, or nothing."""
        taken, wasted = self._record.taken[self.key], self._record.wasted[self.key]
        if not isinstance(self.key, int):
            taken = self._until - (self._before if isinstance(self.outcome, Exception) else 0)
            wasted = 0
        return untruth(self.outcome, taken, wasted=wasted, again=self.again)

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
    :ivar answers: of actions, which the peer got.
    :ivar misbehaved: how often a function of the user's did what it is to do instead.
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
        self.answers: list[Any] = []
        self.misbehaved = 0
        self._hooks: Sequence[str] = ()
        self._instead: Callable[[Any], Any] = lambda _: None
        self._numbers = itertools.count(1)
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
            headers=self._attempt,
            authentication=lambda: self.function("authentication", {"user": "ada"}),
            actions={
                "ask": lambda data: self.function("ask", data),
                "slow": self._slow,
                "never": self._slow,
            },
            max_message_size=TOO_LARGE // 2,
            **options,
        )
        for event in ("ready", "reconnect", "disconnect", "error", "gap"):
            client.on(event, lambda argument, event=event: self.function(event))
            client.on(event, lambda argument, event=event: self._note(event, argument))
        client.on("message", lambda channel, data: self.function("message"))
        return client

    # -- functions of the user's

    def misbehave(self, hooks: Sequence[str], instead: Callable[[Any], Any] | None) -> None:
        """From now on these functions do that instead; None for what they should."""
        self._hooks = hooks if instead is not None else ()
        self._instead = instead or self._instead

    def function(self, hook: str, result: Any = None) -> Any:
        """What one of them does, and returns."""
        if hook not in self._hooks:
            return result
        self.misbehaved += 1
        return self._instead(result)

    def handler(self, data: Any) -> Any:
        """Of the subscription to "c"."""
        self.heard.append(data)
        return self.function("handler")

    def _accepts(self) -> bool | None:
        self._most_connections = max(self._most_connections, self.client_connections + 1)
        return self.peer.accepts()

    def _attempt(self) -> dict[str, Any]:
        self.peer.expecting = "token"
        self._note("attempt", None)
        return self.function("headers", {})  # type: ignore[no-any-return]

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

    def hand(
        self, what: str, deferred: Deferred[Any], key: Hashable = None, *, again: bool = False
    ) -> Handed:
        """Note a Deferred that it handed out."""
        self.handed.append(Handed(what, deferred, self, key, again=again))
        return self.handed[-1]

    def rpc(self, name: str, data: Any = None, *, idempotent: bool = False) -> Handed:
        """A call, which the peer answers with what is asked."""
        number = next(self._numbers)
        call = self.client.rpc(name, [data, number], idempotent=idempotent)
        return self.hand(f"rpc {name}", call, number, again=idempotent)

    def subscribe(self, channel: str, **options: Any) -> Handed:
        """A subscription."""
        subscribing = self.client.subscribe(channel, self.handler, **options)
        key = "_subscribe", channel
        return self.hand(f"subscribe {channel}", subscribing, key, again=True)

    def publish(self, channel: str = "c", data: Any = "published") -> Handed:
        """A publish."""
        number = next(self._numbers)
        return self.hand("publish", self.client.publish(channel, [data, number]), number)

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
        """Let every deadline pass."""
        self.peer.revive()
        self.advance(REST)
        # One that is kept for the next request goes soon, if it was not used just now.
        self.until(lambda: self.client_connections == 1, 10.0)

    def forget(self) -> None:
        """Forget what was noted: what is kept then is the client's."""
        for noted in (self.handed, self.events, self.heard, self.running, self.answers):
            noted.clear()
        self.network.connections[:] = self.network.open
