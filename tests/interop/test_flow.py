"""
The memory of our client beside a real server, where one of them is slower than the other.

The client is a process of its own; its figure is the most memory that it ever had, compared
with what it had when it was ready.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest

from tests.kit.processes import CommandedProgram
from txtokensock import TokenSocket
from txtokensock.server import Limits

from .embedded import EmbeddedServer as ServerHere
from .servers import NodeServer, Redis
from .slow_peer import CHANNEL
from .support import InteropTestCase, within
from .twistd import Serve

ROOT = Path(__file__).parents[2]

MESSAGES = 10_000
SIZE = 10_000
"""Bytes of a message: together, 100 MB."""

FLAT = 12 * 1024
"""
Kilobytes by which memory may grow at most: some hundred messages, what is read at once, and
what the allocator does not give back.  It was 1 to 2 MB for readers, and 8 MB with a queue
of 500 messages.
"""

SECONDS = 60.0
"""How long 100 MB may take, on a busy machine."""


class SlowPeer(CommandedProgram):
    """``slow_peer.py``."""

    def __init__(self, url: str, role: str, **options: Any) -> None:
        super().__init__("tests.interop.slow_peer", url, role, json.dumps(options))

    async def tell(self, command: str) -> dict[str, Any]:
        """Its state, when it has done so."""
        self.state: dict[str, Any] = await self.ask(command)
        return self.state

    async def at_rest(self) -> dict[str, Any]:
        """Its state, when that changes no more."""
        state, last = await self.tell("look"), None
        while state != last:
            await deferLater(reactor, 0.5)
            state, last = await self.tell("look"), state
        return state

    async def reaches(self, **wanted: Any) -> dict[str, Any]:
        """Its state, when that has these in it; fails in bounded time."""
        end = reactor.seconds() + SECONDS
        while not wanted.items() <= (state := await self.tell("look")).items():
            if reactor.seconds() > end:
                raise AssertionError(f"{wanted} never came, but {state}")
            await deferLater(reactor, 0.2)
        return state

    @property
    def grown(self) -> int:
        """Kilobytes, from when it was ready to its last state."""
        (ready,) = self.seen("ready")
        grown: int = (self.state["peak"] - ready["peak"]) // 1024
        return grown


class FlowTestCase(InteropTestCase):
    """With a server, and a client that publishes from here."""

    timeout = 240
    url: str

    async def setUp(self) -> None:
        await super().setUp()
        if sys.platform != "linux":
            raise SkipTest("needs /proc")

    async def peer(self, role: str, **options: Any) -> SlowPeer:
        """A client that is ready."""
        return await self.started(SlowPeer(self.url, role, **options))

    async def publish(self, first: int = 0, end: int = MESSAGES) -> None:
        """Messages of these numbers, each of :data:`SIZE`; the last one is marked."""
        socket = TokenSocket(self.url, reactor=reactor)
        self.addCleanup(socket.end)
        socket.startService()
        await within(socket.when_ready(fail_after=1))
        text = "x" * SIZE
        for start in range(first, end, 200):
            numbers = range(start, min(end, start + 200))
            messages = [{"n": n, "last": n == end - 1, "text": text} for n in numbers]
            published = gatherResults(socket.publish(CHANNEL, one) for one in messages)
            await within(published, SECONDS)
        await socket.rpc("echo", 1)


class ReaderTests:
    """
    A subscriber that does nothing with its messages while 100 MB are published.  What it
    has of them does not grow with time; when it goes on, the others come, in order.
    """

    async def stalled(self: Any, begun: int, **options: Any) -> None:
        reader = await self.peer("reader", buffer_limit=100, **options)
        await self.publish()
        state = await reader.at_rest()
        self.assertEqual((state["begun"], state["losses"]), (begun, []))
        self.assertLess(reader.grown, FLAT)
        await reader.tell("go")
        await reader.until(lambda: reader.seen("last"), SECONDS, "last message")
        state = await reader.tell("look")
        self.assertEqual((state["begun"], state["dropped"]), (MESSAGES, 0))
        self.assertTrue(state["in_order"])
        self.assertEqual(state["losses"], [])
        self.assertLess(reader.grown, FLAT)

    async def test_handler(self: Any) -> None:
        """A handler, of which a hundred calls run."""
        await self.stalled(100)

    async def test_loop(self: Any) -> None:
        """A loop, which has its first message."""
        await self.stalled(1, loop=True)

    async def test_transports(self: Any) -> None:
        """
        3 MB over each transport but the first.  (Over HTTP a server forgets the session
        when the client asks for nothing for five seconds, so that this is short.)
        """
        for transport in ("websocket-raw", "xhr-streaming", "eventsource", "xhr-polling"):
            reader = await self.peer("reader", buffer_limit=20, socket={"transports": [transport]})
            await self.publish(0, 300)
            state = await reader.reaches(begun=20)
            await reader.tell("go")
            await reader.until(lambda reader=reader: reader.seen("last"), what="last message")
            state = await reader.tell("look")
            self.assertEqual((state["begun"], state["dropped"]), (300, 0), transport)
            self.assertTrue(state["in_order"])
            self.assertEqual(state["losses"], [], transport)
            await reader.close()

    async def dropping(self: Any, overflow: str) -> dict[str, Any]:
        """The state of a reader that drops, after all."""
        reader = await self.peer("reader", buffer_limit=100, overflow=overflow)
        await self.publish()
        await reader.reaches(dropped=MESSAGES - 200)
        self.assertLess(reader.grown, FLAT)
        state: dict[str, Any] = await reader.tell("go")
        self.assertEqual((state["begun"], state["first"]), (200, 0))
        self.assertTrue(state["in_order"])
        self.assertEqual(state["losses"], [])
        return state

    async def test_drop_oldest(self: Any) -> None:
        """The last hundred wait for a handler."""
        self.assertEqual((await self.dropping("drop-oldest"))["newest"], MESSAGES - 1)

    async def test_drop_newest(self: Any) -> None:
        """The first hundred do."""
        self.assertEqual((await self.dropping("drop-newest"))["newest"], 199)


class WriterTests:
    """
    Clients that publish 50 MB to a server that was stopped, and goes on later.

    :ivar process: the server.
    """

    async def test_awaiting(self: Any) -> None:
        """Who waits for each Deferred is held back, and all is sent in the end."""
        writer = await self.peer("writer", count=5000, size=SIZE)
        self.process.stop()
        await writer.tell("go")
        state = await writer.at_rest()
        self.assertLess(state["sent"], 4000)
        self.process.cont()
        await writer.reaches(sent=5000, losses=[])
        self.assertLess(writer.grown, FLAT)

    async def test_careless(self: Any) -> None:
        """Who does not wait meets QueueFull; what was taken is sent in the end."""
        writer = await self.peer(
            "writer", count=5000, size=SIZE, careless=True, socket={"queue_limit": 500}
        )
        self.process.stop()
        await writer.tell("go")
        await writer.event("asked")
        state = await writer.at_rest()
        self.assertGreater(state["refused"], 500)
        self.process.cont()
        await writer.reaches(sent=5000 - state["refused"], losses=[])
        self.assertLess(writer.grown, FLAT)


class NodeServerTests(ReaderTests, WriterTests, FlowTestCase):
    """The real node-token-sockjs."""

    async def setUp(self) -> None:
        await super().setUp()
        redis = await self.started(Redis())
        # It may take longer than the default until the reader reads, and answers a ping.
        self.process = await self.started(NodeServer(redis, PING="1", HEARTBEAT="600000"))
        self.url = self.process.url


class OurServerTests(WriterTests, FlowTestCase):
    """Our own, as a process."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.process = await self.started(Serve())
        self.url = f"http://127.0.0.1:{self.process.port}"


