"""
From the first sign of a close on, a connection is used no more.

A server that closes may take seconds until its TCP connection ends, and whatever is sent
meanwhile goes nowhere.  What becomes of what waits, is in flight, or is asked for then is in the
table of ``tests/faults``, at each step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txtokensock.errors import (
    AuthenticationAborted,
    CallTimeout,
    ClientClosed,
    ConnectionFailed,
    ConnectionLost,
)
from txtokensock.testing import ScriptedSession

from ..common import Calls, ServerTestCase

SIGNS: dict[str, Callable[[ScriptedSession], object]] = {
    "c frame": lambda session: session.send_frame('c[3000,"Go away!"]'),
    "close frame": lambda session: session.close_websocket(1001),
    "both": lambda session: session.close(),
}
"""What a server says first; the TCP connection stays for now."""


class ClosingTests(ServerTestCase):
    """The time between the first sign and the end of TCP."""

    def setUp(self) -> None:
        super().setUp()
        self.server.close = "ignore"  # nor does the server answer a WebSocket close

    def each(self, play: Callable[[Callable[[], None]], None]) -> None:
        """With every sign; the server closes TCP at once, after a while, or never."""
        for name, sign in SIGNS.items():
            for ends in (0.0, 0.2, None):
                with self.subTest(sign=name, ends=ends):

                    def close(
                        sign: Callable[[ScriptedSession], object] = sign, ends: float | None = ends
                    ) -> None:
                        session = self.session
                        sign(session)
                        if ends is not None:
                            self.server.clock.callLater(ends, session.hang_up)

                    play(close)

    def test_not_connected(self) -> None:
        """Nobody is told that there is a connection, and the next one is waited for."""

        def play(close: Callable[[], None]) -> None:
            client = self.ready()
            close()
            self.settle()
            self.assertFalse(client.connected)
            self.assertIsNone(client.connected_to)
            self.assertIsNone(client.transport)
            ready = client.when_ready()
            self.pending(ready)
            self.advance(6)
            self.successResultOf(ready)
            self.assertTrue(client.connected)
            client.end()
            self.advance(5)

        self.each(play)

    def test_timeout_meanwhile(self) -> None:
        """A call that was never sent, and whose time is over, says so."""
        client = self.ready()
        self.session.send_frame('c[3000,"Go away!"]')
        self.settle()
        call = client.rpc("f", timeout=1)
        self.advance(1)
        error = self.failure(call, CallTimeout)
        self.assertFalse(error.may_have_run)
        self.assertIn("Go away!", str(error))

    def test_answered_before(self) -> None:
        """What came before the sign is delivered, in the same segment as well."""
        client = self.ready()
        call = client.rpc("f")
        self.settle()
        self.session.answer(self.session.received[-1], "just in time")
        self.session.send_frame('c[3000,"Go away!"]')
        self.settle()
        self.assertEqual(self.successResultOf(call), "just in time")

    def test_answered_while_paused(self) -> None:
        """An answer that waits behind a slow subscription is not lost to the sign after it."""
        client = self.ready(buffer_limit=1)
        subscribing = client.subscribe("c")
        self.settle()
        self.session.subscribed("c")
        self.settle()
        subscription = self.successResultOf(subscribing)
        iteration = aiter(subscription)
        call = client.rpc("f")
        self.settle()
        self.session.send(
            {"channel": "c", "message": 1},
            {"rpc": "f", "uuid": self.session.received[-1]["uuid"], "resp": "there"},
        )
        self.session.send_frame('c[3000,"Go away!"]')
        self.settle()
        self.assertFalse(client.connected)
        self.pending(call)
        publishing = client.publish("c", 1)
        self.settle()
        self.pending(publishing)
        self.assertEqual(self.session.received[-1]["rpc"], "f")
        from twisted.internet.defer import ensureDeferred

        async def take() -> Any:
            return await anext(iteration)

        self.assertEqual(self.successResultOf(ensureDeferred(take())), 1)
        self.settle()
        self.assertEqual(self.successResultOf(call), "there")
        publishing.addErrback(lambda failure: failure.trap(ClientClosed))

    def test_fails_fast_with_auth(self) -> None:
        """An attempt that ends in such a segment counts as one that failed."""

        def accept_and_close(session: Any) -> None:
            session.accept_auth()
            session.close()
            session.hang_up()

        self.server.auth = accept_and_close
        client = self.client()
        ready = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        error = self.failure(ready, AuthenticationAborted)
        self.assertIn("as soon as it was authenticated", str(error))
        self.assertEqual((error.phase, error.retry_in), ("auth", 0.1))

    def test_end_meanwhile(self) -> None:
        """The client may be ended, and started again, in that time."""

        def play(close: Callable[[], None]) -> None:
            client = self.ready()
            close()
            self.settle()
            waiting = client.rpc("f")
            end = client.end()
            self.failure(waiting, ClientClosed)
            client.startService()
            self.advance(6)
            self.successResultOf(end)
            self.assertTrue(client.connected)
            client.end()
            self.advance(5)

        self.each(play)

    def test_restart_when_a_call_fails(self) -> None:
        """So it may when a call fails for the sign: every Deferred fires once."""

        def play(close: Callable[[], None]) -> None:
            client = self.ready()
            ends: list[Any] = []

            def restart(_: object) -> None:
                ends.append(client.end())
                client.startService()

            client.rpc("f").addErrback(restart)
            other = client.rpc("g")
            self.settle()
            close()
            self.advance(6)
            self.successResultOf(ends[0])
            self.failure(other, ConnectionLost)
            self.assertTrue(client.connected)
            client.end()
            self.advance(5)

        self.each(play)

    def test_events(self) -> None:
        """``disconnect`` is emitted once, and actions that run are not answered into nothing."""

        def play(close: Callable[[], None]) -> None:
            from twisted.internet.defer import Deferred

            running: list[Deferred[Any]] = []

            def action(_: Any) -> Deferred[Any]:
                running.append(Deferred())
                return running[-1]

            client = self.ready(actions={"f": action})
            disconnects = Calls()
            client.on("disconnect", disconnects)
            old = self.session
            old.call("f")
            self.settle()
            close()
            self.settle()
            running[0].callback("late")
            self.advance(6)
            self.assertEqual(old.received, [])
            self.assertEqual(len(disconnects), 1)
            self.assertNotIsInstance(disconnects[0], ConnectionFailed)
            client.end()
            self.advance(5)

        self.each(play)
