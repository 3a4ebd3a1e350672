"""
One WAMP session cannot use up what the server takes from the bridge.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txtokensock.bridge.wamp.realm import WampError

from .router import Session
from .support import TrafficTestCase, rules
from .test_call_forwarding import CALLS

TOO_MANY = "tokensock.error.too_many_requests"


class CallTests(TrafficTestCase):
    """Calls of WAMP sessions."""

    limits = {"calls": 4}

    def setUp(self) -> None:
        super().setUp()
        self.joined(rules(calls=CALLS))
        self.other = self.router.join()

    def call(self, session: Session, function: str = "never") -> Deferred[Any]:
        """A call of a session's."""
        called = session.call(f"com.example.rpc.{function}", [1], {}, 10)
        self.settle()
        return called

    def refused(self, called: Deferred[Any]) -> None:
        """It was not sent."""
        error: WampError = self.failureResultOf(called, WampError).value
        self.assertEqual(error.uri, TOO_MANY)
        self.assertIn("share of the server's limit calls", error.message)

    def test_disclosed(self) -> None:
        """Where the router says who calls, each session has a share."""
        self.router.disclosing = True
        self.assertEqual(self.successResultOf(self.call(self.other, "echo")), ([1], {}))
        calls = [self.call(self.component) for _ in range(2)]
        self.refused(self.call(self.component))
        self.assertEqual(self.successResultOf(self.call(self.other, "echo")), ([1], {}))
        self.assertEqual(self.count("call:com.example.rpc.*", "refused"), 1)
        self.assertEqual(len(self.never), 2)
        for waiting in self.never:
            waiting.callback(5)
        self.settle()
        for call in calls:
            self.assertEqual(self.successResultOf(call), ([5], {}))
        self.assertEqual(self.successResultOf(self.call(self.component, "echo")), ([1], {}))

    def test_not_disclosed(self) -> None:
        """Else they are one caller, of whom there is nobody else here."""
        calls = [self.call(session) for session in (self.component, self.other) * 2]
        self.refused(self.call(self.other))
        self.memory.advance(2)  # the rule's timeout; the server goes on
        self.settle()
        for call in calls:
            self.failureResultOf(call, WampError)
        for waiting in self.never:
            waiting.callback(None)
        self.settle()
        self.assertEqual(self.successResultOf(self.call(self.other, "echo")), ([1], {}))


class LargeCallTests(TrafficTestCase):
    """What calls hold."""

    limits = {"messages_per_second": 10, "message_burst": 100}

    def test_large(self) -> None:
        """Each 64 KiB count as a message more."""
        self.joined(rules(calls=CALLS))
        calls = [
            self.component.call("com.example.rpc.echo", ["x" * 900_000], {}, 10) for _ in range(10)
        ]
        self.settle()
        outcomes: list[Any] = []
        for call in calls:
            call.addBoth(outcomes.append)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Failure)]
        self.assertEqual({failure.value.uri for failure in refused}, {TOO_MANY})
        self.assertEqual(len(refused), 4)


