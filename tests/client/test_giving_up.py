"""
Clients that give up, and clients that are started again.
"""

from __future__ import annotations

from typing import Any, ClassVar

from txtokensock import Backoff, TokenSocket
from txtokensock.errors import ClientClosed, ConnectFailed, ConnectionFailed, SockJSClosed

from ..common import Calls, ServerTestCase


class GivingUpTests(ServerTestCase):
    """``max_attempts`` and ``reconnect=False``."""

    def gave_up(self, client: Any, kind: type[Exception]) -> None:
        """The client has stopped by itself, for an error of that kind."""
        for call in (client.rpc("x"), client.when_ready(), client.publish("c", 1)):
            error = self.failure(call, ClientClosed)
            self.assertIsInstance(error.__cause__, kind)
        self.assertFalse(client.running)
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


class ChangeOfMindTests(ServerTestCase):
    """What is done by whoever hears of a failed attempt."""

    def test_end(self) -> None:
        """end() there fails all others who wait, and is the end."""
        self.server.script(connect="refuse")
        client = self.client()
        ends: list[Any] = []
        client.when_ready(fail_after=1).addErrback(lambda _: ends.append(client.end()))
        patient, second = client.when_ready(), client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.successResultOf(ends[0])
        self.failure(patient, ClientClosed)
        self.failure(second, ConnectFailed)
        self.advance(10)
        self.assertEqual(self.server.attempts, 1)

    def test_restart(self) -> None:
        """A restart there is a new beginning: the failure is not counted against it."""
        for listen in (TokenSocket.ready, TokenSocket.onreconnect):
            client = self.client(reconnect=listen is TokenSocket.onreconnect)
            listen(client, lambda error, client=client: error and self.restart(client))
            self.server.script(token="refuse" if listen is TokenSocket.ready else "accept")
            client.startService()
            self.settle()
            if listen is TokenSocket.onreconnect:
                self.server.script(token="refuse")
                self.session.drop()
                self.advance(0.1)
            self.assertTrue(client.connected)
            self.assertEqual(len(self.server.open_sessions), 1)
            client.end()
            self.settle()

    def restart(self, client: Any) -> None:
        """Stop it, start it, and let it connect."""
        self.server.script()
        client.end()
        client.startService()

    def test_restart_at_a_loss(self) -> None:
        """So is a restart when the connection is lost."""
        client = self.ready(reconnect=False)
        client.once("disconnect", lambda _: self.restart(client))
        self.session.drop()
        self.settle()
        self.assertTrue(client.connected)
