"""
Subscriptions that the server does not confirm: which are asked for again, and who hears of it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txtokensock import Backoff, Subscription
from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    Forbidden,
    InvalidOption,
    RemoteError,
    SubscriptionEnded,
)

from .support import ChannelTestCase

PATIENT = Backoff(first=1.0, jitter=lambda: 1.0)


class RetryTestCase(ChannelTestCase):
    """
    With a listener for confirmations.

    :ivar heard: (whether it is active, the type of the error or None) at each notice.
    """

    def setUp(self) -> None:
        super().setUp()
        self.heard: list[tuple[bool, Any]] = []

    def notice(self, subscription: Subscription, error: Exception | None) -> None:
        """Note what is said, and that the subscription agrees with it."""
        self.assertEqual(subscription.confirmed, error is None)
        self.heard.append((subscription.active, None if error is None else type(error)))

    def watched(self, **options: Any) -> Deferred[Any]:
        """A subscription that is asked for, and tells of confirmations."""
        subscribing = self.socket.subscribe("c", on_confirmation=self.notice, **options)
        self.settle()
        return subscribing

    def confirm(self) -> None:
        """The server confirms what it was asked for last."""
        self.session.subscribed("c")
        self.settle()

    def refuse(self, error: Any = "try later") -> None:
        """The server refuses what it was asked for last."""
        self.session.refuse(self.session.received[-1], error)
        self.settle()

    def reconnect(self) -> None:
        """Lose the connection, and make the next one."""
        self.session.drop()
        self.settle()
        self.advance(0.1)
        self.assertTrue(self.socket.connected)

    @property
    def asked(self) -> int:
        """How often the newest session was asked to subscribe us."""
        return self.requests.count(("_subscribe", "c"))


class ConfirmedBeforeTests(RetryTestCase):
    """What the server had confirmed, and does not confirm on the next connection."""

    def test_passing_refusal(self) -> None:
        """It is asked for again, after the client's back-off, until the server confirms."""
        subscription = self.subscribed()
        self.reconnect()
        self.refuse("the store cannot be reached")
        self.assertTrue(subscription.active)
        self.assertEqual([type(error) for error in self.errors], [RemoteError])
        self.assertEqual((self.asked, self.socket.channels()), (1, ["c"]))
        self.advance(0.1)
        self.assertEqual(self.asked, 2)
        self.refuse()
        self.advance(0.1)
        self.assertEqual(self.asked, 2)
        self.advance(0.1)
        self.assertEqual(self.asked, 3)
        self.confirm()
        self.assertTrue(subscription.confirmed)
        self.session.publish("c", "news")
        self.settle()
        reading = Deferred.fromCoroutine(anext(aiter(subscription)))  # type: ignore[arg-type]
        self.assertEqual(self.successResultOf(reading), "news")

    def test_forbidden(self) -> None:
        """That is final, and whoever listens hears so."""
        subscription = self.successResultOf(self._confirmed_and_watched())
        self.reconnect()
        self.refuse("Forbidden")
        self.assertFalse(subscription.active)
        self.advance(120)
        self.assertEqual(self.asked, 1)
        self.assertEqual(self.heard[2:], [(False, Forbidden)])
        self.assertEqual(self.errors, [], "the listener has heard it")

    def _confirmed_and_watched(self, **options: Any) -> Deferred[Any]:
        subscribing = self.watched(**options)
        self.confirm()
        return subscribing

    def test_notices(self) -> None:
        """One for each confirmation, and one for each loss of it."""
        subscription = self.successResultOf(self._confirmed_and_watched())
        self.assertEqual(self.heard, [(True, None)])
        self.reconnect()
        self.assertEqual([active for active, _ in self.heard], [True, True])
        self.refuse()
        self.advance(0.1)
        self.confirm()
        self.assertEqual(self.heard[2:], [(True, RemoteError), (True, None)])
        self.successResultOf(self.socket.subscribe("c", on_confirmation=self.notice))
        self.assertEqual(self.heard[4:], [(True, None)])
        self.socket.unsubscribe("c")
        self.assertFalse(subscription.confirmed)
        self.assertEqual(len(self.heard), 5, "who ends it knows")

    def test_loss_is_told_last(self) -> None:
        """By then, calls of the lost connection have failed, and others can be withdrawn."""
        publishing: list[Deferred[Any]] = []
        fired: list[bool] = []

        def notice(_: Subscription, error: Exception | None) -> None:
            fired.extend(call.called for call in publishing)

        self.socket.subscribe("c", on_confirmation=notice)
        self.settle()
        self.confirm()
        publishing.append(self.socket.rpc("f").addErrback(lambda _: None))
        self.settle()
        self.session.drop()
        self.settle()
        self.assertEqual(fired, [True])

    def test_ended_by_the_server(self) -> None:
        """That is final, too: it was the server's decision."""
        subscription = self.successResultOf(self._confirmed_and_watched())
        self.session.unsubscribed("c")
        self.settle()
        self.assertFalse(subscription.active)
        self.assertEqual(self.heard[1:], [(False, SubscriptionEnded)])

    def test_new_connection(self) -> None:
        """It asks at once: what another one refused says little."""
        self.subscribed()
        self.reconnect()
        for _ in range(4):
            self.refuse()
            self.advance(2)
        self.assertEqual(self.asked, 5)
        self.refuse()
        self.session.drop()
        self.advance(0.2)
        self.assertEqual(self.asked, 1)

    def test_somebody_else_asks(self) -> None:
        """The server is asked at once, and both have its answer."""
        old = self.subscribed()
        self.reconnect()
        self.refuse()
        new = self.subscribing()
        self.assertEqual(self.asked, 2)
        self.confirm()
        self.assertTrue(self.successResultOf(new).confirmed)
        self.assertTrue(old.confirmed)

    def test_somebody_else_is_refused(self) -> None:
        """Who asks for the first time is told; the older one is asked for again."""
        old = self.subscribed()
        self.reconnect()
        self.refuse()
        new = self.subscribing()
        self.refuse()
        self.failure(new, RemoteError)
        self.assertTrue(old.active)
        self.advance(0.2)
        self.assertEqual(self.asked, 3)

    def test_unsubscribed_while_waiting(self) -> None:
        """Nothing is asked for any more."""
        subscription = self.subscribed()
        self.reconnect()
        self.refuse()
        self.successResultOf(subscription.unsubscribe())
        self.advance(60)
        self.assertEqual((self.asked, self.socket.channels()), (1, []))

    def test_stopped_while_waiting(self) -> None:
        """No timer is left, which the test case sees."""
        subscription = self.subscribed()
        self.reconnect()
        self.refuse()
        self.socket.end()
        self.assertFalse(subscription.active)


