"""
Subscriptions that are read more slowly than they are written to.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from .support import SubscriptionTestCase, take


class FlowTests(SubscriptionTestCase):
    """Readers that are slower than the server."""

    def test_slow_loop_stops_the_reading(self) -> None:
        """A full buffer stops the socket until half of it is taken; nothing is lost."""
        subscription = self.subscribed()
        iterator = aiter(subscription)
        self.publish(*range(10))
        self.assertFalse(self.reading)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(take(iterator, 1))), [0])
        self.assertFalse(self.reading)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(take(iterator, 1))), [1])
        self.settle()
        taking = Deferred.fromCoroutine(take(iterator, 8))
        self.settle()
        self.assertEqual(self.successResultOf(taking), list(range(2, 10)))
        self.assertTrue(self.reading)
        self.assertEqual(subscription.dropped, 0)

    def test_half_is_enough(self) -> None:
        """The socket is read again when half of the buffer is free, not when all is."""
        iterator = aiter(self.subscribed())
        self.publish(*range(4))
        self.assertFalse(self.reading)
        for still in (False, True):
            self.successResultOf(Deferred.fromCoroutine(take(iterator, 1)))
            self.settle()
            self.assertEqual(self.reading, still)

    def test_within_one_frame(self) -> None:
        """The stop takes hold in the middle of a frame, and the rest comes in order."""
        iterator = aiter(self.subscribed())
        self.session.send(*({"channel": "c", "message": number} for number in range(10)))
        self.settle()
        self.assertFalse(self.reading)
        taking = Deferred.fromCoroutine(take(iterator, 10))
        self.assertEqual(self.successResultOf(taking), list(range(10)))
        self.assertTrue(self.reading)

    def test_nobody_iterates(self) -> None:
        """Without a loop the oldest make room, and the connection does not stall."""
        subscription = self.subscribed()
        self.publish(*range(10))
        self.assertTrue(self.reading)
        self.assertEqual(subscription.dropped, 6)
        taking = Deferred.fromCoroutine(take(aiter(subscription), 4))
        self.assertEqual(self.successResultOf(taking), [6, 7, 8, 9])

    def test_break(self) -> None:
        """A loop that is left does not leave the connection stalled."""
        subscription = self.subscribed()

        async def first() -> Any:
            async for message in subscription:
                return message
            return None

        self.publish(*range(4))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(first())), 0)
        self.publish(*range(4, 20))
        self.assertTrue(self.reading)
        self.assertGreater(subscription.dropped, 0)

    def test_break_while_stalled(self) -> None:
        """Also if it was stalled when the loop was left."""
        iterator = aiter(self.subscribed())
        self.publish(*range(10))
        self.assertFalse(self.reading)
        del iterator
        self.settle()
        self.assertTrue(self.reading)

    def test_one_of_two_loops_left(self) -> None:
        """While one of two loops goes on, it is waited for."""
        subscription = self.subscribed()
        left, stays = aiter(subscription), aiter(subscription)
        del left
        self.settle()
        self.publish(*range(10))
        self.assertFalse(self.reading)
        self.assertEqual(subscription.dropped, 0)
        del stays
        self.settle()
        self.assertTrue(self.reading)

    def test_unsubscribe_while_stalled(self) -> None:
        """Also if the subscription ends."""
        subscription = self.subscribed()
        iterator = aiter(subscription)
        self.publish(*range(10))
        self.assertFalse(self.reading)
        subscription.unsubscribe()
        self.settle()
        self.assertTrue(self.reading)
        del iterator

    def test_loop_after_the_end(self) -> None:
        """A loop over what is left of a subscription that has ended stalls nobody."""
        subscription = self.subscribed()
        self.publish(*range(4))
        subscription.unsubscribe()
        iterator = aiter(subscription)
        self.assertTrue(self.reading)
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(take(iterator, 1))), [0])
        self.assertTrue(self.reading)

    def test_end_as_a_loop_is_left(self) -> None:
        """Nor does one that was beside another, which was left just before that end."""
        subscription = self.subscribed()
        left, stays = aiter(subscription), aiter(subscription)
        self.publish(*range(4))
        self.assertFalse(self.reading)
        del left
        subscription.unsubscribe()
        self.settle()
        self.assertTrue(self.reading)
        del stays

    def test_two_slow_loops(self) -> None:
        """The socket is read again when none of them is behind."""
        iterators = [aiter(self.subscribed(channel)) for channel in "ab"]
        for channel in "ab":
            self.session.send(*({"channel": channel, "message": n} for n in range(4)))
        self.settle()
        for iterator in iterators:
            self.assertFalse(self.reading)
            taking = Deferred.fromCoroutine(take(iterator, 4))
            self.settle()
            self.assertEqual(self.successResultOf(taking), [0, 1, 2, 3])
        self.assertTrue(self.reading)

    def test_stalled_over_a_loss(self) -> None:
        """The next connection is not read either, until the loop has caught up."""
        iterator = aiter(self.subscribed())
        self.publish(*range(4))
        self.assertFalse(self.reading)
        self.session.drop()
        taking = Deferred.fromCoroutine(take(iterator, 1))
        self.assertEqual(self.successResultOf(taking), [0])
        self.advance(1)
        taking = Deferred.fromCoroutine(take(iterator, 3))
        self.advance(1)
        self.assertEqual(self.successResultOf(taking), [1, 2, 3])
        self.assertTrue(self.socket.connected)
        self.assertTrue(self.reading)

    def test_end_while_stalled(self) -> None:
        """end() does not wait for the loop."""
        iterator = aiter(self.subscribed())
        self.publish(*range(10))
        end = self.socket.end()
        self.settle()
        self.successResultOf(end)
        taking = Deferred.fromCoroutine(take(iterator, 4))
        self.assertEqual(self.successResultOf(taking), [0, 1, 2, 3])
