"""
Subscribers are told when messages may be missing.
"""

from __future__ import annotations

from typing import Any

from txtokensock import Gap
from txtokensock.errors import InvalidOption, PeerSilent, RemoteError

from ..common import Calls
from .support import ChannelTestCase


class GapTests(ChannelTestCase):
    """The time between the last sign of one connection and the subscription on the next."""

    def setUp(self) -> None:
        super().setUp()
        self.events = Calls()
        self.socket.on("gap", self.events)

    @property
    def now(self) -> float:
        return self.server.clock.seconds()

    def noticing(self, channel: str = "c", **options: Any) -> tuple[Any, Calls]:
        """A confirmed subscription, and what it is told of gaps."""
        told = Calls()
        subscribing = self.socket.subscribe(channel, on_gap=told, **options)
        self.settle()
        self.session.subscribed(channel)
        self.settle()
        return self.successResultOf(subscribing), told

    def test_reconnected(self) -> None:
        """A reset: since the last frame, until the server has confirmed anew."""
        subscription, told = self.noticing()
        self.advance(3)
        self.session.publish("c", 1)
        self.settle()
        since = self.now
        self.advance(2)
        self.session.drop()
        self.advance(5)
        self.assertEqual((told, self.events), ([], []))
        self.confirm_all()
        gap = Gap("c", since=since, until=self.now)
        self.assertEqual(self.now - since, 7)
        self.assertEqual((told, self.events), ([(subscription, gap)], [gap]))

    def test_every_sign_counts(self) -> None:
        """The last sign may be a heartbeat or a WebSocket ping, and the close itself."""
        for sign in (
            lambda: self.session.send_frame("h"),
            lambda: self.session.ping(),
            lambda: self.session.close(),
        ):
            _, told = self.noticing()
            self.advance(5)
            sign()
            self.settle()
            since = self.now
            self.advance(1)
            self.session.drop()
            self.advance(1)
            self.confirm_all()
            self.assertEqual(told[0][1].since, since)
            self.socket.unsubscribe("c")
            self.settle()
            self.confirm_all()

    def test_silence(self) -> None:
        """Of a server that was dead for long, the gap begins when it was heard last."""
        lost = Calls()
        self.socket = self.ready(silence_timeout=60.0)
        self.socket.on("disconnect", lost)
        _, told = self.noticing()
        since = self.now
        self.session.stop_reading()
        self.advance(90)
        self.confirm_all()
        self.assertIsInstance(lost[0], PeerSilent)
        self.assertEqual((told[0][1].since, told[0][1].until), (since, self.now))

    def test_several_losses(self) -> None:
        """It goes on until a connection lasts long enough to subscribe."""
        _, told = self.noticing()
        since = self.now
        for _ in range(3):
            self.session.drop()
            self.advance(3)
        self.assertEqual(told, [])
        self.confirm_all()
        self.assertEqual([gap.since for _, gap in told], [since])
        self.session.drop()
        self.advance(3)
        self.confirm_all()
        self.assertEqual(len(told), 2)
        self.assertLess(told[0][1].until, told[1][1].since + 0.001)

    def test_refused_for_a_while(self) -> None:
        """It goes on while the server refuses."""
        _, told = self.noticing()
        since = self.now
        self.session.drop()
        self.advance(1)
        self.session.refuse(self.session.received[0], "busy")
        self.settle()
        self.assertIsInstance(self.errors[0], RemoteError)
        self.advance(1)
        self.assertEqual(told, [])
        self.session.subscribed("c")
        self.settle()
        self.assertEqual([gap.since for _, gap in told], [since])

    def test_ended_by_the_server(self) -> None:
        """A server that ends a subscription, and takes it again, leaves a gap as well."""
        _, told = self.noticing(retry=lambda failure, number: 5.0)
        self.advance(1)
        since = self.now
        self.session.unsubscribed("c")
        self.advance(6)
        self.session.subscribed("c")
        self.settle()
        self.assertEqual([(gap.since, gap.until) for _, gap in told], [(since, self.now)])

    def test_all_subscriptions(self) -> None:
        """Each of a channel is told; the event comes once for a channel, with all of the time."""
        _, one = self.noticing()
        since = self.now
        self.advance(1)
        self.session.publish("c", 1)
        self.settle()
        two = Calls()
        self.successResultOf(self.socket.subscribe("c", on_gap=two))
        _, other = self.noticing("d")
        self.session.drop()
        self.advance(1)
        three = Calls()
        self.socket.subscribe("c", on_gap=three)
        self.confirm_all()
        self.assertEqual([len(told) for told in (one, two, three, other)], [1, 1, 0, 1])
        self.assertEqual([gap.channel for gap in self.events], ["c", "d"])
        self.assertGreater(self.events[0].since, since)

    def test_store_of_the_server(self) -> None:
        """A server that could not hear its store says so; the connection is the same."""
        subscription, told = self.noticing()
        self.advance(9)
        for data in (
            {"channel": "c", "gap": 2.5},
            {"channel": "d", "gap": 2.5},
            {"channel": "c", "gap": "x"},
            {"channel": "c", "gap": -1},
            {"channel": "c"},
        ):
            self.session.send({"internal": True, "command": "subscribe", "data": data})
        self.settle()
        gap = Gap("c", since=self.now - 2.5, until=self.now)
        self.assertEqual((told, self.events), ([(subscription, gap)], [gap]))
        self.assertTrue(subscription.confirmed)

    def test_no_gap(self) -> None:
        """Nothing is missed by who had not subscribed, or does not any more."""
        self.subscribing("c")
        self.session.drop()
        self.advance(1)
        self.confirm_all()
        subscription, told = self.noticing("d")
        self.session.drop()
        self.settle()
        subscription.unsubscribe()
        self.advance(1)
        self.confirm_all()
        self.assertEqual(told, [])
        self.assertEqual([gap.channel for gap in self.events], ["c"])

    def test_between_the_messages(self) -> None:
        """It is told behind the messages of the old connection, before those of the new one."""
        order: list[Any] = []
        self.socket.subscribe("c", order.append, on_gap=lambda _, gap: order.append("gap"))
        self.settle()
        self.confirm_all()
        self.session.publish("c", 1)
        self.session.hang_up()
        self.advance(1)
        self.session.send(
            {"internal": True, "command": "subscribe", "data": {"channel": "c"}},
            {"channel": "c", "message": 2},
        )
        self.settle()
        self.assertEqual(order, [1, "gap", 2])

    def test_whoever_listens(self) -> None:
        """A listener may unsubscribe, and raise."""

        def leave(subscription: Any, gap: Gap) -> None:
            subscription.unsubscribe()
            raise RuntimeError("listener")

        self.socket.subscribe("c", on_gap=leave)
        self.settle()
        self.confirm_all()
        self.session.drop()
        self.advance(1)
        self.confirm_all()
        self.assertEqual(self.requests, [("_subscribe", "c"), ("_unsubscribe", "c")])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_checked(self) -> None:
        """What cannot be called is refused."""
        self.failure(self.socket.subscribe("c", on_gap=5), InvalidOption)  # type: ignore[arg-type]