class EventTests(TrafficTestCase):
    """Events of topics."""

    limits = {"messages_per_second": 10, "message_burst": 100}
    RULE = {
        "channel": "news",
        "topic": "com.example.news",
        "direction": "to-upstream",
        "name": "news",
    }

    def test_rate(self) -> None:
        """What is above the share is dropped, counted and logged; nobody is cut off."""
        self.joined(rules(channels=[self.RULE]))
        messages = self.subscribe("news")
        for number in range(200):
            self.component.publish("com.example.news", [number], {})
        self.settle()
        self.assertEqual(messages, list(range(90)))
        self.assertEqual(self.counts(), (200, 90, 110))
        for _ in range(10):
            self.memory.advance(0.1)
        self.component.publish("com.example.news", ["later"], {})
        self.settle()
        self.assertEqual(messages[-1], "later")
        self.assertEqual(self.counts(), (201, 91, 110))

    def test_both_ways(self) -> None:
        """The same for a channel that is forwarded as well; its echoes are not waited for."""
        self.joined(rules(channels=[{**self.RULE, "direction": "both"}]))
        events, messages = self.listen("com.example.news"), self.subscribe("news")
        other = self.router.join()
        for number in range(200):
            other.publish("com.example.news", [number], {})
        self.settle()
        sent = len(messages)
        self.assertEqual(messages, list(range(sent)))
        self.assertEqual(self.counts(), (200, sent, 200 - sent))
        self.assertEqual(events, list(range(200)))
        self.outsider.publish("news", 150)  # which was dropped, and is not taken for ours
        self.settle()
        self.assertEqual(events[200:], [150])

    def test_large(self) -> None:
        """A large event counts for the rate as the server counts it: each 64 KiB as one more."""
        for direction in ("to-upstream", "both"):
            self.tearDown()
            self.setUp()
            self.joined(rules(channels=[{**self.RULE, "direction": direction}]))
            other = self.router.join()
            for _ in range(10):
                other.publish("com.example.news", ["x" * 900_000], {})
            self.settle()
            dropped = self.count("news", "dropped")
            self.assertEqual(dropped, 4, direction)  # of the 90 that may be used, each took 14

    def counts(self) -> tuple[int, int, int]:
        """In, out and dropped."""
        return self.count("news", "in"), self.count("news", "out"), self.count("news", "dropped")


class ChannelTests(TrafficTestCase):
    """Channels that are forwarded because somebody subscribes to their topics."""

    limits = {"channels": 2}
    RULE = {"channel": "room-*", "topic": "com.example.room.*", "direction": "to-wamp"}

    @property
    def channels(self) -> list[str]:
        """What the bridge is subscribed to."""
        return sorted(name for peer in self.memory.server.peers() for name in peer.channels)

    def test_too_many(self) -> None:
        """As many as the server takes, the others later; none is too many for others."""
        self.joined(rules(channels=[{**self.RULE, "name": "rooms"}]))
        sessions = [self.router.join() for _ in range(4)]
        for number, session in enumerate(sessions):
            session.subscribe(f"com.example.room.{number}", "exact", lambda *_: None)
            self.settle()
        self.assertEqual(self.channels, ["room-0", "room-1"])
        self.assertEqual(self.count("rooms", "refused"), 2)
        for _ in range(3):
            self.memory.advance(10)
        self.assertEqual(self.count("rooms", "refused"), 2)
        for gone in range(2):
            sessions[gone].lose()
            self.settle()
        self.memory.advance(10)
        self.settle()
        self.assertEqual(self.channels, ["room-2", "room-3"])

    def test_others_give_back(self) -> None:
        """What another caller had is taken some seconds later."""
        traffic = self.joined(rules(channels=[self.RULE]))
        shares = traffic._channels._shares
        for _ in range(2):
            shares.hold(["other", "more"])
            session = self.router.join()
            session.subscribe("com.example.room.1", "exact", lambda *_: None)
            self.settle()
            self.assertEqual(self.channels, [])
            shares.give(["other", "more"])
            self.memory.advance(10)
            self.settle()
            self.assertEqual(self.channels, ["room-1"])
            session.lose()
            self.settle()

    def test_given_back(self) -> None:
        """Each time that nobody subscribes any more, and when it is another bridge's turn."""
        traffic = self.joined(rules(channels=[self.RULE]))
        for number in range(5):
            session = self.router.join()
            for topic in (number, number + 1):
                session.subscribe(f"com.example.room.{topic}", "exact", lambda *_: None)
            self.settle()
            self.assertEqual(self.channels, [f"room-{number}", f"room-{number + 1}"])
            session.lose()
            self.settle()
            self.assertEqual(self.channels, [])
        traffic.reload(rules(channels=[self.RULE], lease="com.example.lease"))
        self.settle()
        session = self.router.join()
        for topic in range(2):
            session.subscribe(f"com.example.room.{topic}", "exact", lambda *_: None)
        self.settle()
        self.assertEqual(self.channels, ["room-0", "room-1"])
