"""
What a subscription does with more messages than may wait.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock import Subscription
from txtokensock.errors import InvalidOption

from .support import SubscriptionTestCase, take


class OverflowTestCase(SubscriptionTestCase):
    """Subscribes with options."""

    def subscribed_with(self, handler: Any = None, **options: Any) -> Subscription:
        """A confirmed subscription to the channel "c"."""
        subscribing = self.socket.subscribe("c", handler, **options)
        self.settle()
        self.session.subscribed("c")
        self.settle()
        return self.successResultOf(subscribing)

    def taken(self, subscription: Subscription, number: int) -> list[Any]:
        """What a loop takes, and it is there."""
        taking = Deferred.fromCoroutine(take(aiter(subscription), number))
        self.settle()
        return self.successResultOf(taking)


class LoopTests(OverflowTestCase):
    """A loop that takes nothing, beside a buffer of four."""

    def overflow(self, policy: Any) -> Subscription:
        """Ten messages, in a frame each, while a loop is there."""
        subscription = self.subscribed_with(overflow=policy)
        iterator = aiter(subscription)
        self.publish(*range(10))
        self.assertEqual(self.reading, policy != "pause")
        del iterator
        self.settle()
        return subscription

    def test_drop_oldest(self) -> None:
        """The last four are there, six were dropped, and the socket is read."""
        subscription = self.overflow("drop-oldest")
        self.assertEqual(subscription.dropped, 6)
        self.assertEqual(self.taken(subscription, 4), [6, 7, 8, 9])

    def test_drop_newest(self) -> None:
        """The first four are there; after they are taken there is room again."""
        subscription = self.overflow("drop-newest")
        self.assertEqual(subscription.dropped, 6)
        self.assertEqual(self.taken(subscription, 2), [0, 1])
        self.publish(10, 11, 12)
        self.assertEqual(subscription.dropped, 7)
        self.assertEqual(self.taken(subscription, 4), [2, 3, 10, 11])

    def test_pause(self) -> None:
        """The default; when the loop is gone, the oldest make room."""
        subscription = self.overflow("pause")
        self.assertEqual(subscription.dropped, 6)
        self.assertEqual(self.taken(subscription, 4), [6, 7, 8, 9])

    def test_a_loop_that_begins_behind(self) -> None:
        """While there is a loop nothing is dropped, also where the buffer was full before."""
        subscription = self.subscribed_with()
        self.publish(*range(4))
        self.assertTrue(self.reading)
        iterator = aiter(subscription)
        self.publish(*range(4, 8))
        self.assertFalse(self.reading)
        taking = Deferred.fromCoroutine(take(iterator, 8))
        self.settle()
        self.assertEqual(self.successResultOf(taking), list(range(8)))
        self.assertEqual(subscription.dropped, 0)

    def test_a_limit_of_its_own(self) -> None:
        """``buffer_limit`` goes before the client's."""
        subscription = self.subscribed_with(overflow="drop-oldest", buffer_limit=1)
        self.publish(*range(10))
        self.assertEqual(subscription.dropped, 9)
        self.assertEqual(self.taken(subscription, 1), [9])


class HandlerTests(OverflowTestCase):
    """A handler that is never done, beside a buffer of four."""

    def overflow(self, policy: Any) -> tuple[Subscription, list[Any], list[Deferred[None]]]:
        """Ten messages while the first two run: the subscription, what it has had, what runs."""
        heard: list[Any] = []
        begun: list[Deferred[None]] = []

        def handler(message: Any) -> Deferred[None]:
            heard.append(message)
            begun.append(Deferred())
            return begun[-1]

        subscription = self.subscribed_with(handler, overflow=policy, buffer_limit=2)
        self.publish(*range(10))
        self.assertEqual(heard, [0, 1])
        self.assertTrue(self.reading)
        self.assertEqual(subscription.dropped, 6)
        while begun:
            begun.pop(0).callback(None)
        return subscription, heard, begun

    def test_drop_oldest(self) -> None:
        """The two newest wait."""
        _, heard, begun = self.overflow("drop-oldest")
        self.assertEqual(heard, [0, 1, 8, 9])
        self.publish(10)
        self.assertEqual(heard[-1], 10)
        begun[0].callback(None)

    def test_drop_newest(self) -> None:
        """The two oldest wait."""
        _, heard, _ = self.overflow("drop-newest")
        self.assertEqual(heard, [0, 1, 2, 3])

    def test_others_do_not_suffer(self) -> None:
        """Each subscription to a channel has its own buffer, and its own policy."""
        slow = self.subscribed_with(overflow="drop-newest", buffer_limit=1)
        heard: list[Any] = []
        self.successResultOf(self.socket.subscribe("c", heard.append))
        self.publish(*range(10))
        self.assertEqual((slow.dropped, heard), (9, list(range(10))))


class OptionTests(OverflowTestCase):
    """What cannot be."""

    def test_invalid(self) -> None:
        """Each mistake is one error that names the option, and nothing is sent."""
        before = len(self.session.received)
        options: list[tuple[str, Any]] = [
            *(("overflow", value) for value in ("drop", "", None, 1, ["pause"])),
            *(("buffer_limit", value) for value in (0, -1, True, "1", 1.5)),
        ]
        for name, value in options:
            failed = self.socket.subscribe("c", **{name: value})
            self.assertIn(name, str(self.failure(failed, InvalidOption)))
        self.settle()
        self.assertEqual(len(self.session.received), before)
