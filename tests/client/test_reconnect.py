"""
How often, how fast and how long a client tries, and who hears of it.
"""

from __future__ import annotations

from typing import Any

from txtokensock import Backoff
from txtokensock.errors import ConnectFailed, ConnectionFailed, InvalidOption, SockJSClosed

from ..common import BACKOFF, Calls, ServerTestCase


class EventTests(ServerTestCase):
    """``ready`` and ``reconnect``."""

    def test_ready_hears_of_every_attempt(self) -> None:
        """``ready`` gets the error of each failed first attempt, then None, once."""
        self.server.script(connect="refuse")
        client = self.client()
        ready, reconnect = Calls(), Calls()
        client.ready(ready)
        client.onreconnect(reconnect)
        client.startService()
        self.advance(0.35)
        self.server.script()
        self.advance(1)
        self.assertEqual([type(heard) for heard in ready], [ConnectFailed] * 3 + [type(None)])
        self.assertEqual(reconnect, [])

    def test_reconnect_hears_of_every_attempt(self) -> None:
        """After the first success, attempts are ``reconnect``'s, and ``ready`` is silent."""
        client = self.ready()
        ready, reconnect, disconnect = Calls(), Calls(), Calls()
        client.ready(ready)
        client.onreconnect(reconnect)
        client.on("disconnect", disconnect)
        self.server.script(token="drop")
        self.session.close()
        self.advance(0.35)
        self.server.script()
        self.advance(1)
        self.assertEqual([type(error) for error in disconnect], [SockJSClosed])
        self.assertEqual(len(reconnect), 3)
        self.assertTrue(all(isinstance(error, ConnectionFailed) for error in reconnect[:2]))
        self.assertIsNone(reconnect[2])
        self.assertEqual(ready, [])

    def test_ready_event_before_when_ready(self) -> None:
        """Listeners hear before the Deferreds, and both see a client that is connected."""
        order: list[Any] = []
        client = self.client()
        client.ready(lambda _: order.append(("event", client.connected)))
        client.when_ready().addCallback(lambda _: order.append(("deferred", client.connected)))
        client.startService()
        self.settle()
        self.assertEqual(order, [("event", True), ("deferred", True)])

    def test_lost_at_once(self) -> None:
        """A connection lost in the turn in which it came is a failed attempt."""

        def accept_and_close(session: Any) -> None:
            session.accept_auth()
            session.close()

        self.server.script(auth=accept_and_close)
        client = self.client()
        ready, disconnect = Calls(), Calls()
        client.ready(ready)
        client.on("disconnect", disconnect)
        client.startService()
        self.settle()
        self.assertFalse(client.connected)
        # Whether the close is noticed in the turn of the answer or in the next, each
        # ``ready`` has its ``disconnect``.
        self.assertEqual(ready.count(None), len(disconnect))

    def test_lost_in_the_same_turn(self) -> None:
        """A connection that is gone before anybody heard of it was a failed attempt."""

        def accept_and_cut(session: Any) -> None:
            session.accept_auth()
            client, _ = self.server.network.connections[-1]
            self.server.clock.callLater(0, client.cut)  # right after the answer is read

        self.server.script(auth=accept_and_cut)
        client = self.client()
        ready, disconnect = Calls(), Calls()
        client.ready(ready)
        client.on("disconnect", disconnect)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.failure(failed)
        self.assertEqual((len(ready), ready.count(None), disconnect), (1, 0, []))
        self.server.script()
        self.advance(0.1)
        self.assertTrue(client.connected)

    def test_listener_that_raises(self) -> None:
        """It is logged; the client and other listeners go on."""
        client, heard = self.client(), Calls()

        def broken(_: object) -> None:
            raise RuntimeError("listener")

        async def broken_too(_: object) -> None:
            raise RuntimeError("coroutine")

        client.ready(broken)
        client.ready(broken_too)
        client.ready(heard)
        client.startService()
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 2)
        self.assertEqual(heard, [None])
        self.assertTrue(client.connected)


