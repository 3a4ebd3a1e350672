"""
Nothing grows for as long as a client runs.
"""

from __future__ import annotations

import gc

from twisted.internet.defer import CancelledError, Deferred

from .support import SubscriptionTestCase, take


class IterationTests(SubscriptionTestCase):
    """Loops over subscriptions."""

    def test_polling(self) -> None:
        """A message waited for in vain, with a deadline, leaves nothing behind."""
        iterator = aiter(self.subscribed())

        def poll() -> None:
            polling = Deferred.fromCoroutine(take(iterator, 1))
            polling.cancel()
            self.failure(polling, CancelledError)

        poll()
        before = self.deferreds()
        for _ in range(100):
            poll()
        self.assertEqual(self.deferreds(), before)
        taking = Deferred.fromCoroutine(take(iterator, 1))
        self.publish(1)
        self.assertEqual(self.successResultOf(taking), [1])

    def deferreds(self) -> int:
        """How many there are."""
        gc.collect()
        return sum(type(thing) is Deferred for thing in gc.get_objects())

    def test_cancelled_in_the_end(self) -> None:
        """A loop may cancel another when it hears of the end."""
        subscription = self.subscribed()
        loops = [Deferred.fromCoroutine(take(aiter(subscription), 1)) for _ in range(2)]
        loops[0].addErrback(lambda _: loops[1].cancel())
        subscription.unsubscribe()
        self.failure(loops[1], CancelledError)

    def test_flood_before_auth(self) -> None:
        """
        A connection must be read until ``auth`` is answered: where messages flood in before
        that, the oldest make room.
        """
        subscription = self.subscribed()
        iterator = aiter(subscription)
        self.server.script(auth="ignore")
        self.session.drop()
        self.advance(1)
        self.session.send(*({"channel": "c", "message": number} for number in range(1000)))
        self.session.accept_auth()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(subscription.dropped, 996)
        self.assertFalse(self.reading)
        taking = Deferred.fromCoroutine(take(iterator, 4))
        self.assertEqual(self.successResultOf(taking), [996, 997, 998, 999])
        self.assertTrue(self.reading)
