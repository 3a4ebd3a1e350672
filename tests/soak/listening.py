"""
What a soaked client subscribes to, and what comes of it.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from txtokensock import Subscription, TokenSocket
from txtokensock.errors import TokenSocketError

from .ledger import Calls
from .order import Increasing, Iterated, Unbroken
from .verdict import Verdict

__all__ = ["OWN", "SHARED", "Listening"]

OWN = ".own"
"""Channels that end so are their users': the server publishes nothing on them."""

SHARED = "news"
"""What everybody listens to."""

_COMING_AND_GOING = 3
_AT_ONCE = 3
_BUFFER = 50


class Ear:
    """
    One subscription, from the call to its end.

    :param channel: what it is to.
    :param order: judges what it hears.
    :ivar subscription: once that is confirmed.
    """

    def __init__(self, channel: str, order: Increasing) -> None:
        self.channel = channel
        self.order = order
        self.subscription: Subscription | None = None
        self.probes: list[str] = []

    def hear(self, message: Any) -> None:
        """A message, of any of the kinds that there are here."""
        if "n" in message:
            self.order.hear(message["life"], message["n"])
        elif "own" in message:
            self.order.hear(0, message["own"])
        elif "probe" in message:
            self.probes.append(message["probe"])


class Listening:
    """
    The subscriptions of one client: some stay, some come and go.

    :param name: the client's.
    :ivar own: the channel that the client itself publishes on.
    :ivar ears: what is subscribed to now, or was just asked for.
    :ivar channels: all that there may be.
    :ivar iterations: loops over subscriptions that have not ended.
    """

    def __init__(
        self,
        name: str,
        socket: TokenSocket,
        calls: Calls,
        verdict: Verdict,
        chance: random.Random,
        clock: IReactorTime,
    ) -> None:
        self.own = f"{name}{OWN}"
        self.ears: list[Ear] = []
        self._fickle = [f"{name}.fickle.{number}" for number in range(_COMING_AND_GOING)]
        bounded = {"buffer_limit": _BUFFER}
        self._steady: dict[str, Callable[[str], None]] = {
            SHARED: lambda channel: self._handle(channel, Unbroken),
            self.own: lambda channel: self._handle(channel, Increasing),
            f"{name}.handler": lambda channel: self._handle(channel, Unbroken),
            f"{name}.slow": lambda channel: self._handle(channel, Iterated, slow=True, **bounded),
            f"{name}.iterated": lambda channel: self._iterate(channel, Iterated, **bounded),
            f"{name}.oldest": lambda channel: self._iterate(
                channel, Increasing, **bounded, overflow="drop-oldest"
            ),
        }
        self.channels = [*self._steady, *self._fickle]
        self.iterations = 0
        self.everything: Counter[str] = Counter()
        self._name = name
        self._socket = socket
        self._calls = calls
        self._verdict = verdict
        self._random = chance
        self._clock = clock
        self._heard = 0
        socket.on("message", self._any_message)

    @property
    def heard(self) -> int:
        """Messages so far, of all subscriptions."""
        return self._heard + sum(ear.order.heard for ear in self.ears)

    # -- what to do

    def keep(self) -> None:
        """Subscribe to what stays subscribed, at first and where it was ended."""
        there = {ear.channel for ear in self.ears}
        for channel, subscribe in self._steady.items():
            if channel not in there:
                subscribe(channel)

    def change(self) -> None:
        """Subscribe to something, or end a subscription."""
        channel = self._random.choice(self._fickle)
        there = [ear for ear in self.ears if ear.channel == channel]
        what = self._random.random()
        if what < 0.5 and len(there) < _AT_ONCE:
            self._handle(channel, Unbroken)
        elif what < 0.75:
            for ear in there:
                self._forget(ear)
            self._calls.watch("unsubscribe", self._socket.unsubscribe(channel))
        elif there:
            ear = self._random.choice(there)
            if ear.subscription is not None:
                self._forget(ear)
                ending = ear.subscription.unsubscribe()
                self._calls.watch("end a subscription", ending)

    def connected(self) -> None:
        """There is a new connection."""
        for ear in self.ears:
            ear.order.connected()

    def forget_ended(self) -> None:
        """Something may have ended subscriptions without asking us."""
        for ear in self.ears[:]:
            if ear.subscription is not None and not ear.subscription.active:
                self._forget(ear)

    # -- what must be

    def compare(self) -> None:
        """The client must be subscribed to what was asked for."""
        wanted = {ear.channel for ear in self.ears}
        found = self._socket.channels()
        if sorted(wanted) != sorted(found):
            self._verdict.against(
                "subscriptions are not as asked", f"{self._name}: {found} instead of {wanted}"
            )
        for ear in self.ears:
            if ear.subscription is None or not ear.subscription.active:
                self._verdict.against("a subscription is dead", f"{self._name}: {ear.channel}")
            elif ear.subscription.dropped and type(ear.order) is not Increasing:
                self._verdict.against(
                    "messages were dropped where the socket should pause",
                    f"{self._name}: {ear.subscription.dropped} on {ear.channel}",
                )

    async def probe(self, probe: str) -> None:
        """A message on every channel must be heard by every subscription, once."""
        self.everything.clear()
        await self._socket.rpc("probe", {"channels": self.channels, "probe": probe})
        for _ in range(100):  # those who iterate may be busy
            if all(probe in ear.probes for ear in self.ears):
                break
            await deferLater(self._clock, 0.2)
        for ear in self.ears:
            if ear.probes.count(probe) != 1:
                self._verdict.against(
                    "a subscription does not hear its channel once",
                    f"{self._name}: {ear.channel} {ear.probes.count(probe)} times",
                )
            ear.probes.clear()
        expected = {ear.channel: 1 for ear in self.ears}
        heard = {
            key.partition(" ")[2]: count
            for key, count in self.everything.items()
            if key.startswith(f"{probe} ")
        }
        if heard != expected:
            self._verdict.against(
                "other channels are heard than asked for", f"{self._name}: {heard}, {expected}"
            )

    # -- details

    def _any_message(self, channel: str, message: Any) -> None:
        if "probe" in message:
            self.everything[f"{message['probe']} {channel}"] += 1

    def _handle(
        self, channel: str, kind: type[Increasing], slow: bool = False, **options: Any
    ) -> None:
        ear = self._ear(channel, kind)

        def handler(message: Any) -> Any:
            ear.hear(message)
            return self._dawdle() if slow else None

        self._watch(ear, self._socket.subscribe(channel, handler, **options))

    def _iterate(self, channel: str, kind: type[Increasing], **options: Any) -> None:
        ear = self._ear(channel, kind)

        async def iterate(subscription: Subscription) -> None:
            async for message in subscription:
                ear.hear(message)
                await self._dawdle()

        def confirmed(subscription: Subscription) -> Subscription:
            self.iterations += 1
            Deferred.fromCoroutine(iterate(subscription)).addBoth(self._iterated)
            return subscription

        subscribing = self._socket.subscribe(channel, **options)
        self._watch(ear, subscribing.addCallback(confirmed))

    def _iterated(self, result: Any) -> None:
        self.iterations -= 1
        problem = getattr(result, "value", None)
        if problem is not None and not isinstance(problem, TokenSocketError):
            self._verdict.against("an iteration failed as it must not", repr(problem))

    def _ear(self, channel: str, kind: type[Increasing]) -> Ear:
        ear = Ear(channel, kind(f"{self._name} on {channel}", self._verdict))
        self.ears.append(ear)
        return ear

    def _dawdle(self) -> Deferred[None]:
        """Now and then a reader takes so long that the socket must be paused."""
        seconds = self._random.uniform(0.1, 4.0) if self._random.random() < 0.002 else 0.0
        return deferLater(self._clock, seconds)

    def _watch(self, ear: Ear, subscribing: Deferred[Subscription]) -> None:
        def confirmed(subscription: Subscription) -> Subscription:
            ear.subscription = subscription
            ear.order.confirmed()
            return subscription

        def failed(failure: Any) -> Any:
            self._forget(ear)
            return failure

        subscribing.addCallbacks(confirmed, failed)
        self._calls.watch(f"subscribe to {ear.channel}", subscribing, may_fail=(CancelledError,))

    def _forget(self, ear: Ear) -> None:
        if ear in self.ears:
            self.ears.remove(ear)
            self._heard += ear.order.heard
