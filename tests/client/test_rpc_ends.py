"""
Calls that end otherwise than with an answer.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    QueueFull,
)

from ..common import ServerTestCase
from .support import RPCTestCase


class TimeoutTests(RPCTestCase):
    """Calls that are not answered."""

    def test_in_flight(self) -> None:
        """A call that was sent may have run."""
        call, request = self.call("f", timeout=3)
        self.advance(2.9)
        self.pending(call)
        self.advance(0.2)
        error = self.failure(call, CallTimeout)
        self.assertTrue(error.may_have_run)
        self.assertIn("rpc 'f'", str(error))
        self.session.answer(request, 1)
        self.settle()
        self.assertTrue(self.socket.connected)

    def test_default(self) -> None:
        """``call_timeout`` is a minute."""
        call, _ = self.call("f")
        self.advance(59.9)
        self.pending(call)
        self.advance(0.1)
        self.failure(call, CallTimeout)

    def test_counts_queue_time(self) -> None:
        """Time without a connection counts; a call that was not sent did not run."""
        self.server.script(token="drop")
        self.session.drop()
        self.settle()
        queued = self.socket.rpc("f", timeout=3)
        later = self.socket.rpc("g", timeout=8)
        self.advance(3)
        self.assertFalse(self.failure(queued, CallTimeout).may_have_run)
        self.server.script()
        self.advance(4)
        self.assertEqual([m["rpc"] for m in self.session.received], ["g"])
        self.pending(later)
        self.advance(1)
        self.assertTrue(self.failure(later, CallTimeout).may_have_run)

    def test_one_timer(self) -> None:
        """However many calls there were, one timer is left, and it goes in its time."""
        for _ in range(100):
            call, request = self.call("f", timeout=30.0)
            self.session.answer(request)
            self.settle()
            self.successResultOf(call)
        self.assertEqual(len(self.server.clock.getDelayedCalls()), 1)
        self.server.clock.advance(30.0)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])


class CancelTests(RPCTestCase):
    """Calls that are withdrawn."""

    def test_in_flight(self) -> None:
        """Its answer is dropped."""
        call, request = self.call("f")
        call.cancel()
        self.failure(call, CancelledError)
        self.session.answer(request, 1)
        self.settle()
        self.assertTrue(self.socket.connected)

    def test_in_the_queue(self) -> None:
        """It is never sent, and makes room."""
        client = self.client(queue_limit=1)
        call = client.rpc("f")
        call.cancel()
        self.failure(call, CancelledError)
        client.rpc("g").addErrback(lambda _: None)
        client.startService()
        self.settle()
        self.assertEqual([m["rpc"] for m in self.session.received], ["g"])

    def test_in_the_same_turn(self) -> None:
        """It is not sent, also with a connection, where others are in flight."""
        self.call("e")[0].addErrback(lambda _: None)
        call = self.socket.rpc("f")
        call.cancel()
        self.failure(call, CancelledError)
        self.settle()
        self.assertEqual([m["rpc"] for m in self.session.received], ["e"])

    def test_waiting_to_be_sent_again(self) -> None:
        """An idempotent call that waits for the next connection can be cancelled."""
        call, _ = self.call("f", idempotent=True)
        self.session.drop()
        self.settle()
        call.cancel()
        self.failure(call, CancelledError)
        self.advance(1)
        self.assertEqual(self.session.received, [])


class LossTests(RPCTestCase):
    """The connection goes."""

    def test_fails_at_once(self) -> None:
        """A call in flight fails in the turn of the loss, and is not sent again."""
        call, _ = self.call("f")
        self.session.drop()
        self.settle()
        self.assertTrue(self.failure(call, ConnectionLost).may_have_run)
        self.advance(1)
        self.assertEqual(self.session.received, [])

    def test_idempotent_first(self) -> None:
        """Idempotent calls are sent again, in order, before what came later."""
        calls = [self.socket.rpc(name, idempotent=True) for name in "abc"]
        lost = self.socket.rpc("x")
        self.settle()
        self.session.drop()
        self.settle()
        calls += [self.socket.rpc(name) for name in "de"]
        self.failure(lost, ConnectionLost)
        self.advance(0.1)
        received = self.session.received
        self.assertEqual([message["rpc"] for message in received], list("abcde"))
        for request in received:
            self.session.answer(request, request["rpc"])
        self.settle()
        self.assertEqual([self.successResultOf(call) for call in calls], list("abcde"))

    def test_idempotent_timeout(self) -> None:
        """Its deadline is that of the first time it was sent."""
        call, _ = self.call("f", idempotent=True, timeout=5)
        self.advance(4)
        self.session.drop()
        self.advance(0.5)
        self.assertEqual(len(self.session.received), 1)
        self.pending(call)
        self.advance(0.5)
        self.assertTrue(self.failure(call, CallTimeout).may_have_run)

    def test_idempotent_at_the_end(self) -> None:
        """One that was sent may have run, also where the client ends before the next time."""
        for lose in (lambda: None, lambda: self.session.drop()):
            call, _ = self.call("f", idempotent=True)
            lose()
            self.settle()
            self.socket.end()
            self.assertTrue(self.failure(call, ConnectionLost).may_have_run)
            self.socket.startService()
            self.advance(1)

    def test_answer_of_the_old_connection(self) -> None:
        """It comes too late where the connection is gone."""
        call, request = self.call("f")
        old = self.session
        self.session.drop()
        self.advance(0.1)
        old.answer(request, 1)
        self.session.answer(request, 2)
        self.settle()
        self.failure(call, ConnectionLost)


class QueueTests(ServerTestCase):
    """Calls without a connection."""

    def test_full(self) -> None:
        """Beyond the limit calls fail at once; what waits is sent."""
        client = self.client(queue_limit=3)
        waiting = [client.rpc("a"), client.publish("c", 1), client.broadcast(2)]
        for refused in (client.rpc("b"), client.publish("c", 2), client.broadcast(3)):
            self.assertIn("queue_limit", str(self.failure(refused, QueueFull)))
        client.startService()
        self.settle()
        self.assertEqual(
            [m["rpc"] for m in self.session.received], ["a", "_publish", "_broadcast"]
        )
        self.successResultOf(waiting[1])
        waiting[0].addErrback(lambda _: None)

    def test_subscriptions_do_not_count(self) -> None:
        """Subscribing is always possible: it is kept apart from the queue."""
        client = self.client(queue_limit=1)
        client.rpc("a").addErrback(lambda _: None)
        for number in range(5):
            client.subscribe(f"c{number}").addErrback(lambda _: None)
        client.startService()
        self.settle()
        self.assertEqual(len(self.session.received), 6)

    def test_drains(self) -> None:
        """What was sent makes room."""
        client = self.ready(queue_limit=2)
        for _ in range(3):
            sent = [client.publish("c", number) for number in range(2)]
            self.settle()
            for publish in sent:
                self.successResultOf(publish)

    def test_many(self) -> None:
        """All that the queue has room for is sent, in order."""
        client = self.client(queue_limit=1000)
        calls = [client.publish("c", number) for number in range(1000)]
        self.failure(client.publish("c", 0), QueueFull)
        client.startService()
        self.settle()
        for call in calls:
            self.successResultOf(call)
        data = [message["req"]["data"] for message in self.session.received]
        self.assertEqual(data, list(range(1000)))

    def test_ended(self) -> None:
        """After end() nothing is queued."""
        client = self.ready()
        client.end()
        self.settle()
        self.failure(client.rpc("a"), ClientClosed)
