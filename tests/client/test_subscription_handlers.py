"""
Handlers that take their time.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed

from txtokensock.errors import ClientClosed, SubscriptionEnded, UsageError

from ..common import Calls
from .support import SubscriptionTestCase


class Slow(list[Any]):
    """A handler that notes its messages, and is done with each when the test says so."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[Deferred[Any]] = []

    def __call__(self, message: Any) -> Deferred[Any]:
        self.append(message)
        self.begun.append(Deferred())
        return self.begun[-1]

    def done(self, number: int = 1) -> None:
        """The oldest that run are done."""
        for _ in range(number):
            self.begun.pop(0).callback("result")


class QuickAfterSlowTests(SubscriptionTestCase):
    """A handler of which some calls take their time, and others are done at once."""

    def test_many_wait(self) -> None:
        """What waited is handed on in a loop: no stack is as deep as a buffer may be."""
        slow = [Deferred[None]() for _ in range(1000)]
        handed: list[Any] = []

        def handler(message: Any) -> Deferred[None]:
            handed.append(message)
            return slow[message] if message < len(slow) else succeed(None)

        subscribing = self.socket.subscribe("c", handler, buffer_limit=1000)
        self.settle()
        self.session.subscribed("c")
        self.settle()
        self.successResultOf(subscribing)
        self.publish(*range(1900))
        self.assertEqual(len(handed), 1000)
        slow[0].callback(None)
        self.assertEqual(handed, list(range(1900)))


class SlowHandlerTests(SubscriptionTestCase):
    """Four may run and four may wait."""

    def setUp(self) -> None:
        super().setUp()
        self.handler = Slow()
        self.subscription = self.subscribed("c", self.handler)

    def test_stops_the_reading(self) -> None:
        """Four run, four wait, and then the socket is not read until half are taken."""
        self.publish(*range(7))
        self.assertTrue(self.reading)
        self.publish(*range(7, 20))
        self.assertEqual(self.handler, [0, 1, 2, 3])
        self.assertFalse(self.reading)
        self.handler.done()
        self.assertFalse(self.reading)
        self.handler.done()
        self.assertEqual(self.handler, [0, 1, 2, 3, 4, 5])
        self.settle()
        while self.handler.begun:
            self.handler.done()
            self.settle()
        self.assertEqual(self.handler, list(range(20)))
        self.assertEqual(self.subscription.dropped, 0)
        self.assertTrue(self.reading)

    def test_half_is_enough(self) -> None:
        """It is read again when half of the buffer is free, not before."""
        self.publish(*range(8))
        for still in (False, True):
            self.handler.done()
            self.assertEqual(self.reading, still)

    def test_within_one_frame(self) -> None:
        """Ten thousand messages in one frame: eight are taken, the others come in order."""
        count = 10_000
        self.session.send(*({"channel": "c", "message": number} for number in range(count)))
        self.settle()
        self.assertEqual((len(self.handler), len(self.handler.begun)), (4, 4))
        self.assertFalse(self.reading)
        while self.handler.begun:
            self.handler.done()
            self.assertLessEqual(len(self.handler.begun), 4)
        self.assertEqual(self.handler, list(range(count)))
        self.assertTrue(self.reading)

    def test_any_order(self) -> None:
        """They need not be done in the order in which they were begun."""
        self.publish(*range(12))
        while self.handler.begun:
            self.handler.begun.pop().callback(None)
            self.settle()
        self.assertEqual(self.handler, list(range(12)))

    def test_failures(self) -> None:
        """One that fails is logged, and is done."""
        self.publish(*range(12))
        for _ in range(12):
            self.handler.begun.pop(0).errback(RuntimeError("handler"))
            self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 12)
        self.assertEqual(self.handler, list(range(12)))
        self.assertTrue(self.reading)

    def test_results_are_theirs(self) -> None:
        """Whoever else waits for a handler's Deferred gets its result."""
        self.publish(*range(5))
        results = [deferred.addCallback(lambda result: result) for deferred in self.handler.begun]
        self.handler.done(4)
        self.assertEqual([self.successResultOf(one) for one in results], ["result"] * 4)

    def test_over_a_loss(self) -> None:
        """What waits is not lost with the connection; the next one is not read either."""
        self.publish(*range(8))
        self.session.drop()
        self.handler.done(2)
        self.assertEqual(self.handler, list(range(6)))
        self.publish(*range(8, 12))
        self.advance(1)
        self.session.subscribed("c")
        self.publish(*range(20, 30))
        self.assertFalse(self.reading)
        while self.handler.begun:
            self.handler.done()
            self.settle()
        self.assertEqual(self.handler, [*range(8), *range(20, 30)])

    def test_flood_before_auth(self) -> None:
        """A connection that is not authenticated yet is read: the oldest make room."""
        self.publish(*range(8))
        self.server.script(auth="ignore")
        self.session.drop()
        self.handler.done(2)
        self.advance(1)
        self.session.send(*({"channel": "c", "message": number} for number in range(1000)))
        self.session.accept_auth()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(self.subscription.dropped, 998)
        while self.handler.begun:
            self.handler.done()
        self.assertEqual(self.handler, [*range(6), 996, 997, 998, 999])

    def test_iteration(self) -> None:
        """Its messages are spoken for: a loop is refused."""
        self.assertRaises(UsageError, aiter, self.subscription)


