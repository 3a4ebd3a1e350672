"""
``message`` listeners that take their time.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from ..common import Calls
from .support import SubscriptionTestCase


class ListenerFlowTests(SubscriptionTestCase):
    """Four may run."""

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[Any] = []
        self.begun: list[Deferred[None]] = []
        self.socket.onmessage(self.listener)

    def listener(self, channel: str, message: Any) -> Deferred[None]:
        """Is done when the test says so."""
        self.heard.append(message)
        self.begun.append(Deferred())
        return self.begun[-1]

    def done(self, number: int) -> None:
        """So many are done."""
        for _ in range(number):
            self.begun.pop(0).callback(None)
        self.settle()

    def test_stops_the_reading(self) -> None:
        """The socket is read until four run, and again when two do."""
        self.publish(*range(3))
        self.assertTrue(self.reading)
        self.publish(*range(3, 10))
        self.assertEqual(self.heard, [0, 1, 2, 3])
        self.assertFalse(self.reading)
        self.done(1)
        self.assertFalse(self.reading)
        self.done(1)
        self.assertEqual(self.heard, [0, 1, 2, 3, 4, 5])
        while self.begun:
            self.done(1)
        self.assertEqual(self.heard, list(range(10)))
        self.assertTrue(self.reading)

    def test_half_is_enough(self) -> None:
        """It is read again when half of them are done, not before."""
        self.publish(*range(4))
        for still in (False, True):
            self.done(1)
            self.assertEqual(self.reading, still)
        self.done(2)

    def test_within_one_frame(self) -> None:
        """Also in the middle of a frame of ten thousand."""
        count = 10_000
        self.session.send(*({"channel": "c", "message": number} for number in range(count)))
        self.settle()
        self.assertEqual(len(self.begun), 4)
        while self.begun:
            self.assertLessEqual(len(self.begun), 4)
            self.begun.pop(0).callback(None)
        self.assertEqual(self.heard, list(range(count)))

    def test_several(self) -> None:
        """The calls of all of them count."""
        self.socket.onmessage(self.listener)
        self.publish(*range(10))
        self.assertEqual(self.heard, [0, 0, 1, 1])
        self.assertFalse(self.reading)
        self.done(2)
        self.assertEqual(self.heard[4:], [2, 2])
        while self.begun:
            self.done(1)

    def test_coroutines_and_failures(self) -> None:
        """A coroutine that fails is logged, and is done."""
        self.socket.remove_all_listeners()

        async def listener(channel: str, message: Any) -> None:
            await self.listener(channel, message)
            raise RuntimeError("listener")

        self.socket.onmessage(listener)
        self.publish(*range(10))
        self.assertFalse(self.reading)
        while self.begun:
            self.done(1)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 10)
        self.assertEqual(self.heard, list(range(10)))
        self.assertTrue(self.reading)

    def test_other_events(self) -> None:
        """Listeners of other events may run on, as many as there are."""
        for event in ("reconnect", "disconnect", "error"):
            for _ in range(4):
                self.socket.on(event, lambda _: Deferred())
        self.session.send({"error": "no"})
        self.session.drop()
        self.advance(1)
        self.assertTrue(self.reading)

    def test_flood_before_auth(self) -> None:
        """
        A connection that is not authenticated yet is read, whoever is behind: no more
        listeners begin, and once it is authenticated it is not read.
        """
        heard = Calls()
        self.subscribed("c", heard)
        self.server.script(auth="ignore")
        self.session.drop()
        self.advance(1)
        self.session.send(*({"channel": "c", "message": number} for number in range(1000)))
        self.session.accept_auth()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(self.heard, [0, 1, 2, 3])
        self.assertEqual(heard, list(range(1000)))
        self.assertFalse(self.reading)
        self.done(2)
        self.assertTrue(self.reading)
        self.publish(1000)
        self.assertEqual(self.heard[-1], 1000)
        self.done(3)

    def test_end_while_stalled(self) -> None:
        """end() waits for no listener, and a server that says nothing for its deadline."""
        self.publish(*range(10))
        self.server.script(close="ignore")
        ended = self.socket.end()
        self.advance(5)
        self.successResultOf(ended)
        self.assertEqual(self.heard, [0, 1, 2, 3])
        self.done(4)
