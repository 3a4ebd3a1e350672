"""
When requests are sent.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.client.request import Completion, Request
from txtokensock.client.request_queue import RequestQueue
from txtokensock.errors import CallTimeout, ClientClosed, RemoteError, SockJSClosed
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
    """Requests whose time is over together."""

    def test_stop_meanwhile(self) -> None:
        """One that is over may lead to an end of all: then no other one is."""
        clock = Clock()
        queue = RequestQueue(clock, 100, 1_000_000, Calls())
        queue.reopen()

        def end(failure: Failure) -> None:
            failure.trap(CallTimeout)
            queue.close(ClientClosed("the client was stopped"))()

        first = queue.submit(Request(b"a", "a", "a"), 1.0).addErrback(end)
        second = queue.submit(Request(b"b", "b", "b"), 1.0)
        clock.pump([1, 0])
        self.assertIsNone(self.successResultOf(first))
        self.failureResultOf(second, ClientClosed)
        self.assertEqual(clock.getDelayedCalls(), [])