class EndTests(SubscriptionTestCase):
    """Ends of a subscription whose handler is behind."""

    def setUp(self) -> None:
        super().setUp()
        self.handler = Slow()
        self.errors = Calls()
        self.socket.on("error", self.errors)
        self.subscription = self.subscribed("c", self.handler)
        self.publish(*range(8))
        self.assertFalse(self.reading)

    def finish(self) -> list[Any]:
        """What the handler has got when all that it began is done."""
        while self.handler.begun:
            self.handler.done()
            self.settle()
        return list(self.handler)

    def test_unsubscribe(self) -> None:
        """unsubscribe() means no more, also of what waits; and the socket is read."""
        self.subscription.unsubscribe()
        self.settle()
        self.assertTrue(self.reading)
        self.assertEqual(self.finish(), [0, 1, 2, 3])

    def test_unsubscribe_the_channel(self) -> None:
        """So does the client's."""
        self.socket.unsubscribe("c")
        self.assertTrue(self.reading)
        self.assertEqual(self.finish(), [0, 1, 2, 3])

    def test_stopped(self) -> None:
        """After end() no handler is called, and end() waits for none."""
        ended = self.socket.end()
        self.settle()
        self.successResultOf(ended)
        self.assertEqual(self.finish(), [0, 1, 2, 3])

    def test_stopped_while_the_server_is_silent(self) -> None:
        """end() of a client that does not read ends within its deadline."""
        self.server.script(close="ignore")
        ended = self.socket.end()
        self.advance(4.9)
        self.pending(ended)
        self.advance(0.2)
        self.successResultOf(ended)

    def test_ended_by_the_server(self) -> None:
        """What came before the server ended it is handed on."""
        self.session.unsubscribed("c")
        self.settle()
        self.assertEqual(self.errors, [])  # not heard yet, as nothing is read
        self.handler.done(2)
        self.settle()
        self.assertFalse(self.subscription.active)
        self.assertIsInstance(self.errors[0], SubscriptionEnded)
        self.assertEqual(self.finish(), list(range(8)))
        self.assertTrue(self.reading)

    def test_unsubscribed_after_that(self) -> None:
        """Until the user wants no more."""
        self.session.unsubscribed("c")
        self.handler.done(2)
        self.settle()
        self.assertFalse(self.subscription.active)
        self.successResultOf(self.subscription.unsubscribe())
        self.assertEqual(self.finish(), list(range(6)))

    def test_restart_while_running(self) -> None:
        """What runs on from before the end is in nobody's way after it."""
        self.socket.end()
        self.settle()
        self.socket.startService()
        self.advance(1)
        self.assertTrue(self.socket.connected)
        self.assertTrue(self.reading)
        self.finish()


class GivenUpTests(SubscriptionTestCase):
    """A client with one connection only."""

    def test_given_up(self) -> None:
        """Where the client gives up, what came before is handed on."""
        self.socket = self.ready(buffer_limit=4, reconnect=False)
        handler, errors = Slow(), Calls()
        self.socket.on("error", errors)
        self.subscribed("c", handler)
        self.publish(*range(8))
        self.session.close()
        while handler.begun:
            handler.done()
            self.settle()
        self.assertIsInstance(errors[0], ClientClosed)
        self.assertEqual(handler, list(range(8)))


class OrderTests(SubscriptionTestCase):
    """One at a time, and what comes in between."""

    def test_one_at_a_time(self) -> None:
        """With a buffer of one, the next is begun when the last is done."""
        handler = Slow()
        subscribing = self.confirm(self.socket.subscribe("c", handler, buffer_limit=1))
        self.publish(*range(10))
        for number in range(10):
            self.assertEqual(handler, list(range(number + 1)))
            handler.done()
            self.settle()
        self.assertEqual(self.successResultOf(subscribing).dropped, 0)

    def test_some_are_done_at_once(self) -> None:
        """Whatever kind each call turns out to be of, the order is that of the messages."""
        heard: list[int] = []
        begun: list[Deferred[None]] = []

        async def coroutine(message: int) -> None:
            await begun[0]

        def handler(message: int) -> Any:
            heard.append(message)
            if message % 4 == 0:
                begun.append(Deferred())
                return begun[-1]
            if message % 4 == 1:
                return coroutine(message)
            return succeed(message) if message % 4 == 2 else None

        self.subscribed("c", handler)
        self.session.send(*({"channel": "c", "message": number} for number in range(200)))
        self.settle()
        self.assertLess(len(heard), 20)
        while begun:
            begun.pop(0).callback(None)
            self.settle()
        self.assertEqual(heard, list(range(200)))

    def test_sets_the_reading_going(self) -> None:
        """A handler that makes the socket be read again is not called in between itself."""
        calls: list[str] = []
        begun: list[Deferred[None]] = []
        other = self.subscribed("other", Slow())

        def handler(message: int) -> Any:
            if message < 0:
                begun.append(Deferred())
                return begun[-1]
            calls.append(f"begin {message}")
            other.unsubscribe()
            calls.append(f"end {message}")
            return None

        self.successResultOf(self.confirm(self.socket.subscribe("c", handler, buffer_limit=2)))
        self.session.send(
            *({"channel": "c", "message": number} for number in (-1, -2, 0)),
            *({"channel": "other", "message": number} for number in range(8)),
            *({"channel": "c", "message": number} for number in (1, 2)),
        )
        self.settle()
        self.assertEqual((len(begun), calls), (2, []))
        begun[0].callback(None)
        self.assertEqual(calls, [f"{when} {n}" for n in range(3) for when in ("begin", "end")])
        begun[1].callback(None)

    def confirm(self, subscribing: Deferred[Any]) -> Deferred[Any]:
        """The same, confirmed by the server."""
        self.settle()
        self.session.subscribed("c")
        self.settle()
        return subscribing
