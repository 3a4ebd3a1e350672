"""
Whatever a handler does with its messages, and in whatever order: what must hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Subscription
from txtokensock.client.flow import Overflow

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

    # -- Flow

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
