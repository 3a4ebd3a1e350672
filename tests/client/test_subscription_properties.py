"""
Whatever a handler does with its messages, and a server with subscriptions, and in whatever
order: what must hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Backoff, Gap, Subscription
from txtokensock.client.channels import Channels
from txtokensock.client.flow import Overflow
from txtokensock.client.request import uuid_source
from txtokensock.client.request_queue import RequestQueue
from txtokensock.client.retries import subscription_retry
from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    Forbidden,
    RemoteError,
    SubscriptionEnded,
)
from txtokensock.jsontext import loads
from txtokensock.messages.from_server import Answer, Subscribed, Unsubscribed

from ..common import Calls

KINDS = st.sampled_from(["at once", "fired", "later", "later", "later"])
"""What the handler returns for a message."""

STEPS = st.one_of(st.just("message"), st.integers(0, 10))
"""A message comes in, or one of those that run is done."""


class Network:
    """Messages that come in, and wait as long as anyone holds, as in a transport."""

    def __init__(self) -> None:
        self.subscription: Subscription
        self._waiting: deque[int] = deque()
        self._holders: set[object] = set()
        self._delivering = False
        self.sent = 0

    def send(self) -> None:
        """One more message comes in."""
        self._waiting.append(self.sent)
        self.sent += 1
        self._deliver()

    def _deliver(self) -> None:
        if self._delivering:
            return
        self._delivering = True
        while self._waiting and not self._holders:
            self.subscription.deliver(self._waiting.popleft())
        self._delivering = False

    # -- ReadFlow

    def hold(self, holder: object) -> None:
        self._holders.add(holder)

    def release(self, holder: object) -> None:
        self._holders.discard(holder)
        self._deliver()

    def in_turn(self, function: Callable[[], None]) -> None:
        function()


class HandlerPropertyTests(SynchronousTestCase):
    """A handler with so many calls at a time, and a buffer of that size."""

    def play(
        self, overflow: Overflow, limit: int, kinds: list[str], steps: list[Any]
    ) -> tuple[list[int], Subscription, Network]:
        """What it was called with."""
        network = Network()
        heard: list[int] = []
        running: list[Deferred[None]] = []
        inside = False

        def handler(message: int) -> Any:
            nonlocal inside
            self.assertFalse(inside, "called in the middle of itself")
            inside = True
            heard.append(message)
            kind = kinds[message % len(kinds)]
            result: Any = None
            if kind == "fired":
                result = succeed(None)
                if running:
                    running.pop().callback(None)  # done, by way of another's call
            elif kind == "later":
                running.append(result := Deferred())
                self.assertLessEqual(len(running), limit)
            inside = False
            return result

        subscription = Subscription(
            "c",
            handler,
            network,
            lambda _: succeed(None),
            overflow=overflow,
            buffer_limit=limit,
        )
        network.subscription = subscription
        for step in steps:
            if step == "message":
                network.send()
            elif running:
                running.pop(step % len(running)).callback(None)
        while running:
            running.pop().callback(None)
        return heard, subscription, network

    @given(
        limit=st.integers(1, 4),
        kinds=st.lists(KINDS, min_size=1, max_size=8),
        steps=st.lists(STEPS, max_size=60),
    )
    def test_pause(self, limit: int, kinds: list[str], steps: list[Any]) -> None:
        """Every message comes, once and in order."""
        heard, subscription, network = self.play("pause", limit, kinds, steps)
        self.assertEqual(heard, list(range(network.sent)))
        self.assertEqual(subscription.dropped, 0)

    @given(
        overflow=st.sampled_from(["drop-oldest", "drop-newest"]),
        limit=st.integers(1, 4),
        kinds=st.lists(KINDS, min_size=1, max_size=8),
        steps=st.lists(STEPS, max_size=60),
    )
    def test_drop(
        self, overflow: Overflow, limit: int, kinds: list[str], steps: list[Any]
    ) -> None:
        """Those that come are in order, and the others are counted."""
        heard, subscription, network = self.play(overflow, limit, kinds, steps)
        self.assertEqual(heard, sorted(set(heard)))
        self.assertEqual(len(heard) + subscription.dropped, network.sent)


BACKOFF = Backoff(first=1.0, cap=8.0, jitter=lambda: 1.0)
TIMEOUT = 20.0

EVENTS = st.sampled_from(
    [
        *("subscribe", "persist", "leave", "leave all"),
        *("confirm", "confirm", "confirm", "refuse", "refuse", "forbid", "end"),
        *("lose", "connect", "reconnect", "reconnect", "wait", "wait long"),
    ]
)
"""What the user, the server and the network do; the numbers choose one of several."""


class Subscriber:
    """
    One subscription, and all that its user hears of it.

    :ivar heard: the errors that the listener was called with, None for a confirmation.
    """

    def __init__(self, user: Client, channel: str, *, persistent: bool) -> None:
        self.persistent = persistent
        self.left = False
        self.heard: list[Exception | None] = []
        self.gaps = 0
        self.subscription = Subscription(
            channel,
            None,
            user.network,
            user.channels.drop,
            overflow="pause",
            buffer_limit=4,
            retry=BACKOFF.retry if persistent else subscription_retry(BACKOFF),
            persistent=persistent,
            on_confirmation=self._notice,
            on_gap=self._missed,
        )
        self.outcomes: list[Any] = []
        self.asked = user.channels.subscribe(self.subscription)
        self.asked.addBoth(self.outcomes.append)

    def _notice(self, subscription: Subscription, error: Exception | None) -> None:
        assert subscription.confirmed is (error is None)
        if error is None:
            assert not self.heard or self.heard[-1] is not None, "confirmed twice"
        self.heard.append(error)

    def _missed(self, subscription: Subscription, gap: Gap) -> None:
        self.gaps += 1
        assert gap.since <= gap.until
        assert self.gaps == self.heard.count(None) - 1, "each confirmation but the first"

    @property
    def may_have_ended(self) -> bool:
        """Whether the user, or what it heard last, is a reason for it to be over."""
        if self.left:
            return True
        if self.persistent or not self.heard:
            return False
        first = None not in self.heard
        final = (Forbidden, SubscriptionEnded, *((RemoteError, CallTimeout) if first else ()))
        return isinstance(self.heard[-1], final)


class Client:
    """Channels, with a server that does what the steps say, and remembers whom it serves."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.network = Network()
        self.errors = Calls()
        self.queue = RequestQueue(self.clock, 100, 1_000_000, self.errors)
        self.queue.reopen()
        self.channels = Channels(
            self.clock, self.queue, uuid_source(), TIMEOUT, self.errors, lambda gap: None
        )
        self.subscribers: list[Subscriber] = []
        self.writable = True
        self.acks = True
        self.limits = None
        self.reading = True
        self.delivering = False
        self._requests: list[Any] = []
        self.served: set[str] = set()
        self.connected = False

    def send(self, messages: list[bytes]) -> None:
        """The server gets these."""
        self._requests += [loads(message) for message in messages]

    def step(self, event: str, number: int) -> None:
        """Do one thing."""
        channel = "aab"[number % 3]
        if event in ("subscribe", "persist"):
            persistent = event == "persist"
            self.subscribers.append(Subscriber(self, channel, persistent=persistent))
        elif event == "leave" and self.subscribers:
            subscriber = self.subscribers[number % len(self.subscribers)]
            subscriber.left = True
            subscriber.subscription.unsubscribe().addErrback(lambda _: None)
        elif event == "leave all":
            for subscriber in self.subscribers:
                subscriber.left |= subscriber.subscription.channel == channel
            self.channels.unsubscribe(channel).addErrback(lambda _: None)
        elif event in ("confirm", "refuse", "forbid"):
            self._answer(event)
        elif event == "end" and channel in self.served:
            self.served.discard(channel)
            self.channels.ended(Unsubscribed(channel))
        if event in ("lose", "reconnect") and self.connected:
            self._lose()
        if event in ("connect", "reconnect") and not self.connected:
            self.connected = True
            self.channels.connected()
            self.queue.attach(self)
        self.clock.advance({"wait": 1.0, "wait long": TIMEOUT}.get(event, 0.0))

    def _answer(self, how: str) -> None:
        if not self._requests:
            return
        request = self._requests.pop(0)
        channel, subscribe = request["req"]["channel"], request["rpc"] == "_subscribe"
        if subscribe and how != "confirm":
            error = "Forbidden" if how == "forbid" else "not now"
            self.queue.answered(Answer(request["uuid"], error=error))
        elif subscribe:
            self.served.add(channel)
            self.channels.confirmed(Subscribed(channel))
        else:
            self.served.discard(channel)
            self.channels.ended(Unsubscribed(channel))

    def _lose(self) -> None:
        self.connected = False
        self._requests.clear()
        self.served.clear()
        tell = self.channels.disconnected(RuntimeError("lost"), self.clock.seconds())
        self.queue.detach(RuntimeError("lost"))
        tell()

    def recover(self) -> None:
        """The server is there from now on, and confirms whatever it is asked for."""
        self.step("connect", 0)
        for _ in range(40):
            self.step("wait", 0)
            while self._requests:
                self.step("confirm", 0)


