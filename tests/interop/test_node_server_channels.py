"""
``TokenSocket`` against the real node-token-sockjs 2.1.11: publish and subscribe.
"""

from __future__ import annotations

from twisted.internet.defer import gatherResults

from txtokensock.errors import Forbidden

from .servers import NodeServer
from .support import Heard, NodeServerTestCase, within


class Channels(NodeServerTestCase):
    """Publish and subscribe, through the server and Redis."""

    async def setUp(self) -> None:
        await super().setUp()
        self.socket = await self.ready_client()
        self.heard = Heard()
        self.socket.on("message", self.heard)

    async def test_messages(self) -> None:
        """What is published to a channel arrives as it was, in order."""
        messages = [{"foo": "bar"}, [1, "é 😀 \0"], "a string", 5, True, None, ""]
        await within(self.socket.subscribe("channel1"))
        self.assertEqual(list(self.socket.channels()), ["channel1"])
        for message in messages:
            await within(self.socket.publish("channel1", message))
        await self.heard.until(len(messages))
        self.assertEqual(self.heard, [("channel1", message) for message in messages])

    async def test_subscriptions(self) -> None:
        """One gives its messages to ``async for``, the other to its handler."""
        handled = Heard()
        subscription = await within(self.socket.subscribe("channel1"))
        await within(self.socket.subscribe("channel1", handler=handled))
        for n in range(3):
            await self.socket.publish("channel1", n)
        iterated = aiter(subscription)
        self.assertEqual([await within(anext(iterated)) for _ in range(3)], [0, 1, 2])
        self.assertEqual(await handled.until(3), [(0,), (1,), (2,)])
        await within(subscription.unsubscribe())
        self.assertEqual([message async for message in iterated], [])
        self.assertEqual(list(self.socket.channels()), ["channel1"])

    async def test_unsubscribe(self) -> None:
        """After the notice nothing more arrives, while others still get it."""
        other, others = await self.ready_client(), Heard()
        other.on("message", others)
        await within(self.socket.subscribe("channel1"))
        await within(other.subscribe("channel1"))
        await within(self.socket.unsubscribe("channel1"))
        self.assertEqual(list(self.socket.channels()), [])
        await self.socket.publish("channel1", 1)
        await others.until(1)
        # The server wrote to all its subscribers before it could answer this.
        await self.socket.rpc("echo", {})
        self.assertEqual(self.heard, [])

    async def test_twice(self) -> None:
        """A channel that two parts of a program want is asked for once."""
        first = self.socket.subscribe("channel1")
        second = self.socket.subscribe("channel1")
        await within(gatherResults([first, second]))
        await self.socket.rpc("echo", {})
        await self.node.event("frame", rpc="echo")
        self.assertEqual(len(self.node.seen("frame", rpc="_subscribe")), 1)

    async def test_two_clients(self) -> None:
        """Clients of two servers that share a Redis talk to each other."""
        server = await self.started(NodeServer(self.redis))
        elsewhere = await self.ready_client(server.url)
        await within(self.socket.subscribe("questions"))
        answers = Heard()
        elsewhere.on("message", answers)
        await within(elsewhere.subscribe("answers"))
        await elsewhere.publish("questions", {"q": 1})
        self.assertEqual((await self.heard.until(1))[0], ("questions", {"q": 1}))
        await self.socket.publish("answers", {"a": 2})
        self.assertEqual((await answers.until(1))[0], ("answers", {"a": 2}))

    async def test_broadcast(self) -> None:
        """A broadcast arrives once for each subscribed channel, with its name."""
        for channel in ["a", "b"]:
            await within(self.socket.subscribe(channel))
        await within((await self.ready_client()).broadcast({"all": True}))
        await self.heard.until(2)
        self.assertCountEqual(self.heard, [("a", {"all": True}), ("b", {"all": True})])

    async def test_refused_subscription(self) -> None:
        """It fails with Forbidden and is forgotten; the connection goes on."""
        await self.failure_of(self.socket.subscribe("forbidden"), Forbidden)
        self.assertEqual(list(self.socket.channels()), [])
        await within(self.socket.subscribe("allowed"))

    async def test_refused_messages(self) -> None:
        """Done when handed over; the refusal that comes later is an ``error`` event."""
        errors = Heard()
        self.socket.on("error", errors)
        await within(self.socket.publish("forbidden", {}))
        await within(self.socket.broadcast({"refuse": True}))
        await errors.until(2)
        self.assertEqual([type(error) for (error,) in errors], [Forbidden, Forbidden])
