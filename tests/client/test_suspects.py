"""
A request that a server closes for takes no other down with it.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import CallTimeout, ConnectionLost, RemoteError
from txtokensock.server import Limits, TokenSocketServer
from txtokensock.testing import MemoryServer, ScriptedSession

from ..common import Calls, ServerTestCase

CODES = (1009, 4413, 4414, 4415, 4416)


class SuspectTests(ServerTestCase):
    """With a server that announces nothing, and closes for what is called ``poison``."""

    def setUp(self) -> None:
        super().setUp()
        self.code = 4413
        self.losses = 0

        def respond(session: ScriptedSession, message: Any) -> None:
            if not session.open:
                return
            if message["rpc"] == "poison":
                self.losses += 1
                session.stop_reading()
                if self.code == 1009:
                    session.close_websocket(1009)
                else:
                    session.close(self.code, "no")
                session.hang_up()
            elif message["rpc"] not in ("slow", "_publish", "_rpc"):
                session.answer(message, message["rpc"])

        self.server.respond = respond

    def test_alone(self) -> None:
        """A call that is alone in flight fails at once, and says what happened."""
        for self.code in CODES:
            client = self.ready()
            call = client.rpc("poison", idempotent=True)
            self.settle()
            error = self.failure(call, ConnectionLost)
            self.assertIn(str(self.code), str(error))
            self.assertIn("the server closed the connection on it", str(error))
            self.assertTrue(error.may_have_run)  # a server need not be what it says
            self.advance(1)
            self.assertTrue(client.connected)
            client.end()
            self.settle()
        self.assertEqual(self.losses, len(CODES))

    def test_among_others(self) -> None:
        """The others are answered; it fails at the second loss, long before its timeout."""
        client = self.ready()
        calls = [client.rpc(f"f{number}", idempotent=True) for number in range(5)]
        poison = client.rpc("poison", idempotent=True)
        later = [client.rpc(f"g{number}", idempotent=True) for number in range(5)]
        self.settle()
        waiting = client.rpc("waiting")
        self.advance(3)
        self.assertIn("closed the connection on it", str(self.failure(poison, ConnectionLost)))
        for deferred in (*calls, *later, waiting):
            self.successResultOf(deferred)
        self.assertEqual(self.losses, 2)

    def test_behind_what_waits(self) -> None:
        """What waits goes first, what is under suspicion one by one, and nothing with it."""
        client = self.ready()
        client.rpc("poison", idempotent=True).addErrback(lambda _: None)
        client.rpc("suspect", idempotent=True)
        self.settle()
        client.rpc("waits")
        self.advance(1)
        second = self.server.sessions[1]
        asked = [m["rpc"] for m in second.received]
        self.assertEqual(asked[:3], ["waits", "_ping", "poison"])
        third = self.server.sessions[2]
        self.assertEqual([m["rpc"] for m in third.received], ["suspect", "_ping"])
        self.assertEqual([len(frame) for frame in third.frames], [1, 1, 1])

    def test_taken_already(self) -> None:
        """What the server took before, as an answer to something later shows, is no suspect."""
        client = self.ready()
        slow = client.rpc("slow", idempotent=True)
        self.settle()
        self.successResultOf(self.settled(client.rpc("f")))
        poison = client.rpc("poison", idempotent=True)
        self.settle()
        self.assertIn("closed the connection on it", str(self.failure(poison, ConnectionLost)))
        self.advance(1)
        self.assertEqual([m["rpc"] for m in self.session.received], ["slow"])
        self.assertEqual(self.losses, 1)
        slow.addErrback(lambda _: None)

    def settled(self, deferred: Any) -> Any:
        self.settle()
        return deferred

    def test_slow_ones(self) -> None:
        """Calls that take their time hold no suspect up, and are not held up by one."""
        client = self.ready()
        slow = [client.rpc("slow", number, idempotent=True) for number in range(3)]
        client.rpc("poison", idempotent=True).addErrback(lambda _: None)
        self.settle()
        self.advance(3)
        asked = [m["req"] for m in self.session.received if m["rpc"] == "slow"]
        self.assertEqual(asked, [0, 1, 2])
        self.successResultOf(self.settled(client.rpc("f")))
        for call in slow:
            self.pending(call)
            call.addErrback(lambda _: None)

    def test_without_pings(self) -> None:
        """Where a server answers no ping, a suspect has five seconds to be the culprit."""
        honest = self.server.respond

        def respond(session: ScriptedSession, message: Any) -> None:
            if message["rpc"] != "_ping" and honest is not None:
                honest(session, message)

        self.server.respond = respond
        client = self.ready()
        slow = client.rpc("slow", idempotent=True)
        poison = client.rpc("poison", idempotent=True)
        self.settle()
        self.advance(12)
        self.failure(poison, ConnectionLost)
        call = client.rpc("f")
        self.advance(5)
        self.successResultOf(call)
        slow.addErrback(lambda _: None)

    def test_other_losses(self) -> None:
        """They never end an idempotent call before its timeout."""
        client = self.ready()
        call = client.rpc("slow", idempotent=True, timeout=400)
        for number in range(5):
            self.settle()
            self.session.close(4429, "Too many") if number % 2 else self.session.drop()
            self.advance(60)  # 4429 is waited for as a refusal
        self.pending(call)
        self.advance(400)
        self.assertTrue(self.failure(call, CallTimeout).may_have_run)

    def test_publishes_that_nobody_acknowledges(self) -> None:
        """They may have been it as well: the call is sent again."""
        client = self.ready()
        call = client.rpc("slow", idempotent=True)
        self.settle()
        client.publish("c", "x")
        self.settle()
        self.session.close(4413, "no")
        self.advance(1)
        self.pending(call)
        self.assertEqual(self.session.received[0]["rpc"], "slow")
        call.addErrback(lambda _: None)

    def test_ended_meanwhile(self) -> None:
        """A client that is ended while it waits for a ping leaves nothing behind."""
        self.server.respond = None
        client = self.ready()
        calls = [client.rpc("slow", idempotent=True) for _ in range(2)]
        self.settle()
        self.session.close(4413, "no")
        self.advance(1)
        self.assertEqual([m["rpc"] for m in self.session.received], ["slow", "_ping"])
        client.end()
        self.settle()
        for call in calls:
            self.failure(call, ConnectionLost)


class OldServerTests(ServerTestCase):
    """A real server that announces nothing, over every transport."""

    def test_large(self) -> None:
        """One oversized call, among many others, costs no other call its answer."""
        for transport in ("websocket", "websocket-raw", "xhr-streaming", "xhr-polling"):
            for limits in (Limits(), Limits(frame_size=1024 * 1024)):
                with self.subTest(transport=transport, frame_size=limits.frame_size):
                    self.play(transport, limits)

    def play(self, transport: str, limits: Limits) -> None:
        memory = MemoryServer(
            lambda clock: TokenSocketServer(
                lambda request: {"user": "ada"},
                actions={"echo": lambda data, peer: data},
                limits=limits,
                acks=False,
                reactor=clock,
            )
        )
        client = memory.client(transports=(transport,))
        losses = Calls()
        client.on("disconnect", losses)
        client.startService()
        memory.settle()
        before = [client.rpc("echo", number, idempotent=True) for number in range(20)]
        poison = client.rpc("echo", "x" * 1_100_000, idempotent=True)
        after = [client.rpc("echo", number, idempotent=True) for number in range(20)]
        memory.advance(15)
        self.assertEqual([self.successResultOf(call) for call in before], list(range(20)))
        self.assertEqual([self.successResultOf(call) for call in after], list(range(20)))
        if limits.frame_size > limits.message_size:  # then the server has a uuid to answer to
            self.failure(poison, RemoteError)
        else:
            self.failure(poison, ConnectionLost)
        self.assertLessEqual(len(losses), 2)
        self.assertTrue(client.connected)
        client.end()
        memory.server.stopService()
        memory.advance(10)