class WhenReadyTests(ServerTestCase):
    """when_ready()."""

    def test_fires_at_once_when_ready(self) -> None:
        """With a connection there is nothing to wait for."""
        self.assertIsNone(self.successResultOf(self.ready().when_ready()))

    def test_before_start(self) -> None:
        """It may be asked for before the client is started."""
        client = self.client()
        ready = client.when_ready()
        client.startService()
        self.settle()
        self.successResultOf(ready)

    def test_fail_after(self) -> None:
        """The count of failures begins when it is asked for."""
        self.server.script(connect="refuse")
        client = self.started()
        third = client.when_ready(fail_after=3)
        self.advance(0.35)
        self.pending(third)
        self.advance(0.4)
        self.failure(third, ConnectFailed)

    def test_fail_after_what(self) -> None:
        """A count that is none is the caller's error, and stops nothing."""
        self.server.script(connect="refuse")
        client = self.client(backoff=Backoff(max_attempts=2, jitter=lambda: 1.0))
        for count in ("1", 0, -1, 1.5, True, float("nan")):
            failed = client.when_ready(count)  # type: ignore[arg-type]
            self.assertIn("fail_after", str(self.failure(failed, InvalidOption)))
        client.startService()
        patient = client.when_ready()
        self.advance(1)
        self.failure(patient, ConnectFailed)

    def test_after_a_loss(self) -> None:
        """It waits for the next connection."""
        client = self.ready()
        self.session.drop()
        self.settle()
        ready = client.when_ready()
        self.pending(ready)
        self.advance(0.1)
        self.successResultOf(ready)

    def test_cancel(self) -> None:
        """Cancelling one waits no longer; others do not notice."""
        from twisted.internet.defer import CancelledError

        client = self.client()
        cancelled, other = client.when_ready(), client.when_ready()
        cancelled.cancel()
        self.failure(cancelled, CancelledError)
        client.startService()
        self.settle()
        self.successResultOf(other)


class BackoffTests(ServerTestCase):
    """When the next attempt is made."""

    def times(self) -> list[float]:
        """At which times attempts were made."""
        times: list[float] = []
        self.server.script(token=lambda request: self.note(times, request))
        return times

    def note(self, times: list[float], request: Any) -> None:
        times.append(round(self.server.clock.seconds(), 3))
        request.drop()

    def test_grows(self) -> None:
        """Waits double from a tenth of a second, up to the cap."""
        times = self.times()
        self.started(backoff=Backoff(cap=1.0, jitter=lambda: 1.0))
        self.advance(4)
        self.assertEqual(times, [0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5])

    def test_quick_losses_do_not_reset(self) -> None:
        """A server that accepts and drops is not hammered."""
        client = self.ready()
        attempts = 0
        for _ in range(600):
            for session in self.server.open_sessions:
                session.drop()
                attempts += 1
            self.advance(0.1)
        self.assertLessEqual(attempts, 10)
        self.assertFalse(client.connected)

    def test_stable_connection_resets(self) -> None:
        """After ten seconds with a connection, its loss counts as the first failure."""
        self.server.script(connect="refuse")
        client = self.started()
        self.advance(3)
        self.server.script()
        self.advance(10)
        self.assertTrue(client.connected)
        self.advance(10)
        self.session.drop()
        self.advance(0.099)
        self.assertFalse(client.connected)
        self.advance(0.001)
        self.assertTrue(client.connected)

    def test_unstable_connection_does_not(self) -> None:
        """Short of that, the waits go on growing."""
        self.ready()
        self.advance(9.9)
        self.session.drop()
        self.advance(0.1)
        self.session.drop()
        self.advance(0.1)
        self.assertEqual(len(self.server.sessions), 2)
        self.advance(0.1)
        self.assertEqual(len(self.server.sessions), 3)

    def test_own_policy(self) -> None:
        """A subclass replaces the rule."""
        asked: list[int] = []

        class Fixed(Backoff):
            def delay(self, retry: int) -> float:
                asked.append(retry)
                return 2.0

        times = self.times()
        self.started(backoff=Fixed())
        self.advance(7)
        self.assertEqual(times, [0, 2, 4, 6])
        self.assertEqual(asked, [1, 2, 3, 4])

    def test_policy_that_raises(self) -> None:
        """A broken policy is logged, and does not keep the client from coming back."""

        class Broken(Backoff):
            def delay(self, retry: int) -> float:
                raise RuntimeError("policy")

        self.server.script(connect="refuse")
        client = self.started(backoff=Broken())
        self.server.script()
        self.advance(30)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertTrue(client.connected)


class CredentialTests(ServerTestCase):
    """Fresh credentials for every attempt."""

    def test_asked_before_every_attempt(self) -> None:
        """A function is called each time, and what it gives is used."""
        users = iter(["ada", "grace"])
        client = self.ready(authentication=lambda: {"user": next(users)})
        self.session.drop()
        self.advance(0.1)
        self.assertEqual([r.query for r in self.server.tokens], ["user=ada", "user=grace"])
        self.assertTrue(client.connected)

    def test_options_are_not_changed(self) -> None:
        """What the caller passed stays the caller's."""
        options: dict[str, Any] = {"headers": {"A": "b"}, "actions": {"a": len}}
        before = {name: dict(value) for name, value in options.items()}
        client = self.ready(backoff=BACKOFF, **options)
        client.register({"b": len})
        client.actions["c"] = len
        self.assertEqual(options, before)
