"""
Calls to the server.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import CancelledError, Deferred

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidData,
    InvalidOption,
    QueueFull,
    RemoteError,
)

from ..support import ServerTestCase


class RPCTestCase(ServerTestCase):
    """With a client that is ready."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.ready()

    def call(self, *arguments: Any, **options: Any) -> tuple[Deferred[Any], Any]:
        """A call, and the request that the server got."""
        call = self.socket.rpc(*arguments, **options)
        self.settle()
        return call, self.session.received[-1]

    def error_of(self, error: Any) -> Any:
        """What a call fails with that the server answers so."""
        call, request = self.call("f")
        self.session.refuse(request, error)
        self.settle()
        return self.failure(call, RemoteError)


class AnswerTests(RPCTestCase):
    """What the server answers."""

    def test_result(self) -> None:
        """Any JSON is a result, null too."""
        for result in (None, 0, "", False, [], {}, "é 😀 \0", 1.5, {"a": [1, {"b": None}]}):
            call, request = self.call("f", result)
            self.assertEqual((request["rpc"], request["req"]), ("f", result))
            self.session.answer(request, result)
            self.settle()
            self.assertEqual(self.successResultOf(call), result)

    def test_no_result(self) -> None:
        """An answer without ``resp`` is None (S17)."""
        call, request = self.call("f")
        self.session.send({"rpc": "f", "uuid": request["uuid"]})
        self.settle()
        self.assertIsNone(self.successResultOf(call))

    def test_undefined(self) -> None:
        """Without an argument ``req`` is null; UNSET leaves it out, as JavaScript does."""
        for data, expected in (((), {"req": None}), ((msgspec.UNSET,), {})):
            call, request = self.call("f", *data)
            self.assertEqual(request, {"rpc": "f", "uuid": request["uuid"], **expected})
            self.session.answer(request)
            self.settle()
            self.successResultOf(call)

    def test_errors(self) -> None:
        """Errors come as they were sent, of every type, with a readable text (S17)."""
        readable = {
            "oops": "rpc 'f': oops",
            5: "rpc 'f': 5",
            True: "rpc 'f': True",
        }
        for error, text in readable.items():
            raised = self.error_of(error)
            self.assertEqual((raised.error, str(raised)), (error, text))
        raised = self.error_of({"message": "bad", "code": 42})
        self.assertEqual(raised.error, {"message": "bad", "code": 42})
        self.assertEqual(str(raised), "rpc 'f': bad")
        self.assertEqual(self.error_of([{"field": "a"}]).error, [{"field": "a"}])

    def test_empty_errors_are_errors(self) -> None:
        """``{}``, as JSON has of an ``Error``, and ``[]`` are true in JavaScript: errors."""
        self.assertEqual(self.error_of({}).error, {})
        self.assertEqual(self.error_of([]).error, [])

    def test_falsy_errors_are_none(self) -> None:
        """What JavaScript takes for false is no error (S17)."""
        for error in (None, 0, "", False, 0.0):
            call, request = self.call("f")
            self.session.send({**request, "error": error, "resp": 1})
            self.settle()
            self.assertEqual(self.successResultOf(call), 1)

    def test_error_wins(self) -> None:
        """Both a result and an error is an error (S17)."""
        call, request = self.call("f")
        self.session.send({**request, "error": "no", "resp": 1})
        self.settle()
        self.failure(call, RemoteError)

    def test_known_errors(self) -> None:
        """The two texts of node-token-sockjs have classes of their own."""
        self.assertIsInstance(self.error_of("Function not found"), FunctionNotFound)
        self.assertIsInstance(self.error_of("Forbidden"), Forbidden)

    def test_long_error(self) -> None:
        """A long error is whole in ``.error``, and cut in the text."""
        raised = self.error_of("x" * 10_000)
        self.assertEqual(len(raised.error), 10_000)
        self.assertLess(len(str(raised)), 300)

    def test_order_does_not_matter(self) -> None:
        """Answers find their calls, in whatever order they come."""
        calls = [self.call(f"f{number}") for number in range(3)]
        for number, (_, request) in reversed(list(enumerate(calls))):
            self.session.answer(request, number)
        self.settle()
        self.assertEqual([self.successResultOf(call) for call, _ in calls], [0, 1, 2])

    def test_duplicates_and_strangers(self) -> None:
        """The first answer counts; others, and answers to nothing, are ignored (C18, S14)."""
        call, request = self.call("f")
        self.session.answer(request, 1)
        self.session.answer(request, 2)
        self.session.refuse(request, "late")
        for uuid in ("nobody", "__proto__", ""):
            self.session.send({"rpc": "__proto__", "uuid": uuid, "resp": 1})
            self.session.send({"rpc": "auth", "uuid": uuid, "error": "x"})
        self.settle()
        self.assertEqual(self.successResultOf(call), 1)
        self.assertTrue(self.socket.connected)


