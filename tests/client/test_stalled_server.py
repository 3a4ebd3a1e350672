"""
A server that is slower than its client: what the client keeps is bounded.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.client import sending_limits
from txtokensock.errors import CallTimeout, QueueFull

from ..common import ServerTestCase

MESSAGE = "x" * 10_000


class StalledTestCase(ServerTestCase):
    """Counts what is written."""

    @property
    def written(self) -> int:
        """Bytes that the newest connection was given so far."""
        return self.server.network.connections[-1][0].bytes_written


class ProducerTests(StalledTestCase):
    """Those who publish to a server that does not read."""

    def test_awaiting(self) -> None:
        """Who waits for each Deferred is held back when the buffer is full."""
        socket = self.ready()
        self.session.stop_reading()
        published: list[int] = []

        async def publish() -> None:
            for number in range(100):
                await socket.publish("c", MESSAGE)
                published.append(number)

        producer = Deferred.fromCoroutine(publish())
        self.settle()
        self.pending(producer)
        self.assertLess(self.written, 100_000)
        self.assertLess(len(published), 10)
        self.session.read_again()
        self.settle()
        self.successResultOf(producer)
        self.assertEqual(len(self.session.received), 100)

    def test_not_awaiting(self) -> None:
        """Who does not wait meets QueueFull; what was taken comes through, in order."""
        socket = self.ready(queue_limit=20)
        self.session.stop_reading()
        sent: list[int] = []
        outcomes: Counter[Any] = Counter()
        for number in range(200):
            publishing = socket.publish("c", [number, MESSAGE])
            publishing.addCallback(lambda _, number=number: sent.append(number))
            publishing.addErrback(lambda failure: outcomes.update([failure.type]))
            self.settle()
        self.assertLess(self.written, 100_000)
        self.assertLess(len(sent), 10)
        self.assertEqual(outcomes[QueueFull], 200 - len(sent) - 20)
        self.session.read_again()
        self.settle()
        self.assertEqual(sent, list(range(len(sent))))
        data = [message["req"]["data"][0] for message in self.session.received]
        self.assertEqual(data, sent)

    def test_timeout(self) -> None:
        """Those that wait fail in time, and say what for."""
        socket = self.ready()
        self.session.stop_reading()
        waiting: list[Deferred[None]] = []
        for _ in range(20):
            waiting.append(socket.publish("c", MESSAGE, timeout=5))
            self.settle()
        for one in waiting[:10]:  # some of which are with the transport
            one.addErrback(lambda failure: failure.trap(CallTimeout) and None)
        self.advance(5)
        errors = [self.failure(one, CallTimeout) for one in waiting[10:]]
        self.assertFalse(errors[-1].may_have_run)
        self.assertIn("the server is behind", str(errors[-1]))


class NoAnswerTests(StalledTestCase):
    """A server that reads everything, and answers nothing."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(sending_limits, "_IN_FLIGHT", 10)
        self.server.acks = True

    def flood(self) -> list[Deferred[Any]]:
        """Calls and publishes: ten are in flight, twenty wait, and there is no more room."""
        socket = self.ready(queue_limit=20, call_timeout=60)
        flood: list[Deferred[Any]] = []
        for number in range(15):
            flood += [socket.rpc("f", number), socket.publish("c", number)]
            self.settle()
        self.assertEqual(len(self.session.received), 10)
        self.failure(socket.rpc("f"), QueueFull)
        return flood

    def test_in_flight(self) -> None:
        """As many as are answered are sent after them."""
        flood = self.flood()
        for number in range(30):
            self.session.answer(self.session.received[number])
            self.settle()
            self.assertEqual(len(self.session.received), min(30, number + 11))
            self.successResultOf(flood[number])

    def test_what_was_sent(self) -> None:
        """It is not kept, unless it may have to be sent again."""
        socket = self.ready()
        calls = [socket.rpc("f", MESSAGE, idempotent=again) for again in (False, True)]
        self.settle()
        kept = [len(one.payload) for one in socket._core.request_queue._in_flight.values()]
        self.assertEqual(kept[0], 0)
        self.assertGreater(kept[1], len(MESSAGE))
        self.session.drop()
        self.advance(1)
        self.assertEqual(self.session.received[-1]["req"], MESSAGE)
        for one in calls:
            one.addErrback(lambda _: None)

    def test_cancelled(self) -> None:
        """Those that nobody waits for any more make room as well."""
        flood = self.flood()
        for one in flood[:4]:
            one.cancel()
            one.addErrback(lambda _: None)
        self.settle()
        self.assertEqual(len(self.session.received), 14)
        for one in flood[4:]:
            one.addErrback(lambda _: None)

    def test_timeout(self) -> None:
        """All fail in time."""
        flood = self.flood()
        self.advance(60)
        for one in flood:
            self.failure(one, CallTimeout)

    def test_lost(self) -> None:
        """The next connection is given as many again, and not more."""
        flood = self.flood()
        self.session.drop()
        self.advance(1)
        self.assertEqual(len(self.session.received), 10)
        for one in flood:
            one.addErrback(lambda _: None)


class CallingTests(StalledTestCase):
    """A server that calls, and does not read the answers."""

    def test_actions_at_once(self) -> None:
        """It is not read when a hundred answers wait; every call is answered in the end."""
        ran: list[Any] = []

        def action(data: Any) -> str:
            ran.append(data)
            return MESSAGE

        self.ready(actions={"f": action})
        self.session.stop_reading()
        for number in range(2000):
            self.session.call("f", number, fid=str(number))
        self.settle()
        self.assertLess(len(ran), 120)
        self.assertLess(self.written, 100_000)
        self.read_on()
        self.assertEqual(ran, list(range(2000)))
        self.assertEqual(
            [one["fid"] for one in self.session.received], [str(number) for number in ran]
        )

    def test_actions_that_take_time(self) -> None:
        """A thousand run, the others are refused, and a hundred refusals stop the reading."""
        running: list[Deferred[str]] = []

        def action(data: Any) -> Deferred[str]:
            running.append(Deferred())
            return running[-1]

        self.ready(actions={"f": action})
        self.session.stop_reading()
        for number in range(3000):
            self.session.call("f", number, fid=str(number))
        self.settle()
        self.assertEqual(len(running), 1000)
        for one in running[:1000]:
            one.callback(MESSAGE)
        self.settle()
        self.assertLess(self.written, 200_000)
        self.assertLess(len(running), 1200)
        self.read_on()
        while any(not one.called for one in running):
            for one in [one for one in running if not one.called]:
                one.callback("")
            self.settle()
        self.assertGreater(len(running), 1000)  # those that were not read, and so not refused
        self.assertEqual(
            sorted(int(one["fid"]) for one in self.session.received), list(range(3000))
        )

    def read_on(self) -> None:
        """The server reads again."""
        self.session.read_again()
        self.settle()
