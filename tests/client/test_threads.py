"""
Calls from other threads than the reactor's.
"""

from __future__ import annotations

from threading import Thread, get_ident
from typing import Any

from twisted.python import threadable

from txtokensock.errors import UsageError

from ..common import ServerTestCase


class ThreadTests(ServerTestCase):
    """The reactor runs in this thread."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(threadable, "ioThread", get_ident())

    def test_another_thread(self) -> None:
        """Whatever is asked for from there fails at once, says why, and nothing is done."""
        client = self.ready()
        subscribing = client.subscribe("d")
        self.settle()
        self.session.subscribed("d")
        self.settle()
        subscription = self.successResultOf(subscribing)
        outcomes: list[Any] = []
        raised: list[Any] = []

        def ask() -> None:
            for function in (client.reconnect_now, client.startService):
                try:
                    function()
                except UsageError as error:
                    raised.append(error)
            outcomes.append(client.end())
            outcomes.append(subscription.unsubscribe())
            outcomes.append(client.rpc("f"))
            outcomes.append(client.publish("c", 1))
            outcomes.append(client.broadcast(1))
            outcomes.append(client.subscribe("c"))
            outcomes.append(client.unsubscribe("c"))
            outcomes.append(client.when_ready())

        thread = Thread(target=ask)
        thread.start()
        thread.join()
        self.assertEqual((len(outcomes), len(raised)), (8, 2))
        for error in (*raised, *(self.failure(outcome, UsageError) for outcome in outcomes)):
            self.assertIn("from another thread than the reactor's", str(error))
        self.settle()
        self.assertEqual((client.connected, client.running), (True, True))
        self.assertEqual((len(self.session.received), client.channels()), (1, ["d"]))
        self.assertTrue(subscription.confirmed)

    def test_this_thread(self) -> None:
        """Here they are sent; also where no reactor has run yet, and no thread is its own."""
        client = self.ready()
        for thread in (get_ident(), None):
            self.patch(threadable, "ioThread", thread)
            call = client.rpc("f")
            self.settle()
            self.session.answer(self.session.received[-1], 5)
            self.settle()
            self.assertEqual(self.successResultOf(call), 5)