class PatientServerTests(ReaderTests, FlowTestCase):
    """Our own, here, which has room for 100 MB and more; and what it does with calls."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        limits = Limits(buffered=2 * MESSAGES * SIZE, messages_per_second=1e6)
        self.here = ServerHere(limits=limits)
        self.addCleanup(self.here.close)
        await self.here.start()
        self.url = self.here.url

    async def test_answers_that_are_not_read(self) -> None:
        """
        Our client is called 5000 times, for 50 MB of answers, by a server that does not
        read them: most calls are not read either, and all are answered in the end.
        """
        callee = await self.peer("callee", size=SIZE)
        peer = self.here.asked[-1][0]
        self.here.stop_reading()
        calls = [peer.rpc("long", number) for number in range(5000)]
        state = await callee.at_rest()
        self.assertLess(state["called"], 4000)
        self.assertLess(callee.grown, FLAT)
        self.here.read_again()
        answers = await within(gatherResults(calls), SECONDS)
        self.assertEqual([answer["n"] for answer in answers], list(range(5000)))
        await callee.tell("look")
        self.assertLess(callee.grown, FLAT)


class ImpatientServerTests(FlowTestCase):
    """Our own, as it is: a client for whom 4 MiB wait is closed."""

    programs = ()

    async def setUp(self) -> None:
        await super().setUp()
        self.here = ServerHere()
        self.addCleanup(self.here.close)
        await self.here.start()
        self.url = self.here.url

    async def test_closed(self) -> None:
        """It takes what had come, in order, and comes back for what is published then."""
        reader = await self.peer("reader", buffer_limit=100)
        await self.publish(0, 3000)
        state = await reader.at_rest()
        self.assertEqual((state["begun"], state["losses"]), (100, []))
        await reader.tell("go")
        await self.here.asked.until(2)
        state = await reader.at_rest()
        self.assertLess(state["newest"], 2999)
        self.assertEqual(len(state["losses"]), 1)
        self.assertIn("4001", state["losses"][0])
        await self.publish(3000, 3100)
        await reader.reaches(newest=3099, begun=state["begun"] + 100, in_order=True)
        self.assertLess(reader.grown, FLAT)
