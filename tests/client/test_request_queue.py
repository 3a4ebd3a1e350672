"""
When requests are sent.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.client.request import Completion, Request
from txtokensock.client.request_deadlines import RequestDeadlines
from txtokensock.client.request_queue import RequestQueue
from txtokensock.errors import CallTimeout, RemoteError, SockJSClosed
from txtokensock.messages.from_server import Answer

from ..common import Calls


class RequestConnection:
    """A connection that remembers what was sent."""

    acks = False
    limits = None
    writable = reading = True
    delivering = False

    def __init__(self) -> None:
        self.frames: list[list[bytes]] = []

    def send(self, messages: list[bytes]) -> None:
        self.frames.append(messages)


class TurnTests(SynchronousTestCase):
    """In which turn, and with what others."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.queue = RequestQueue(self.clock, 100, 1_000_000, Calls())
        self.queue.reopen()
        self.connection = RequestConnection()
        self.queue.attach(self.connection)

    def submit(self, name: str, **options: Any) -> None:
        """Ask for something."""
        self.queue.submit(Request(name.encode(), name, name, **options), 60.0)

    def test_alone(self) -> None:
        """What is asked when nothing is in flight leaves at once, and what follows together."""
        for name in "abc":
            self.submit(name)
        self.assertEqual(self.connection.frames, [[b"a"]])
        self.clock.advance(0)
        self.assertEqual(self.connection.frames, [[b"a"], [b"b", b"c"]])

    def test_while_reading(self) -> None:
        """What a read provokes leaves with its end, and no turn is needed for that."""
        self.submit("a")
        self.connection.delivering = True
        self.queue.answered(Answer("a", 1))
        self.submit("b")
        self.submit("c")
        self.assertEqual(self.connection.frames, [[b"a"]])
        self.connection.delivering = False
        self.queue.flush()
        self.assertEqual(self.connection.frames, [[b"a"], [b"b", b"c"]])

    def test_without_an_answer(self) -> None:
        """What has no answer to wait for is gathered always: nothing says that it arrived."""
        for name in "abc":
            self.submit(name, completion=Completion.SENT)
        self.assertEqual(self.connection.frames, [])
        self.clock.advance(0)
        self.assertEqual(self.connection.frames, [[b"a", b"b", b"c"]])


class LeavingTests(SynchronousTestCase):
    """A server that is about to close."""

    def test_not_begun(self) -> None:
        """What may be sent again is, first on the next connection; meanwhile all else waits."""
        queue = RequestQueue(Clock(), 100, 1_000_000, Calls())
        queue.reopen()
        first, second = RequestConnection(), RequestConnection()
        queue.attach(first)
        outcomes = {
            name: queue.submit(Request(name.encode(), name, name, idempotent=name != "c"), 60.0)
            for name in ("a", "b", "c")
        }
        queue.flush()
        self.assertEqual(first.frames, [[b"a"], [b"b", b"c"]])
        for name in ("a", "b", "c"):
            queue.answered(Answer(name, error="Server shutting down", leaving=True))
        error = self.failureResultOf(outcomes["c"], RemoteError).value
        self.assertEqual(error.error, "Server shutting down")
        outcomes["d"] = queue.submit(Request(b"d", "d", "d"), 60.0)
        queue.flush()
        self.assertEqual(len(first.frames), 2)
        queue.detach(SockJSClosed(4503, "Server shutting down"))
        queue.attach(second)
        queue.flush()
        self.assertEqual(second.frames, [[b"a", b"b", b"d"]])
        for name in ("a", "b", "d"):
            self.assertNoResult(outcomes[name])
            queue.answered(Answer(name, name))
            self.assertEqual(self.successResultOf(outcomes[name]), name)

    def test_withdrawn(self) -> None:
        """What is cancelled or late meanwhile is not sent again."""
        clock = Clock()
        queue = RequestQueue(clock, 100, 1_000_000, Calls())
        queue.reopen()
        queue.attach(RequestConnection())
        cancelled = queue.submit(Request(b"a", "a", "a", idempotent=True), 60.0)
        late = queue.submit(Request(b"b", "b", "b", idempotent=True), 3.0)
        queue.flush()
        for name in ("a", "b"):
            queue.answered(Answer(name, error="no", leaving=True))
        cancelled.cancel()
        self.failureResultOf(cancelled, CancelledError)
        clock.advance(3.0)
        self.failureResultOf(late, CallTimeout)
        queue.detach(SockJSClosed(4503, "Server shutting down"))
        connection = RequestConnection()
        queue.attach(connection)
        queue.flush()
        self.assertEqual(connection.frames, [])


class DeadlineTests(SynchronousTestCase):
    """Many deadlines on one timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.expired: list[str] = []
        self.deadlines = RequestDeadlines(self.clock, lambda one: self.expired.append(one.uuid))

    def add(self, name: str, seconds: float) -> Request:
        """A request that is not done."""
        request = Request(b"", name, name)
        request.timeout = seconds
        request.deferred = Deferred()
        self.deadlines.add(request)
        return request

    def test_order(self) -> None:
        """Each is over in its time, whatever was added before it; together by deadline."""
        for name, seconds in (("a", 5.0), ("b", 3.0), ("c", 5.0), ("d", 0.5)):
            self.add(name, seconds)
        for seconds, expired in ((0.5, "d"), (2.5, "db"), (1.75, "db"), (0.25, "dbac")):
            self.clock.pump([seconds, 0])
            self.assertEqual("".join(self.expired), expired)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(len(self.deadlines), 0)

    def test_done(self) -> None:
        """What is done is not over, and does not hold up what is behind it."""
        first = self.add("a", 5.0)
        self.clock.advance(1)
        self.add("b", 5.0)
        first.deferred = None
        self.clock.pump([4, 0])
        self.assertEqual(self.expired, [])
        self.clock.pump([1, 0])
        self.assertEqual(self.expired, ["b"])

    def test_stop_meanwhile(self) -> None:
        """One that is over may lead to an end of all: then no other one is."""
        self.deadlines = RequestDeadlines(self.clock, lambda one: self.end(one))
        self.add("a", 1.0)
        self.add("b", 1.0)
        self.clock.pump([1, 0])
        self.assertEqual(self.expired, ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def end(self, request: Request) -> None:
        self.expired.append(request.uuid)
        self.deadlines.stop()

    def test_memory(self) -> None:
        """What is done is forgotten, also behind one that is not, and whatever its timeout."""
        self.add("a", 1000.0)
        for number in range(10_000):
            self.add(str(number), 1000.0 + number % 7).deferred = None
        self.assertLess(len(self.deadlines), 200)
