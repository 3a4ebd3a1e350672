"""
What happens to a connection while it is not read: nothing hangs, and nothing is lost.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.errors import CallTimeout, ConnectionLost

from ..common import Calls
from .support import SubscriptionTestCase, take


class PausedTests(SubscriptionTestCase):
    """A loop with a full buffer of four, and six more messages that were not read."""

    def setUp(self) -> None:
        super().setUp()
        self.lost = Calls()
        self.socket.on("disconnect", self.lost)
        self.iterator = aiter(self.subscribed())
        self.session.send(*({"channel": "c", "message": number} for number in range(10)))
        self.settle()
        self.assertFalse(self.reading)

    def take(self, number: int) -> list[Any]:
        """What the loop takes, and it is there."""
        taking = Deferred.fromCoroutine(take(self.iterator, number))
        self.settle()
        return self.successResultOf(taking)

    def test_orderly_close(self) -> None:
        """It is noticed when the messages before it were taken; then all goes on."""
        call = self.socket.rpc("f")
        self.settle()
        self.session.close()
        self.advance(10)
        self.assertEqual(self.lost, [])
        self.assertEqual(self.take(7), list(range(7)))
        self.settle()
        self.assertEqual(len(self.lost), 0)
        self.assertEqual(self.take(1), [7])
        self.settle()
        self.assertEqual(len(self.lost), 1)
        self.failure(call, ConnectionLost)
        self.assertEqual(self.take(2), [8, 9])
        self.advance(1)
        self.assertTrue(self.socket.connected)
        self.assertTrue(self.reading)

    def test_cut(self) -> None:
        """The same where the reactor finds out meanwhile that the connection is gone."""
        call = self.socket.rpc("f", timeout=5)
        self.settle()
        self.server.network.open[-1][0].cut()
        late = self.socket.rpc("f", timeout=5)
        self.advance(5)
        for one in (call, late):
            self.failure(one, CallTimeout)
        self.assertEqual(self.take(10), list(range(10)))
        self.settle()
        self.assertEqual(len(self.lost), 1)

    def test_call_in_flight(self) -> None:
        """A call whose answer is not read fails in time, and says why there was none."""
        call = self.socket.rpc("f", timeout=5)
        self.settle()
        self.session.answer(self.session.received[-1], 1)
        self.advance(5)
        error = self.failure(call, CallTimeout)
        self.assertTrue(error.may_have_run)
        self.assertIn("nothing is read", str(error))
        self.assertEqual(self.take(10), list(range(10)))
        self.settle()
        again = self.socket.rpc("f")
        self.settle()
        self.session.answer(self.session.received[-1], 2)
        self.settle()
        self.assertEqual(self.successResultOf(again), 2)

    def test_sending(self) -> None:
        """What is not read is written to all the same."""
        sent = self.socket.publish("c", 1)
        self.settle()
        self.successResultOf(sent)
        self.assertEqual(self.session.received[-1]["req"]["data"], 1)

    def test_end(self) -> None:
        """end() waits neither for the loop, nor for what was not read, nor for the server."""
        for close in ("accept", "ignore", "drop"):
            self.server.script(close=close)
            ended = self.socket.end()
            self.advance(5)
            self.successResultOf(ended)
            self.server.script()
            self.socket.startService()
            self.advance(1)
            self.iterator = aiter(self.subscribed())
            self.publish(*range(10))
            self.assertFalse(self.reading)

    def test_end_after_an_orderly_close(self) -> None:
        """Also where the server has closed, and that was not noticed."""
        self.session.close()
        self.settle()
        ended = self.socket.end()
        self.advance(5)
        self.successResultOf(ended)

    def test_end_after_a_cut(self) -> None:
        """And where the connection is gone while messages wait."""
        self.server.network.open[-1][0].cut()
        ended = self.socket.end()
        self.settle()
        self.successResultOf(ended)
