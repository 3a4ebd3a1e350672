"""
subscribe() and unsubscribe(): what is asked of the server, and what it says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    Forbidden,
    InvalidChannel,
    InvalidOption,
    RemoteError,
    SubscriptionEnded,
)

from ..support import Calls, ServerTestCase


class ChannelTestCase(ServerTestCase):
    """With a client that is ready, and hears of errors."""

    def setUp(self) -> None:
        super().setUp()
        self.socket = self.ready(call_timeout=20)
        self.errors = Calls()
        self.socket.on("error", self.errors)

    @property
    def requests(self) -> list[tuple[str, str]]:
        """What the newest session was asked for, shortly."""
        return [(m["rpc"], (m["req"] or {}).get("channel")) for m in self.session.received]

    def subscribing(self, channel: str = "c", handler: Any = None) -> Deferred[Any]:
        """A subscription that was asked for, and not confirmed."""
        subscribing = self.socket.subscribe(channel, handler)
        self.settle()
        return subscribing

    def subscribed(self, channel: str = "c", handler: Any = None) -> Any:
        """A confirmed subscription."""
        subscribing = self.subscribing(channel, handler)
        self.session.subscribed(channel)
        self.settle()
        return self.successResultOf(subscribing)

    def confirm_all(self) -> None:
        """Confirm whatever the newest session was asked for."""
        for rpc, channel in self.requests:
            if rpc == "_subscribe":
                self.session.subscribed(channel)
            elif rpc == "_unsubscribe":
                self.session.unsubscribed(channel)
        self.settle()


class ConfirmationTests(ChannelTestCase):
    """The forms in which servers confirm (S2, section 5)."""

    def confirmations(self) -> list[Any]:
        """Each as a function of the request."""

        def plain(request: Any) -> None:
            self.session.subscribed("c")

        def whole(request: Any) -> None:
            self.session.subscribed("c", **request)

        def reply(request: Any) -> None:
            self.session.answer(request, "success")

        def reply_then_plain(request: Any) -> None:
            reply(request)
            plain(request)

        def whole_then_reply(request: Any) -> None:
            whole(request)
            reply(request)

        return [plain, whole, reply, reply_then_plain, whole_then_reply]

    def test_every_form(self) -> None:
        """subscribe() fires once, with the subscription, for all of them."""
        for confirm in self.confirmations():
            subscribing = self.subscribing()
            self.pending(subscribing)
            confirm(self.session.received[-1])
            self.settle()
            subscription = self.successResultOf(subscribing)
            self.assertEqual((subscription.channel, subscription.active), ("c", True))
            self.assertEqual(self.socket.channels(), ["c"])
            leaving = subscription.unsubscribe()
            self.settle()
            self.session.unsubscribed("c")
            self.settle()
            self.successResultOf(leaving)
        self.assertEqual(self.requests, [("_subscribe", "c"), ("_unsubscribe", "c")] * 5)
        self.assertEqual(self.errors, [])

    def test_unsubscribe_forms(self) -> None:
        """unsubscribe() fires with the notice, the reply, or the first of both."""
        for forms in (["notice"], ["reply"], ["reply", "notice"], ["notice", "reply"]):
            self.subscribed()
            leaving = self.socket.unsubscribe("c")
            self.settle()
            self.pending(leaving)
            for form in forms:
                if form == "notice":
                    self.session.unsubscribed("c")
                else:
                    self.session.answer(self.session.received[-1], "success")
            self.settle()
            self.assertIsNone(self.successResultOf(leaving))
            self.assertEqual(self.socket.channels(), [])
        self.assertEqual(self.errors, [])

    def test_other_channels_do_not_count(self) -> None:
        """A notice for another channel, or for one not asked for, means nothing."""
        subscribing = self.subscribing()
        self.session.subscribed("d")
        self.session.unsubscribed("d")
        self.session.unsubscribed("c")
        self.settle()
        self.pending(subscribing)
        self.assertEqual(self.socket.channels(), ["c"])
        self.confirm_all()
        self.successResultOf(subscribing)

    def test_twice_is_one_request(self) -> None:
        """A second subscription asks for nothing, and is confirmed with the first (C27)."""
        first, second = self.socket.subscribe("c"), self.socket.subscribe("c")
        self.settle()
        self.assertEqual(self.requests, [("_subscribe", "c")])
        self.confirm_all()
        subscriptions = [self.successResultOf(d) for d in (first, second)]
        third = self.successResultOf(self.socket.subscribe("c"))
        self.settle()
        self.assertEqual(self.requests, [("_subscribe", "c")])
        for subscription in subscriptions:
            self.successResultOf(subscription.unsubscribe())
        self.assertEqual(self.socket.channels(), ["c"])
        last = third.unsubscribe()
        self.settle()
        self.assertEqual(self.requests[1:], [("_unsubscribe", "c")])
        self.confirm_all()
        self.successResultOf(last)

    def test_unsubscribe_ends_all(self) -> None:
        """unsubscribe() of the channel ends every subscription to it."""
        subscriptions = [self.subscribed(), self.successResultOf(self.socket.subscribe("c"))]
        leaving = self.socket.unsubscribe("c")
        self.assertEqual([s.active for s in subscriptions], [False, False])
        self.settle()
        self.confirm_all()
        self.successResultOf(leaving)
        self.successResultOf(subscriptions[0].unsubscribe())
        self.successResultOf(self.socket.unsubscribe("c"))
        self.successResultOf(self.socket.unsubscribe("never"))
        self.settle()
        self.assertEqual(len(self.requests), 2)


class RefusalTests(ChannelTestCase):
    """The server says no, or nothing."""

    def test_refused(self) -> None:
        """It fails, is forgotten, and not asked for again at the next connection (C15)."""
        first, second = self.subscribing(), self.socket.subscribe("c")
        self.session.refuse(self.session.received[0])
        self.settle()
        self.failure(first, Forbidden)
        self.failure(second, Forbidden)
        self.assertEqual(self.socket.channels(), [])
        self.assertEqual(self.errors, [])
        self.session.drop()
        self.advance(0.1)
        self.assertEqual(self.requests, [])

    def test_subscribe_again_in_the_errback(self) -> None:
        """Whoever is refused may ask again at once, also where others were refused too."""
        again: list[Any] = []
        first, second = self.socket.subscribe("c"), self.socket.subscribe("c")
        first.addErrback(lambda _: again.append(self.socket.subscribe("c")))
        second.addErrback(lambda _: again.append(self.socket.subscribe("c")))
        self.settle()
        self.session.refuse(self.session.received[0])
        self.settle()
        self.assertEqual(self.requests, [("_subscribe", "c")] * 2)
        self.session.subscribed("c")
        self.settle()
        for subscribing in again:
            self.assertTrue(self.successResultOf(subscribing).active)
        self.assertEqual(self.socket.channels(), ["c"])

    def test_silent_server(self) -> None:
        """No answer is a timeout (S3), told to the caller alone, and nothing is left of it."""
        subscribing = self.subscribing()
        self.advance(20)
        error = self.failure(subscribing, CallTimeout)
        self.assertIn("without publish/subscribe", str(error))
        self.assertEqual(self.socket.channels(), [])
        # It may yet subscribe us: it is told not to, and that is not answered either.
        self.assertEqual(self.requests, [("_subscribe", "c"), ("_unsubscribe", "c")])
        self.advance(60)
        self.assertEqual(self.errors, [])
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.assertEqual(len(self.requests), 2)

    def test_cancel(self) -> None:
        """A cancelled subscription is taken back."""
        subscribing = self.subscribing()
        subscribing.cancel()
        self.failure(subscribing, CancelledError)
        self.assertEqual(self.socket.channels(), [])
        self.confirm_all()
        self.assertEqual(self.requests, [("_subscribe", "c"), ("_unsubscribe", "c")])
        self.confirm_all()
        self.assertEqual(self.errors, [])

    def test_cancel_with_a_silent_server(self) -> None:
        """What is taken back there fails nobody, and nothing is left of it."""
        subscribing = self.subscribing()
        subscribing.cancel()
        self.failure(subscribing, CancelledError)
        self.advance(100)
        self.assertEqual(self.errors, [])
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])

    def test_unsubscribe_refused(self) -> None:
        """A refusal to unsubscribe is the caller's; the subscription has ended anyway."""
        self.subscribed()
        leaving = self.socket.unsubscribe("c")
        self.settle()
        self.session.refuse(self.session.received[-1], "no")
        self.settle()
        self.failure(leaving, RemoteError)
        self.assertEqual(self.socket.channels(), [])

    def test_unsubscribe_unanswered(self) -> None:
        """No answer is a timeout."""
        self.subscribed()
        leaving = self.socket.unsubscribe("c")
        self.advance(20)
        self.assertIn("unsubscribe from 'c'", str(self.failure(leaving, CallTimeout)))

    def test_refused_beside_an_older_one(self) -> None:
        """An older subscription to the channel ends with it, and listeners hear of that."""
        older = self.subscribed()
        self.session.drop()
        self.advance(0.1)
        newer = self.socket.subscribe("c")
        self.session.refuse(self.session.received[0])
        self.settle()
        self.failure(newer, Forbidden)
        self.assertFalse(older.active)
        self.assertEqual([type(error) for error in self.errors], [Forbidden])

    def test_server_ends_it(self) -> None:
        """The server may end it: listeners hear, the channel is forgotten."""
        subscription = self.subscribed()
        self.session.unsubscribed("c")
        self.settle()
        self.assertFalse(subscription.active)
        self.assertEqual(self.socket.channels(), [])
        self.assertEqual([type(error) for error in self.errors], [SubscriptionEnded])
        self.session.drop()
        self.advance(0.1)
        self.assertEqual(self.requests, [])


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
    """What is asked for on the next connection (C14)."""

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