class PolicyTests(RetryTestCase):
    """A policy of the user's."""

    def test_first_attempt(self) -> None:
        """It is asked from the first attempt on, and the Deferred waits meanwhile."""
        subscribing = self.watched(retry=PATIENT.retry)
        self.refuse("Forbidden")
        self.pending(subscribing)
        self.assertEqual(self.heard, [(True, Forbidden)])
        self.advance(1)
        self.refuse()
        self.advance(2)
        self.assertEqual(self.asked, 3)
        self.confirm()
        self.assertTrue(self.successResultOf(subscribing).confirmed)
        self.assertEqual(self.heard[1:], [(True, RemoteError), (True, None)])
        self.assertEqual(self.errors, [])

    def test_without_a_connection(self) -> None:
        """It has no deadline."""
        self.server.script(token="refuse")
        self.session.drop()
        self.settle()
        subscribing = self.watched(retry=PATIENT.retry)
        self.advance(100)
        self.pending(subscribing)
        self.server.script()
        self.advance(60)
        self.confirm()
        self.successResultOf(subscribing)

    def test_ended_by_the_server(self) -> None:
        """The policy decides about that as well."""
        subscribing = self.watched(retry=PATIENT.retry)
        self.confirm()
        self.session.unsubscribed("c")
        self.settle()
        self.assertEqual(self.heard[1:], [(True, SubscriptionEnded)])
        self.advance(1)
        self.confirm()
        self.assertTrue(self.successResultOf(subscribing).confirmed)

    def test_gives_up(self) -> None:
        """None ends it with the failure, wherever it waits."""
        asked: list[tuple[Any, int]] = []

        def policy(failure: Failure, number: int) -> float | None:
            asked.append((failure.type, number))
            return 1.0 if number < 3 else None

        subscribing = self.watched(retry=policy)
        for _ in range(3):
            self.refuse()
            self.advance(1)
        self.failure(subscribing, RemoteError)
        self.assertEqual(asked, [(RemoteError, number) for number in (1, 2, 3)])
        self.assertEqual(self.heard[2:], [(False, RemoteError)])
        self.assertEqual(self.socket.channels(), [])

    def test_raises(self) -> None:
        """It is logged, and the server is asked again after half a minute."""

        def policy(failure: Failure, number: int) -> float:
            raise ValueError("policy")

        subscribing = self.watched(retry=policy)
        self.refuse()
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.advance(30)
        self.assertEqual(self.asked, 2)
        self.confirm()
        self.successResultOf(subscribing)

    def test_cancelled(self) -> None:
        """Who waits no longer is not subscribed."""
        subscribing = self.watched(retry=PATIENT.retry)
        self.refuse()
        subscribing.cancel()
        self.failure(subscribing, CancelledError)
        self.advance(60)
        self.assertEqual((self.asked, self.socket.channels()), (1, []))

    def test_unsubscribed_by_the_listener(self) -> None:
        """A listener has the subscription before the Deferred does, and may end it."""
        subscribing = self.socket.subscribe(
            "c",
            retry=PATIENT.retry,
            on_confirmation=lambda subscription, _: subscription.unsubscribe() and None,
        )
        self.settle()
        self.refuse()
        self.failure(subscribing, CancelledError)
        self.assertEqual(self.socket.channels(), [])

    def test_client_stopped(self) -> None:
        """It fails then, and waits for nothing."""
        subscribing = self.watched(retry=lambda failure, number: 600.0)
        self.refuse()
        ended = self.socket.end()
        self.failure(subscribing, ClientClosed)
        self.settle()
        self.successResultOf(ended)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])

    def test_left_a_silent_server(self) -> None:
        """The server may have subscribed us without saying so: it is told otherwise."""
        subscribing = self.watched(retry=PATIENT.retry)
        self.advance(20)
        self.assertEqual(self.heard, [(True, CallTimeout)])
        subscribing.cancel()
        self.failure(subscribing, CancelledError)
        self.settle()
        self.assertEqual(self.requests[-1], ("_unsubscribe", "c"))

    def test_ended_while_the_server_is_behind(self) -> None:
        """It may yet come to a second request, which would undo the end that it had declared."""
        subscription = self.subscribed()
        self.reconnect()
        self.advance(20)
        self.assertEqual(self.asked, 2)
        self.session.subscribed("c")  # for the first
        self.session.unsubscribed("c")
        self.settle()
        self.assertFalse(subscription.active)
        self.assertEqual(self.requests[-1], ("_unsubscribe", "c"))
        again = self.subscribing()
        self.session.subscribed("c")  # for the second
        self.session.unsubscribed("c")
        self.settle()
        self.assertEqual(self.requests[-1], ("_subscribe", "c"))
        self.session.subscribed("c")
        self.session.unsubscribed("c")
        self.settle()
        self.assertFalse(self.successResultOf(again).active)
        self.assertEqual(self.requests[-1], ("_subscribe", "c"))

    def test_most_impatient(self) -> None:
        """Several subscriptions to a channel make one request, at the earliest time."""
        self.watched(retry=lambda failure, number: 30.0)
        self.watched(retry=lambda failure, number: 5.0)
        self.refuse()
        self.advance(5)
        self.assertEqual(self.asked, 2)
        self.confirm()
        self.assertEqual(self.heard[2:], [(True, None), (True, None)])

    def test_invalid(self) -> None:
        """What cannot be called is refused at once."""
        for name in ("retry", "on_confirmation"):
            options: dict[str, Any] = {name: 5}
            self.failure(self.socket.subscribe("c", **options), InvalidOption)
