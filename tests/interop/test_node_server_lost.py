"""
``TokenSocket`` against the real node-token-sockjs 2.1.11 when that is killed, frozen, or
says good-bye: what waits fails or is sent again, and the connection comes back by itself.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import deferLater

from txtokensock import Timeouts
from txtokensock.errors import (
    AttemptTimeout,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    PeerSilent,
    TokenUnreachable,
)

from .support import Heard, NodeServerTestCase, within


class Killed(NodeServerTestCase):
    """``kill -9``: the system closes the server's sockets, nothing is said."""

    async def test_call_in_flight(self) -> None:
        """A call that the server had received fails at once, and may have run."""
        socket = await self.ready_client()
        call = socket.rpc("slow", {})
        await self.node.event("frame", rpc="slow")
        await self.node.kill()
        failure = await self.failure_of(call, ConnectionLost)
        self.assertTrue(failure.may_have_run)

    async def test_idempotent_call(self) -> None:
        """
        A call that may run twice is sent again after the return, and its answer is the
        second run's.  The first run's answer, late, goes nowhere.
        """
        runs: list[Deferred[str]] = []

        def action(args: Any) -> Deferred[str]:
            runs.append(Deferred())
            called(args)
            return runs[-1]

        called = Heard()
        socket = await self.ready_client(actions={"action": action})
        call = socket.rpc("callme", {"command": "action"}, idempotent=True)
        await called.until(1)
        await self.node.restart()
        await called.until(2)
        runs[0].callback("first")
        runs[1].callback("second")
        self.assertEqual(await within(call), "second")
        await socket.rpc("echo", {})
        await self.node.event("frame", rpc="echo")
        self.assertEqual(len(self.node.seen("frame", rpc="_rpc")), 1)

    async def test_return(self) -> None:
        """
        After the return the subscriptions are as wanted now, each asked for once; what
        was called and published meanwhile follows, and listeners heard of it all.
        """
        lost, back, messages = Heard(), Heard(), Heard()
        socket = await self.ready_client()
        socket.on("disconnect", lost)
        socket.on("reconnect", back)
        socket.on("message", messages)
        await gatherResults([socket.subscribe(name) for name in ["kept", "dropped"]])
        await self.failure_of(socket.subscribe("forbidden"), Forbidden)
        await self.node.kill()
        await lost.until(1)
        dropped = socket.unsubscribe("dropped")
        published = socket.publish("kept", {"while": "away"})
        call = socket.rpc("echo", {"while": "away"})
        await self.node.start()
        self.assertEqual(await within(call), {"while": "away"})
        await within(gatherResults([dropped, published]))
        self.assertEqual((await messages.until(1))[0], ("kept", {"while": "away"}))
        self.assertEqual(back[-1], (None,))
        self.assertEqual(list(socket.channels()), ["kept"])
        await self.node.event("frame", rpc="echo")
        asked = [frame["channel"] for frame in self.node.seen("frame", rpc="_subscribe")]
        self.assertEqual(asked, ["kept", "dropped", "forbidden", "kept"])

    async def test_under_load(self) -> None:
        """
        Three kills among 1200 calls: each call has one outcome; those that may run
        twice are all answered, the others are answered or lost, and a new one is answered.
        """
        socket = await self.ready_client()
        again, once = [], []
        for _ in range(3):
            seen = len(self.node.seen("frame", rpc="slow"))
            for n in range(200):
                data = {"ms": n % 20, "n": n}
                again.append((data, socket.rpc("slow", data, idempotent=True)))
                once.append((data, socket.rpc("slow", data)))
            await self.node.event("frame", count=seen + 100, rpc="slow")
            await self.node.restart()
        for data, call in again:
            self.assertEqual(await within(call), data)
        outcomes = await within(DeferredList([call for _, call in once], consumeErrors=True))
        for (data, _), (answered, outcome) in zip(once, outcomes, strict=True):
            if answered:
                self.assertEqual(outcome, data)
            else:
                self.assertIsInstance(outcome.value, ConnectionLost)
        self.assertEqual(await within(socket.rpc("echo", 1)), 1)

    async def test_failed_attempts(self) -> None:
        """While nobody listens each attempt fails, and ``reconnect`` is told why."""
        back = Heard()
        socket = await self.ready_client()
        socket.on("reconnect", back)
        await self.node.kill()
        for (error,) in await back.until(3):
            self.assertIsInstance(error, TokenUnreachable)

    async def test_first_connection_late(self) -> None:
        """A client may be started before its server: ready as soon as that is there."""
        await self.node.kill()
        attempts = Heard()
        socket = self.client()
        socket.on("ready", attempts)
        await attempts.until(1)
        call = socket.rpc("echo", {"early": True})
        await self.node.start()
        await within(socket.when_ready())
        self.assertEqual(await within(call), {"early": True})

    async def test_without_reconnect(self) -> None:
        """``reconnect=False``: the loss is the end, and calls fail at once."""
        lost = Heard()
        socket = await self.ready_client(reconnect=False)
        socket.on("disconnect", lost)
        await self.node.kill()
        await lost.until(1)
        await self.failure_of(socket.rpc("echo", {}), ClientClosed)

    async def test_too_big(self) -> None:
        """A message above the limit ends the connection, and not the client."""
        lost = Heard()
        socket = await self.ready_client(max_message_size=10_000)
        socket.on("disconnect", lost)
        await self.failure_of(socket.rpc("long", {"times": 20_000}), ConnectionLost)
        (reason,) = (await lost.until(1))[0]
        self.assertIn("10000", str(reason))
        self.assertEqual(await within(socket.rpc("echo", 1)), 1)

    async def test_good_bye(self) -> None:
        """A session that the server closes in order is a loss like any other."""
        back = Heard()
        socket = await self.ready_client()
        socket.on("reconnect", back)
        await self.failure_of(socket.rpc("leave", {}), ConnectionLost)
        await back.until(1)
        self.assertEqual(await socket.rpc("echo", 1), 1)
        await self.node.event("token", count=2)


