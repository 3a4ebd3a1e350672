"""
How often, how fast and how long a client tries, and who hears of it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from txtokensock import Backoff
from txtokensock.errors import ClientClosed, ConnectFailed, ConnectionFailed, SockJSClosed

from ..support import BACKOFF, Calls, ServerTestCase


class EventTests(ServerTestCase):
    """``ready`` and ``reconnect``."""

    def test_ready_hears_of_every_attempt(self) -> None:
        """``ready`` gets the error of each failed first attempt, then None, once (C3, C4)."""
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
        self.server.script(token="refuse")
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
        request.refuse()

    def test_grows(self) -> None:
        """Waits double from a tenth of a second, up to the cap."""
        times = self.times()
        self.started(backoff=Backoff(cap=1.0, jitter=lambda: 1.0))
        self.advance(4)
        self.assertEqual(times, [0, 0.1, 0.3, 0.7, 1.5, 2.5, 3.5])

    def test_quick_losses_do_not_reset(self) -> None:
        """A server that accepts and drops is not hammered (K9: 37 times a second)."""
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


class GivingUpTests(ServerTestCase):
    """``max_attempts`` and ``reconnect=False``."""

    def gave_up(self, client: Any, kind: type[Exception]) -> None:
        """The client has stopped by itself, for an error of that kind."""
        for call in (client.rpc("x"), client.when_ready(), client.publish("c", 1)):
            error = self.failure(call, ClientClosed)
            self.assertIsInstance(error.__cause__, kind)
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.assertEqual(self.server.open_connections, 0)

    def test_max_attempts(self) -> None:
        """After so many failures in a row it stops; what waits fails, and all is said."""
        self.server.script(connect="refuse")
        client = self.client(backoff=Backoff(max_attempts=3, jitter=lambda: 1.0))
        errors, ready = Calls(), Calls()
        client.on("error", errors)
        client.ready(ready)
        waiting, call = client.when_ready(), client.rpc("x")
        client.startService()
        self.advance(0.1)
        self.pending(waiting)
        self.advance(0.2)
        self.failure(waiting, ConnectFailed)
        self.failure(call, ClientClosed)
        self.assertEqual([type(error) for error in errors], [ClientClosed])
        self.assertIn("3 failed attempts", str(errors[0]))
        self.assertEqual(len(ready), 3)
        self.assertEqual(self.server.attempts, 3)
        self.gave_up(client, ConnectFailed)

    def test_quick_losses_count(self) -> None:
        """A connection that did not last is one of the failed attempts."""
        client = self.ready(backoff=Backoff(max_attempts=2, jitter=lambda: 1.0))
        self.session.drop()
        self.advance(0.1)
        self.assertTrue(client.connected)
        self.session.close()
        self.settle()
        self.gave_up(client, SockJSClosed)

    def test_success_does_not_count(self) -> None:
        """A connection that lasted begins a new row."""
        client = self.ready(backoff=Backoff(max_attempts=1, jitter=lambda: 1.0))
        self.advance(10)
        self.session.drop()
        self.advance(0.1)
        self.assertTrue(client.connected)

    def test_reconnect_false_failure(self) -> None:
        """``reconnect=False``: a failed attempt ends the client."""
        self.server.script(token="refuse")
        client = self.started(reconnect=False)
        self.assertEqual(len(self.server.tokens), 1)
        self.gave_up(client, ConnectionFailed)

    def test_reconnect_false_loss(self) -> None:
        """``reconnect=False``: so does a loss."""
        client = self.ready(reconnect=False)
        self.session.close()
        self.settle()
        self.advance(100)
        self.assertEqual(len(self.server.sessions), 1)
        self.gave_up(client, SockJSClosed)

    def test_start_again(self) -> None:
        """What gave up can be started again, as new."""
        self.server.script(connect="refuse")
        client = self.started(reconnect=False)
        self.server.script()
        client.startService()
        call = client.rpc("x")
        self.settle()
        self.assertTrue(client.connected)
        self.session.answer(self.session.received[0], 1)
        self.settle()
        self.assertEqual(self.successResultOf(call), 1)

    def test_end_afterwards(self) -> None:
        """end() of what gave up fires at once."""
        self.server.script(connect="refuse")
        client = self.started(reconnect=False)
        self.successResultOf(client.end())

    def test_start_again_in_the_listener(self) -> None:
        """It may be started again by whoever hears that it gave up."""
        self.server.script(connect="refuse")
        client = self.client(reconnect=False)

        def again(_: object) -> None:
            self.server.script()
            client.startService()

        client.on("error", again)
        client.startService()
        self.settle()
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
        """What the caller passed stays the caller's (C26)."""
        options: dict[str, Any] = {"headers": {"A": "b"}, "actions": {"a": len}}
        before = {name: dict(value) for name, value in options.items()}
        client = self.ready(backoff=BACKOFF, **options)
        client.register({"b": len})
        client.actions["c"] = len
        self.assertEqual(options, before)


class RestartTests(ServerTestCase):
    """Started again by whoever hears of the end, wherever they hear of it."""

    def restarted(self, client: Any, hear: Any, end: Any) -> None:
        """The client works again if it is started when ``hear`` is told of ``end``."""
        calls: list[Any] = []

        def again(_: object) -> None:
            self.server.script()
            client.startService()
            calls.append(client.rpc("again"))

        hear(client, again)
        client.startService()
        self.settle()
        end(client)
        self.settle()
        (call,) = calls
        self.assertTrue(client.connected)
        self.assertEqual(len(self.server.open_sessions), 1)
        self.session.answer(self.session.received[-1], 1)
        self.settle()
        self.assertEqual(self.successResultOf(call), 1)
        client.end()
        self.settle()

    HEARERS: ClassVar[list[Any]] = [
        lambda client, again: client.rpc("x").addErrback(again),
        lambda client, again: client.subscribe("c").addErrback(again),
        lambda client, again: client.when_ready().addErrback(again),
    ]

    def test_stopped(self) -> None:
        """By end(), in the errback of whatever waited for an answer or a connection."""
        for hear in self.HEARERS:
            self.server.script(handshake="ignore")
            self.restarted(self.client(), hear, lambda client: client.end())
        self.server.script()
        for hear in self.HEARERS[:2]:
            self.restarted(self.client(), hear, lambda client: client.end())

    def test_gave_up(self) -> None:
        """By a client that gives up, there or in a listener."""
        listening = [lambda client, again: client.once("error", again)]
        for hear in [*self.HEARERS, *listening]:
            self.server.script(connect="refuse")
            self.restarted(self.client(reconnect=False), hear, lambda client: None)
