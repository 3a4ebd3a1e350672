"""
subscribe() and unsubscribe(): changes of mind, and of the connection.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    Forbidden,
    InvalidChannel,
    InvalidOption,
)

from .support import ChannelTestCase


class RaceTests(ChannelTestCase):
    """Changes of mind, while the server is asked."""

    def test_unsubscribe_before_confirmation(self) -> None:
        """The subscription fails as cancelled; the server is told when it has confirmed."""
        subscribing = self.subscribing()
        leaving = self.socket.unsubscribe("c")
        self.failure(subscribing, CancelledError)
        self.settle()
        self.assertEqual(self.requests, [("_subscribe", "c")])
        self.pending(leaving)
        self.session.subscribed("c")
        self.settle()
        self.assertEqual(self.requests[1:], [("_unsubscribe", "c")])
        self.session.unsubscribed("c")
        self.settle()
        self.successResultOf(leaving)

    def test_unsubscribe_before_refusal(self) -> None:
        """Where the server refuses, there is nothing left to take back."""
        subscribing = self.subscribing()
        leaving = self.socket.unsubscribe("c")
        self.failure(subscribing, CancelledError)
        self.settle()
        self.session.refuse(self.session.received[-1])
        self.settle()
        self.successResultOf(leaving)
        self.assertEqual(self.socket.channels(), [])

    def test_subscribe_unsubscribe_subscribe(self) -> None:
        """The last word counts, and what it overtook does not wait for ever."""
        first = self.subscribing()
        leaving = self.socket.unsubscribe("c")
        last = self.socket.subscribe("c")
        self.failure(first, CancelledError)
        self.session.subscribed("c")
        self.settle()
        self.assertTrue(self.successResultOf(last).active)
        self.successResultOf(leaving)
        self.assertEqual(self.requests, [("_subscribe", "c")])

    def test_subscribe_while_unsubscribing(self) -> None:
        """It is asked for again when the server has confirmed the end."""
        self.subscribed()
        leaving = self.socket.unsubscribe("c")
        self.settle()
        again = self.socket.subscribe("c")
        self.settle()
        self.assertEqual(len(self.requests), 2)
        self.session.unsubscribed("c")
        self.settle()
        self.successResultOf(leaving)
        self.pending(again)
        self.assertEqual(self.requests[2:], [("_subscribe", "c")])
        self.session.subscribed("c")
        self.settle()
        self.successResultOf(again)

    def test_in_one_turn(self) -> None:
        """Subscribed and unsubscribed in one turn, the server is asked at most twice."""
        subscribing = self.socket.subscribe("c")
        leaving = self.socket.unsubscribe("c")
        self.failure(subscribing, CancelledError)
        for _ in range(3):
            self.settle()
            self.confirm_all()
        self.successResultOf(leaving)
        self.assertLessEqual(len(self.requests), 2)
        self.assertEqual(self.socket.channels(), [])

    def test_loss_while_subscribing(self) -> None:
        """It is asked for again on the next connection, and fires then."""
        subscribing = self.subscribing()
        self.session.drop()
        self.advance(0.1)
        self.pending(subscribing)
        self.assertEqual(self.requests, [("_subscribe", "c")])
        self.confirm_all()
        self.successResultOf(subscribing)

    def test_loss_while_unsubscribing(self) -> None:
        """The connection took the subscription with it."""
        self.subscribed()
        leaving = self.socket.unsubscribe("c")
        self.settle()
        self.session.drop()
        self.settle()
        self.successResultOf(leaving)
        self.advance(0.1)
        self.assertEqual(self.requests, [])


class ReconnectTests(ChannelTestCase):
    """What is asked for on the next connection."""

    def test_wanted_now(self) -> None:
        """What is wanted, in the order of subscribing; not what was dropped meanwhile."""
        kept, dropped = self.subscribed("kept"), self.subscribed("dropped")
        self.session.drop()
        self.settle()
        self.successResultOf(dropped.unsubscribe())
        new = self.socket.subscribe("new")
        brief = self.socket.subscribe("brief")
        self.successResultOf(self.socket.unsubscribe("brief"))
        self.failure(brief, CancelledError)
        self.assertEqual(self.socket.channels(), ["kept", "new"])
        self.advance(0.1)
        self.assertEqual(self.requests, [("_subscribe", "kept"), ("_subscribe", "new")])
        self.confirm_all()
        self.assertTrue(self.successResultOf(new).active)
        self.assertTrue(kept.active)

    def test_before_the_queue(self) -> None:
        """Subscriptions go before whatever waited."""
        self.subscribed("c")
        self.session.drop()
        self.settle()
        self.socket.publish("c", 1)
        self.socket.rpc("f").addErrback(lambda _: None)
        self.socket.subscribe("d").addErrback(lambda _: None)
        self.advance(0.1)
        names = [rpc for rpc, _ in self.requests]
        self.assertEqual(names, ["_subscribe", "_subscribe", "_publish", "f"])

    def test_refused_on_reconnect(self) -> None:
        """A refusal then ends it: listeners hear, nobody asks again."""
        subscription = self.subscribed()
        self.session.drop()
        self.advance(0.1)
        self.session.refuse(self.session.received[0])
        self.settle()
        self.assertFalse(subscription.active)
        self.assertEqual([type(error) for error in self.errors], [Forbidden])
        self.assertEqual(self.socket.channels(), [])

    def test_unanswered_on_reconnect(self) -> None:
        """
        What was confirmed once is asked for until it is again, and listeners hear of it; who
        asked meanwhile is told alone.
        """
        subscription = self.subscribed()
        self.session.drop()
        self.advance(0.1)
        late = self.socket.subscribe("c")
        self.advance(20)
        self.assertEqual([type(error) for error in self.errors], [CallTimeout])
        self.failure(late, CallTimeout)
        self.assertTrue(subscription.active)
        self.assertEqual(self.requests, [("_subscribe", "c"), ("_subscribe", "c")])
        self.session.subscribed("c")
        self.advance(60)
        self.assertEqual((len(self.errors), len(self.requests)), (1, 2))
        self.assertEqual(self.socket.channels(), ["c"])

    def test_subscribe_while_down_times_out(self) -> None:
        """Time without a connection counts."""
        self.server.script(token="refuse")
        self.session.drop()
        self.settle()
        subscribing = self.socket.subscribe("c")
        self.advance(20)
        self.assertFalse(self.failure(subscribing, CallTimeout).may_have_run)
        self.assertEqual(self.socket.channels(), [])

    def test_end(self) -> None:
        """end() ends every subscription; a restart begins without any."""
        subscription, subscribing = self.subscribed("c"), self.subscribing("d")
        self.socket.end()
        self.failure(subscribing, ClientClosed)
        self.assertFalse(subscription.active)
        self.settle()
        self.successResultOf(subscription.unsubscribe())
        self.socket.startService()
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(self.requests, [])


class UsageTests(ChannelTestCase):
    """What cannot be subscribed to."""

    def test_invalid(self) -> None:
        """Bad channels and handlers fail at once."""
        for channel in ("", None, 5, ["c"], "__all__", "___all___", "___sync___"):
            self.failure(self.socket.subscribe(channel), InvalidChannel)  # type: ignore[arg-type]
        self.failure(self.socket.subscribe("c", "handler"), InvalidOption)  # type: ignore[arg-type]
        self.settle()
        self.assertEqual(self.requests, [])
        self.assertEqual(self.socket.channels(), [])
