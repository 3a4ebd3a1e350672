"""
Calls to the server.
"""

from __future__ import annotations

from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from txtokensock.errors import (
    Forbidden,
    FunctionNotFound,
    InvalidData,
    InvalidOption,
    RemoteError,
)

from .support import RPCTestCase


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
        """An answer without ``resp`` is None."""
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
        """Errors come as they were sent, of every type, with a readable text."""
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
        """What JavaScript takes for false is no error."""
        for error in (None, 0, "", False, 0.0):
            call, request = self.call("f")
            self.session.send({**request, "error": error, "resp": 1})
            self.settle()
            self.assertEqual(self.successResultOf(call), 1)

    def test_error_wins(self) -> None:
        """Both a result and an error is an error."""
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
        """The first answer counts; others, and answers to nothing, are ignored."""
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
        """Calls of one turn leave in one frame, in order, while others are in flight."""
        self.socket.rpc("f0").addErrback(lambda _: None)
        self.settle()
        for number in range(1, 5):
            self.socket.rpc(f"f{number}").addErrback(lambda _: None)
        self.settle()
        names = [f"f{number}" for number in range(5)]
        self.assertEqual([message["rpc"] for message in self.session.received], names)
        self.assertEqual([len(f) for f in self.session.frames[1:]], [1, 4])  # after auth

    def test_a_lone_call_leaves_at_once(self) -> None:
        """What is asked when nothing is in flight does not wait for the next turn."""
        for number in range(5):
            self.socket.rpc(f"f{number}").addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[1:]], [1, 4])

    def test_a_publish_without_acknowledgement_is_gathered(self) -> None:
        """Nothing is ever in flight then, and so each would have a frame of its own."""
        for number in range(5):
            self.socket.publish("c", number).addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[1:]], [5])

    def test_what_a_read_provokes(self) -> None:
        """Calls that the answers of one read lead to leave in one frame, in order."""
        calls = [self.socket.rpc(f"f{number}") for number in range(5)]
        self.settle()
        for call in calls:
            call.addCallback(self.socket.rpc).addErrback(lambda _: None)
        self.session.send(
            *({"uuid": one["uuid"], "resp": f"g{one['rpc']}"} for one in self.session.received)
        )
        self.settle()
        names = [one["rpc"] for one in self.session.received[5:]]
        self.assertEqual(names, [f"gf{number}" for number in range(5)])
        self.assertEqual(len(self.session.frames[-1]), 5)

    def test_frames_are_bounded(self) -> None:
        """Many, or large, messages are more than one frame."""
        self.socket.rpc("f").addErrback(lambda _: None)
        for _ in range(300):
            self.socket.rpc("f").addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[2:]], [128, 128, 44])
        for _ in range(4):
            self.socket.rpc("f", "x" * 40_000).addErrback(lambda _: None)
        self.settle()
        self.assertEqual([len(f) for f in self.session.frames[5:]], [2, 2])

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
