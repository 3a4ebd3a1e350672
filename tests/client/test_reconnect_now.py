"""
A user who knows that the network is back need not wait.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted

from txtokensock.errors import ClientClosed, ConnectionLost
from txtokensock.testing import ScriptedSession

from ..common import Calls, ServerTestCase
from .support import take


class ReconnectNowTests(ServerTestCase):
    """``reconnect_now()`` in every state."""

    @property
    def attempts(self) -> int:
        return len(self.server.tokens)

    def test_connected(self) -> None:
        """A connection is dropped, whatever it looks like, and there is another one at once."""
        client = self.ready()
        events = Calls()
        client.on("disconnect", events)
        client.on("reconnect", events)
        old = self.session
        self.advance(30)
        client.reconnect_now()
        again = client.when_ready()
        self.assertFalse(client.connected)
        self.settle()
        self.successResultOf(again)
        self.assertTrue(client.connected)
        self.assertFalse(old.open)
        self.assertIsInstance(events[0], ConnectionAborted)
        self.assertEqual(events[1:], [None])

    def test_closing_within_a_second(self) -> None:
        """A connection that has begun to end counts as none: the wait behind it is over."""
        self.server.close = "ignore"  # TCP goes on
        client = self.ready()
        self.session.send_frame('c[4429,"too much"]')
        self.settle()
        client.reconnect_now()
        self.advance(1.5)
        self.assertTrue(client.connected)
        self.assertEqual(self.attempts, 2)

    def test_keeps_what_is_wanted(self) -> None:
        """Subscriptions and what waits go on; what was in flight ends as with every loss."""
        client = self.ready()
        client.subscribe("c").addErrback(lambda failure: failure.trap(ClientClosed))
        once, again = client.rpc("once"), client.rpc("again", idempotent=True)
        self.advance(2)
        self.session.subscribed("c")
        client.reconnect_now()
        waiting = client.publish("c", 1)
        self.settle()
        self.assertTrue(self.failure(once, ConnectionLost).may_have_run)
        asked = [message["rpc"] for message in self.session.received]
        self.assertEqual(asked, ["_subscribe", "again", "_publish"])
        self.successResultOf(waiting)
        self.session.answer(self.session.received[1], 1)
        self.settle()
        self.assertEqual(self.successResultOf(again), 1)

    def test_waiting(self) -> None:
        """A wait between attempts ends."""
        self.server.script(connect="refuse")
        client = self.started()
        self.advance(60)
        self.server.script()
        before = self.attempts
        client.reconnect_now()
        again = client.when_ready()
        self.settle()
        self.successResultOf(again)
        self.assertEqual(self.attempts, before + 1)

    def test_starts_over(self) -> None:
        """The waits begin anew: networks are seldom all there at once."""
        self.server.script(connect="refuse")
        client = self.started()
        self.advance(200)
        client.reconnect_now()
        self.settle()
        self.server.script()
        self.advance(0.1)
        self.assertTrue(client.connected)

    def test_attempting(self) -> None:
        """An attempt that hangs in a network that is gone is made anew, and did not fail."""
        self.server.script(token="ignore")
        failures = Calls()
        client = self.client()
        client.on("ready", failures)
        ready = client.when_ready(fail_after=1)
        client.startService()
        self.advance(5)
        self.server.script()
        client.reconnect_now()
        self.settle()
        self.successResultOf(ready)
        self.assertEqual(failures, [None])
        self.advance(10)
        self.assertEqual(self.server.open_connections, 1)

    def test_repeated(self) -> None:
        """Called again and again, it neither storms nor keeps attempts from their end."""
        client = self.ready()
        self.advance(10)
        for _ in range(100):
            client.reconnect_now()
            self.advance(0.01)
        self.assertEqual(self.attempts, 2)
        self.assertTrue(client.connected)
        self.advance(1)
        self.server.script(token="ignore")
        client.reconnect_now()
        self.settle()
        before = self.attempts
        for _ in range(90):
            client.reconnect_now()
            self.advance(0.1)
        self.assertEqual(self.attempts, before)

    def test_repeated_by_listeners(self) -> None:
        """One that is called at each failure and each loss makes an attempt a second."""
        client = self.ready()
        client.on("disconnect", lambda _: client.reconnect_now())
        client.on("reconnect", lambda error: error and client.reconnect_now())
        self.advance(10)
        before = self.attempts
        self.server.script(connect="refuse")
        self.session.drop()
        self.advance(9.5)
        self.assertEqual(self.attempts - before, 13)  # the first four by the back-off

    def test_repeated_by_a_server_that_drops(self) -> None:
        """So it does where each connection is lost as soon as it is made."""

        def accept_and_drop(session: ScriptedSession) -> None:
            session.accept_auth()
            session.hang_up()

        self.server.auth = accept_and_drop
        client = self.client()
        for event in ("ready", "reconnect", "disconnect"):
            client.on(event, lambda error: error and client.reconnect_now())
        client.startService()
        self.advance(20.5)
        self.assertLess(self.attempts, 20 + 10)

    def test_fresh(self) -> None:
        """A connection of this very second is none to doubt."""
        client = self.ready()
        self.assertTrue(client.reconnect_now())
        self.settle()
        self.assertEqual(self.attempts, 1)

    def test_closing(self) -> None:
        """It does not wait for a server that takes its time to close."""
        self.server.close = "ignore"
        client = self.ready()
        self.advance(2)
        self.session.send_frame('c[3000,"Go away!"]')
        self.settle()
        client.reconnect_now()
        again = client.when_ready()
        self.settle()
        self.successResultOf(again)

    def test_refused(self) -> None:
        """The slow retries of a server that refuses are cut short as well."""
        self.server.script(token="refuse")
        client = self.started()
        self.advance(5)
        self.server.script()
        client.reconnect_now()
        self.settle()
        self.assertTrue(client.connected)

    def test_one_connection_only(self) -> None:
        """What is asked for is no loss: ``reconnect=False`` does not end the client for it."""
        client = self.ready(reconnect=False)
        self.advance(2)
        client.reconnect_now()
        self.settle()
        self.assertTrue(client.connected)

    def test_not_running(self) -> None:
        """A client that is not started, was stopped, or gave up, is not started by this."""
        client = self.client()
        self.assertFalse(client.reconnect_now())
        client.startService()
        self.settle()
        self.assertTrue(client.reconnect_now())
        client.end()
        self.assertFalse(client.reconnect_now())
        self.settle()
        self.assertFalse(client.reconnect_now())
        self.server.script(token=lambda request: request.respond(410))
        client = self.started()
        self.assertFalse(client.reconnect_now())
        self.advance(5)
        self.assertEqual(self.attempts, 2)

    def test_ended_meanwhile(self) -> None:
        """Its Deferred fails when the client is ended; a client that is started anew connects."""
        client = self.ready()
        self.advance(2)
        client.reconnect_now()
        again = client.when_ready()
        client.end()
        self.failure(again, ClientClosed)
        client.startService()
        client.reconnect_now()
        again = client.when_ready()
        self.settle()
        self.successResultOf(again)
        self.assertTrue(client.connected)

    def test_in_a_pause(self) -> None:
        """A connection that is not read is dropped at once, too; the gap has what was on it."""
        client = self.ready(buffer_limit=1)
        gaps = Calls()
        client.on("gap", gaps)
        subscribing = client.subscribe("c")
        self.settle()
        self.session.subscribed("c")
        self.settle()
        iteration = aiter(self.successResultOf(subscribing))
        self.session.send(*({"channel": "c", "message": number} for number in range(3)))
        self.settle()
        since = self.server.clock.seconds()
        self.advance(2)
        client.reconnect_now()
        self.settle()
        self.session.subscribed("c")
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(take(iteration, 1))), [0])
        self.settle()
        self.assertEqual([gap.since for gap in gaps], [since])
