"""
Channels that are wanted again by whoever hears that they are not.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from txtokensock import Subscription

from .support import ChannelTestCase


class AgainTests(ChannelTestCase):
    """Changes asked for in the middle of a change."""

    def test_by_the_loop_that_ended(self) -> None:
        """
        A loop that ends may subscribe anew: the server is not asked, and unsubscribe() has
        nothing to wait for.
        """
        again: list[Subscription] = []

        async def read(subscription: Subscription) -> None:
            async for _ in subscription:
                pass
            again.append(await self.socket.subscribe("c"))

        subscription = self.subscribed("c")
        self.session.received.clear()
        reading = Deferred.fromCoroutine(read(subscription))
        self.successResultOf(self.socket.unsubscribe("c"))
        self.settle()
        self.successResultOf(reading)
        self.assertTrue(again[0].active)
        self.assertEqual((self.requests, self.socket.channels()), ([], ["c"]))

    def test_by_who_waited_to_leave(self) -> None:
        """Subscribed again in the callback of unsubscribe(), it waits for its own notice."""
        asked: list[Deferred[Any]] = []

        def change(_: object) -> None:
            asked.extend((self.socket.unsubscribe("c"), self.socket.subscribe("c")))

        first = self.socket.subscribe("c")
        self.settle()
        self.socket.unsubscribe("c").addCallback(change)
        self.failure(first, CancelledError)
        second = self.socket.subscribe("c")
        self.session.subscribed("c")
        self.settle()
        self.assertFalse(self.successResultOf(second).active)
        leaving, third = asked
        self.pending(leaving)
        self.pending(third)
        self.session.unsubscribed("c")
        self.settle()
        self.successResultOf(leaving)
        self.pending(third)
        self.session.subscribed("c")
        self.settle()
        self.assertTrue(self.successResultOf(third).active)
        names = ["_subscribe", "_unsubscribe", "_subscribe"]
        self.assertEqual(self.requests, [(name, "c") for name in names])
