"""
What the server would not take is not sent, whichever way it came from the router.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import succeed

from txtokensock.bridge.wamp.realm import WampError

from .support import TrafficTestCase, rules
from .test_call_forwarding import ACTIONS, CALLS

NEWS = {"channel": "news", "topic": "com.example.news", "name": "news"}
ROOMS = {"channel": "r-*", "topic": "com.example.room.*", "name": "rooms"}


class LimitsTestCase(TrafficTestCase):
    """With a server whose limits are small, and an upstream that stays connected."""

    limits = {"message_size": 1000, "json_depth": 10, "channel_length": 20}

    def setUp(self) -> None:
        super().setUp()
        self.bridge = self.socket()
        lost: list[Any] = []
        self.bridge.on("disconnect", lost.append)
        self.addCleanup(lambda: self.assertEqual(lost, []))


class EventTests(LimitsTestCase):
    """Events of topics."""

    def test_too_large(self) -> None:
        """They are dropped and counted, each; what comes behind them arrives."""
        for direction in ("to-upstream", "both"):
            traffic = self.joined(
                rules(channels=[{**NEWS, "direction": direction}], queue_limit=2), self.bridge
            )
            events, messages = self.listen("com.example.news"), self.subscribe("news")
            deep: Any = 1
            for _ in range(20):
                deep = [deep]
            other, before = self.router.join(), self.count("news", "dropped")
            for data in ("x" * 1500, deep, '"' * 499, "fits"):
                other.publish("com.example.news", [data], {})
                self.settle()
            self.assertEqual(messages, ["fits"])
            self.assertEqual(len(events), 4)
            self.assertEqual(self.count("news", "dropped") - before, 3)
            self.assertEqual(traffic.in_flight, 0)
            self.outsider.publish("news", "x" * 900)  # which is nobody's echo
            self.settle()
            self.assertEqual(len(events), 5 if direction == "both" else 4)
            traffic.left()
            self.outsider.unsubscribe("news")
            self.settle()

    def test_channel_too_long(self) -> None:
        """A topic whose channel the server would not take, heard and demanded."""
        self.joined(rules(channels=[{**ROOMS, "direction": "both"}]), self.bridge)
        name = "x" * 30
        self.listen(f"com.example.room.{name}")
        self.component.publish(f"com.example.room.{name}", [1], {})
        self.router.join().publish(f"com.example.room.{name}", [1], {})
        self.settle()
        self.assertEqual([peer.channels for peer in self.memory.server.peers()], [[], []])
        self.assertGreaterEqual(self.count("rooms", "in"), 1)
        self.assertEqual(self.count("rooms", "out"), 0)


class CallTests(LimitsTestCase):
    """Calls, both ways."""

    def test_call(self) -> None:
        """The caller is answered, alone."""
        self.joined(rules(calls=CALLS), self.bridge)
        deep: Any = 1
        for _ in range(10):
            deep = [deep]
        for data, uri, limit in (
            ("x" * 1000, "tokensock.error.too_large", "message_size is 1000"),
            (deep, "wamp.error.invalid_argument", "limit json_depth"),
        ):
            called = self.component.call("com.example.echo", [data], {}, 10)
            self.settle()
            error = self.failureResultOf(called, WampError).value
            self.assertEqual((error.uri, error.kwargs), (uri, {}))
            self.assertIn(limit, error.message)
            fits = self.component.call("com.example.echo", [1], {}, 10)
            self.settle()
            self.assertEqual(self.successResultOf(fits), ([1], {}))
        self.assertEqual((self.count("echo", "refused"), self.count("echo", "out")), (2, 2))

    def test_result(self) -> None:
        """A result of a procedure that the server would not take: it is told so."""
        self.joined(rules(actions=ACTIONS), self.bridge)
        peer = self.memory.server.peers()[-1]
        results: list[Any] = ["x" * 1000, [[[[[[[[[[1]]]]]]]]]], "fits"]
        self.component.register(
            "com.example.notify", "exact", lambda *_: succeed(([results.pop(0)], {}))
        )
        self.settle()
        for limit in ("message_size", "json_depth"):
            called = peer.rpc("notify")
            self.settle()
            self.assertIn(limit, str(self.failureResultOf(called).value))
        called = peer.rpc("notify")
        self.settle()
        self.assertEqual(self.successResultOf(called), "fits")

    def test_error(self) -> None:
        """The same for a procedure's own error."""
        self.joined(rules(actions=ACTIONS), self.bridge)
        peer = self.memory.server.peers()[-1]

        def fails(*_: object) -> Any:
            raise WampError("com.example.no", ["x" * 1000])

        self.component.register("com.example.notify", "exact", fails)
        self.settle()
        called = peer.rpc("notify")
        self.settle()
        self.assertIn("message_size", str(self.failureResultOf(called).value))
