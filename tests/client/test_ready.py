"""
A client with a connection: how it ends, and how it is lost.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import ClientClosed, ConnectionLost, SockJSClosed
from txtokensock.testing import ScriptedSession

from ..common import Calls, ServerTestCase


class EndTests(ServerTestCase):
    """end() with a connection."""

    def test_orderly(self) -> None:
        """The session is closed in order, and end() fires when it is."""
        client = self.ready()
        disconnects = Calls()
        client.on("disconnect", disconnects)
        end = client.end()
        self.settle()
        self.successResultOf(end)
        self.assertEqual(self.session.closed_with, 1000)
        self.assertEqual(self.server.open_connections, 0)
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.assertFalse(client.connected)
        self.assertEqual([type(error) for error in disconnects], [SockJSClosed])

    def test_twice(self) -> None:
        """end() may be called again, before and after the first has fired."""
        client = self.ready()
        ends = [client.end(), client.end()]
        self.settle()
        for end in [*ends, client.end()]:
            self.successResultOf(end)

    def test_server_that_does_not_answer(self) -> None:
        """An orderly close has a deadline; then the connection is dropped."""
        client = self.ready()
        self.server.script(close="ignore")
        end = client.end()
        self.advance(4.9)
        self.pending(end)
        self.advance(0.1)
        self.successResultOf(end)
        self.assertEqual(self.server.open_connections, 0)

    def test_server_that_does_not_read(self) -> None:
        """The same where the close frame cannot even be sent."""
        client = self.ready()
        self.session.stop_reading()
        client.publish("c", "x" * 200_000)
        self.settle()
        end = client.end()
        self.advance(5)
        self.successResultOf(end)
        self.session.read_again()
        self.settle()
        self.assertEqual(self.server.open_connections, 0)

    def test_in_flight(self) -> None:
        """Calls in flight fail at once: they may have run."""
        client = self.ready()
        calls = [client.rpc("slow", idempotent=idempotent) for idempotent in (False, True)]
        self.settle()
        waiting = client.rpc("unsent")
        client.end()
        for call in calls:
            self.assertTrue(self.failure(call, ConnectionLost).may_have_run)
        self.failure(waiting, ClientClosed)

    def test_restart(self) -> None:
        """Started again, it connects anew, and says so by ``ready`` again."""
        client = self.ready()
        ready = Calls()
        client.ready(ready)
        client.end()
        self.settle()
        client.startService()
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(ready, [None])
        self.assertEqual(len(self.server.open_sessions), 1)

    def test_start_during_stop(self) -> None:
        """
        Started while the old connection is being closed, it waits for that; the end of
        the old one is no failure of the new run.
        """
        client = self.client(reconnect=False)
        client.startService()
        self.settle()
        ready, errors = Calls(), Calls()
        client.ready(ready)
        client.on("error", errors)
        end = client.end()
        client.startService()
        waiting = client.when_ready()
        call = client.rpc("early")
        self.settle()
        self.successResultOf(end)
        self.successResultOf(waiting)
        self.assertEqual((ready, errors), ([None], []))
        self.assertEqual(len(self.server.open_sessions), 1)
        self.assertEqual([m["rpc"] for m in self.session.received], ["early"])
        self.session.answer(self.session.received[0], 1)
        self.settle()
        self.assertEqual(self.successResultOf(call), 1)

    def test_stop_start_stop(self) -> None:
        """The last word counts."""
        client = self.ready()
        ends = [client.end()]
        client.startService()
        ends.append(client.end())
        self.settle()
        for end in ends:
            self.successResultOf(end)
        self.assertFalse(client.connected)
        self.assertEqual(len(self.server.sessions), 1)

    def test_end_in_a_listener(self) -> None:
        """end() may be called by whoever hears that the client is ready, or lost."""
        for event in ("ready", "disconnect"):
            client = self.client()
            ends: list[Any] = []
            client.on(event, lambda *_, client=client, ends=ends: ends.append(client.end()))
            client.startService()
            self.settle()
            self.session.drop()
            self.advance(1)
            self.successResultOf(ends[0])
            self.assertEqual(self.server.open_connections, 0)

    def test_end_in_an_errback(self) -> None:
        """end() may be called by whoever hears that its call is lost."""
        client = self.ready()
        ends: list[Any] = []
        client.rpc("x").addErrback(lambda _: ends.append(client.end()))
        self.settle()
        self.session.drop()
        self.settle()
        self.successResultOf(ends[0])
        self.advance(100)
        self.assertEqual(len(self.server.sessions), 1)

    def test_restart_in_an_errback(self) -> None:
        """And there it may be started again, too."""
        client = self.ready()
        ready = Calls()
        client.ready(ready)

        def restart(_: object) -> None:
            client.end()
            client.startService()

        client.rpc("x").addErrback(restart)
        self.settle()
        self.session.drop()
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(ready, [None])

    def test_end_before_start(self) -> None:
        """end() of what never ran fires at once; what waited fails."""
        client = self.client()
        call = client.rpc("x")
        self.pending(call)
        self.successResultOf(client.end())
        self.failure(call, ClientClosed)
        self.failure(client.when_ready(), ClientClosed)

    def test_as_a_service(self) -> None:
        """It starts and stops with its parent."""
        from twisted.application.service import MultiService

        parent = MultiService()
        client = self.client()
        client.setServiceParent(parent)
        parent.startService()
        self.settle()
        self.assertTrue(client.connected)
        stopped = parent.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(self.server.open_connections, 0)


class LossTests(ServerTestCase):
    """The connection goes."""

    def lost(self, how: Any) -> Any:
        """What ``disconnect`` listeners hear if the server ends it so."""
        client = self.ready()
        disconnects, reconnects = Calls(), Calls()
        client.on("disconnect", disconnects)
        client.onreconnect(reconnects)
        call = client.rpc("x")
        self.settle()
        how(self.session)
        self.settle()
        self.assertFalse(client.connected)
        self.assertTrue(self.failure(call, ConnectionLost).may_have_run)
        (error,) = disconnects
        self.advance(0.1)
        self.assertTrue(client.connected)
        self.assertEqual(reconnects, [None])
        self.assertEqual(len(self.server.open_sessions), 1)
        client.end()
        self.settle()
        return error

    def test_drop(self) -> None:
        """A reset is noticed at once, and made good."""
        self.lost(ScriptedSession.drop)

    def test_hang_up(self) -> None:
        """So is a connection that just ends."""
        self.lost(ScriptedSession.hang_up)

    def test_close(self) -> None:
        """A SockJS close is a loss like any other, and its code can be read."""
        error = self.lost(lambda session: session.close(3000, "Go away!"))
        self.assertEqual((error.code, error.reason), (3000, "Go away!"))

    def test_close_frame_alone(self) -> None:
        """The ``c`` frame is enough: it is answered with a WebSocket close."""
        error = self.lost(lambda session: session.send_frame('c[2010,"Another"]'))
        self.assertEqual((error.code, error.reason), (2010, "Another"))

    def test_close_frame_then_drop(self) -> None:
        """What follows a ``c`` frame does not change the reason."""

        def close(session: Any) -> None:
            session.send_frame('c[1000,"Normal closure"]')
            session.hang_up()

        self.assertEqual(self.lost(close).code, 1000)

    def test_websocket_close(self) -> None:
        """A WebSocket close without a ``c`` frame is an orderly end, too."""
        error = self.lost(lambda session: session.close_websocket(3000, "Broken framing."))
        self.assertEqual((error.code, error.reason), (3000, "Broken framing."))

    def test_protocol_violations(self) -> None:
        """Frames that make no sense end the connection, never the client."""
        for frame in ("o", "x", "a{", 'a"x"', "a[1]", "c", "c[1]", "m1", "hh"):
            self.lost(lambda session, frame=frame: session.send_frame(frame))

    def test_binary(self) -> None:
        """So do binary messages."""
        self.lost(lambda session: session.send_binary(b"a[]"))

    def test_bytes_that_are_no_websocket(self) -> None:
        """And bytes that are no frame at all."""
        self.lost(lambda session: session.send_raw(b"\xff" * 40))

    def test_websocket_close_that_does_not_end(self) -> None:
        """A server that closes the WebSocket and keeps the connection is left in time."""
        client = self.ready()
        disconnects = Calls()
        client.on("disconnect", disconnects)
        self.server.script(close="ignore")
        self.session.close_websocket(4001, "bye")
        self.advance(6)
        self.assertEqual([(e.code, e.reason) for e in disconnects], [(4001, "bye")])
        self.assertTrue(client.connected)
        self.assertEqual(len(self.server.open_sessions), 1)