class SendingTests(RPCTestCase):
    """What is sent, and what cannot be."""

    def test_one_turn_one_frame(self) -> None:
        """Calls of one turn leave in one frame, in order."""
        for number in range(5):
            self.socket.rpc(f"f{number}").addErrback(lambda _: None)
        self.settle()
        names = [f"f{number}" for number in range(5)]
        self.assertEqual([message["rpc"] for message in self.session.received], names)
        self.assertEqual(len(self.session.frames), 2)  # auth was the first

    def test_frames_are_bounded(self) -> None:
        """Many, or large, messages are more than one frame."""
        for _ in range(300):
            self.socket.rpc("f").addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[1:]], [128, 128, 44])
        for _ in range(4):
            self.socket.rpc("f", "x" * 40_000).addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[4:]], [2, 2])

    def test_invalid_data(self) -> None:
        """What has no JSON form fails at once, and nothing is sent."""
        cycle: list[Any] = []
        cycle.append(cycle)
        for data in (float("nan"), [float("inf")], object(), cycle, "\ud800", {1j: 2}):
            self.failure(self.socket.rpc("f", data), InvalidData)
        self.settle()
        self.assertEqual(self.session.received, [])

    def test_invalid_names(self) -> None:
        """Names must be text, and not the protocol's own."""
        for name in ("", None, 5, "auth", "_rpc", "_subscribe", "_publish", "_broadcast"):
            self.failure(self.socket.rpc(name), InvalidData)  # type: ignore[arg-type]

    def test_invalid_timeouts(self) -> None:
        """A timeout is a positive number."""
        for timeout in (0, -1, float("nan"), float("inf"), "1", True):
            self.failure(self.socket.rpc("f", timeout=timeout), InvalidOption)  # type: ignore[arg-type]

    def test_awaitable(self) -> None:
        """A call can be awaited."""

        async def call() -> Any:
            return await self.socket.rpc("f")

        result = Deferred.fromCoroutine(call())
        self.settle()
        self.session.answer(self.session.received[0], 1)
        self.settle()
        self.assertEqual(self.successResultOf(result), 1)


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
        self.server.script(token="refuse")
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
        """It is not sent, also with a connection."""
        call = self.socket.rpc("f")
        call.cancel()
        self.failure(call, CancelledError)
        self.settle()
        self.assertEqual(self.session.received, [])

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
        """A call in flight fails in the turn of the loss, and is not sent again (C1)."""
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
        """Beyond the limit calls fail at once; what waits is sent (C13)."""
        client = self.client(queue_limit=3)
        waiting = [client.rpc("a"), client.publish("c", 1), client.broadcast(2)]
        for refused in (client.rpc("b"), client.publish("c", 2), client.broadcast(3)):
            self.failure(refused, QueueFull)
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
        """After end() nothing is queued (C7)."""
        client = self.ready()
        client.end()
        self.settle()
        self.failure(client.rpc("a"), ClientClosed)