class Frozen(NodeServerTestCase):
    """SIGSTOP: the connection stays open, and nothing comes any more."""

    async def noticed(self, **watch: float) -> None:
        """A client with that watch cuts the connection, and is back when the server is."""
        lost = Heard()
        socket = await self.ready_client(**watch)
        socket.on("disconnect", lost)
        call = socket.rpc("slow", {})
        await self.node.event("frame", rpc="slow")
        self.node.stop()
        failure = await self.failure_of(call, ConnectionLost)
        self.assertTrue(failure.may_have_run)
        (reason,) = (await lost.until(1))[0]
        self.assertIsInstance(reason, PeerSilent)
        self.node.cont()
        self.assertEqual(await within(socket.rpc("echo", 1)), 1)

    async def test_pings(self) -> None:
        """Regular pings that are not answered tell."""
        await self.noticed(ping=0.2, ping_timeout=0.5)

    async def test_silence(self) -> None:
        """So does a probe after a silence, without regular pings."""
        await self.noticed(silence_timeout=0.2, ping_timeout=0.5)

    async def test_publish_waits(self) -> None:
        """When the buffers on the way are full a publish waits; then all goes on."""
        socket = await self.ready_client()
        self.node.stop()
        published = []
        for n in range(200):
            published.append(socket.publish("channel1", {"n": n, "text": "x" * 1_000_000}))
            await deferLater(reactor, 0)
            await deferLater(reactor, 0)
            if not published[-1].called:
                break
        self.assertFalse(published[-1].called)
        self.node.cont()
        await within(gatherResults(published))
        await self.node.event("frame", count=len(published), rpc="_publish")

    async def test_while_connecting(self) -> None:
        """An attempt ends with its phase's deadline, also where the system accepts for it."""
        self.node.stop()
        socket = self.client(timeouts=Timeouts(token=0.3))
        failure = await self.failure_of(socket.when_ready(fail_after=1), AttemptTimeout)
        self.assertEqual(failure.phase, "token")
        self.node.cont()
        await within(socket.when_ready())


class Ended(NodeServerTestCase):
    """
    ``end()`` in each state.  That no timer and no socket is left is what trial's test
    case checks after every test here.
    """

    async def test_ready(self) -> None:
        """The server sees the session closed; calls in flight and later ones fail."""
        socket = await self.ready_client(ping=0.3)
        await within(socket.subscribe("channel1"))
        call = socket.rpc("slow", {})
        await self.node.event("frame", rpc="slow")
        ended = socket.end()
        await self.failure_of(call, ConnectionLost, ClientClosed)
        await within(ended)
        await self.node.event("close")
        await self.failure_of(socket.rpc("echo", {}), ClientClosed)
        await within(socket.end())

    async def test_while_connecting(self) -> None:
        """An attempt that the server lets wait is given up."""
        self.node.stop()
        socket = self.client()
        call = socket.rpc("echo", {})
        await within(socket.end())
        await self.failure_of(call, ClientClosed)

    async def test_while_away(self) -> None:
        """The retry that was planned never comes."""
        back = Heard()
        socket = await self.ready_client()
        socket.on("reconnect", back)
        await self.node.kill()
        await back.until(1)
        call = socket.rpc("echo", {})
        await within(socket.end())
        await self.failure_of(call, ClientClosed)

    async def test_frozen(self) -> None:
        """A server that does not take part in closing is left within the deadline."""
        socket = await self.ready_client(timeouts=Timeouts(close=0.3))
        self.node.stop()
        await within(socket.end())

    async def test_started_again(self) -> None:
        """As every Twisted service, it may be started again."""
        socket = await self.ready_client()
        await within(socket.stopService())
        socket.startService()
        await within(socket.when_ready())
        self.assertEqual(await socket.rpc("echo", 1), 1)
