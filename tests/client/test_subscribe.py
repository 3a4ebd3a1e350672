"""
subscribe() and unsubscribe(): what is asked of the server, and what it says.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError

from txtokensock.errors import (
    CallTimeout,
    Forbidden,
    RemoteError,
    SubscriptionEnded,
)

from .support import ChannelTestCase


class ConfirmationTests(ChannelTestCase):
    """The forms in which servers confirm: see "Acknowledgements" in docs/protocol.rst."""

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
        """A second subscription asks for nothing, and is confirmed with the first."""
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
        """It fails, is forgotten, and not asked for again at the next connection."""
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
        """No answer is a timeout, told to the caller alone, and nothing is left of it."""
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