class RetryPropertyTests(SynchronousTestCase):
    """A server that refuses for a while, forbids, is silent, or gone."""

    @given(steps=st.lists(st.tuples(EVENTS, st.integers(0, 5)), min_size=10, max_size=60))
    def test_model(self, steps: list[tuple[str, int]]) -> None:
        """
        A subscription says that it is confirmed only while the server serves it; it ends
        only with a reason; and it is confirmed in the end, once the server is well.
        """
        client = Client()
        client.step("connect", 0)
        for event, number in steps:
            client.step(event, number)
            for one in client.subscribers:
                subscription = one.subscription
                self.assertEqual(
                    subscription.confirmed, one.heard[-1:] == [None] and subscription.active
                )
                self.assertEqual(one.gaps, max(0, one.heard.count(None) - 1))
                if subscription.confirmed:
                    self.assertTrue(client.connected)
                    self.assertIn(subscription.channel, client.served)
                if not subscription.active:
                    self.assertTrue(one.may_have_ended or self.timed_out(one), one.heard)
        client.recover()
        for one in client.subscribers:
            self.assertEqual(one.subscription.confirmed, one.subscription.active)
        wanted = {
            one.subscription.channel for one in client.subscribers if one.subscription.active
        }
        self.assertEqual(client.served, wanted)
        self.assertEqual(set(client.channels.names()), wanted)
        client.channels.close(ClientClosed("over"), discard=True)()
        client.queue.close(ClientClosed("over"))()
        self.assertEqual(client.clock.getDelayedCalls(), [])
        for one in client.subscribers:
            self.assertEqual(len(one.outcomes), 1)

    def timed_out(self, one: Subscriber) -> bool:
        """Whether its Deferred had no more time, which is told to nobody else."""
        kinds = (CallTimeout, CancelledError)
        return not one.persistent and bool(one.outcomes) and one.outcomes[0].check(*kinds)
