"""
Subscriptions: handlers, iteration, and what a slow reader does to the connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from txtokensock import Subscription
from txtokensock.errors import Forbidden, SubscriptionEnded

from ..common import Calls
from .support import SubscriptionTestCase, take


class HandlerTests(SubscriptionTestCase):
    """A handler for each subscription, and listeners for all."""

    def test_handlers_and_listeners(self) -> None:
        """Each handler hears its channel, ``message`` listeners hear all, in order."""
        one, two, both = Calls(), Calls(), Calls()
        self.socket.onmessage(both)
        self.subscribed("one", one)
        self.subscribed("two", two)
        self.publish(1, channel="one")
        self.publish(None, channel="two")
        self.publish({"a": []}, channel="one")
        self.assertEqual(one, [1, {"a": []}])
        self.assertEqual(two, [None])
        self.assertEqual(both, [("one", 1), ("two", None), ("one", {"a": []})])

    def test_messages_of_other_channels(self) -> None:
        """Servers may subscribe us by themselves, to the empty channel too."""
        heard = Calls()
        self.socket.onmessage(heard)
        self.publish(1, channel="")
        self.publish(2, channel="unasked")
        self.assertEqual(heard, [("", 1), ("unasked", 2)])

    def test_messages_of_one_frame(self) -> None:
        """Messages that share a frame come one by one."""
        heard = Calls()
        self.subscribed("c", heard)
        self.session.send(*({"channel": "c", "message": number} for number in range(3)))
        self.settle()
        self.assertEqual(heard, [0, 1, 2])

    def test_handler_that_raises(self) -> None:
        """It is logged, and the connection lives."""
        heard = Calls()

        def broken(_: object) -> None:
            raise RuntimeError("handler")

        async def broken_too(_: object) -> None:
            raise RuntimeError("coroutine")

        for handler in (broken, broken_too, heard):
            subscribing = self.socket.subscribe("c", handler)
            self.settle()
            self.session.subscribed("c")
            self.settle()
            self.successResultOf(subscribing)
        self.publish(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(heard, [1])
        self.assertTrue(self.socket.connected)

    def test_unsubscribe_in_the_handler(self) -> None:
        """A handler may end its own subscription: it hears no more, others do."""
        subscriptions: list[Subscription] = []
        first, second = Calls(), Calls()

        def once(message: Any) -> None:
            first(message)
            subscriptions[0].unsubscribe()

        subscriptions.append(self.subscribed("c", once))
        self.successResultOf(self.socket.subscribe("c", second))
        self.publish(1, 2)
        self.assertEqual((first, second), ([1], [1, 2]))

    def test_repr(self) -> None:
        """It names the channel, and says when it has ended."""
        subscription = self.subscribed()
        self.assertEqual(repr(subscription), "<Subscription to 'c'>")
        subscription.unsubscribe()
        self.assertEqual(repr(subscription), "<Subscription to 'c' (ended)>")


class IterationTests(SubscriptionTestCase):
    """``async for``."""

    def test_waits_and_takes(self) -> None:
        """It takes what waits, and waits for more."""
        subscription = self.subscribed()
        self.publish(1, 2)
        taking = Deferred.fromCoroutine(take(aiter(subscription), 3))
        self.pending(taking)
        self.publish(3)
        self.assertEqual(self.successResultOf(taking), [1, 2, 3])

    def collecting(self, subscription: Subscription) -> tuple[list[Any], Deferred[None]]:
        """A loop that runs until the subscription ends."""
        taken: list[Any] = []

        async def collect() -> None:
            async for message in subscription:
                taken.append(message)

        return taken, Deferred.fromCoroutine(collect())

    def test_ends(self) -> None:
        """unsubscribe() ends the loop; what had come is taken before."""
        subscription = self.subscribed()
        self.publish(1)
        subscription.unsubscribe()
        self.publish(2)
        taken, done = self.collecting(subscription)
        self.successResultOf(done)
        self.assertEqual(taken, [1])

    def test_ends_while_waiting(self) -> None:
        """Also a loop that waits, and by end()."""
        for stop in (Subscription.unsubscribe, lambda _: self.socket.end()):
            taken, done = self.collecting(self.subscribed())
            self.publish(1)
            self.pending(done)
            subscription = self.socket._core.channels.subscriptions("c")[0]
            stop(subscription)
            self.successResultOf(done)
            self.assertEqual(taken, [1])
            self.session.unsubscribed("c")
            self.settle()

    def test_raises_what_ended_it(self) -> None:
        """Where the server ended it, the loop raises: it does not just stop."""
        _, done = self.collecting(self.subscribed())
        self.session.unsubscribed("c")
        self.settle()
        self.failure(done, SubscriptionEnded)

    def test_raises_a_refusal_on_reconnect(self) -> None:
        """So does a refusal on the next connection."""
        _, done = self.collecting(self.subscribed())
        self.session.drop()
        self.advance(0.1)
        self.session.refuse(self.session.received[0])
        self.settle()
        self.failure(done, Forbidden)

    def test_outlives_connections(self) -> None:
        """A loop goes on with the next connection."""
        subscription = self.subscribed()
        taking = Deferred.fromCoroutine(take(aiter(subscription), 2))
        self.publish(1)
        self.session.drop()
        self.advance(0.1)
        self.session.subscribed("c")
        self.publish(2)
        self.assertEqual(self.successResultOf(taking), [1, 2])

    def test_cancelled(self) -> None:
        """A loop that is cancelled loses no message for the next one."""
        subscription = self.subscribed()
        taking = Deferred.fromCoroutine(take(aiter(subscription), 1))
        taking.cancel()
        self.failure(taking, CancelledError)
        self.publish(1)
        again = Deferred.fromCoroutine(take(aiter(subscription), 1))
        self.assertEqual(self.successResultOf(again), [1])

    def test_two_loops_share(self) -> None:
        """Two loops over one subscription share its messages."""
        subscription = self.subscribed()
        loops = [Deferred.fromCoroutine(take(aiter(subscription), 1)) for _ in range(2)]
        self.publish(1, 2)
        self.assertEqual([self.successResultOf(loop) for loop in loops], [[1], [2]])
