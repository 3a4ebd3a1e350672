"""
The bridge between a real Crossbar router and real token-sockjs servers.
"""

from __future__ import annotations

import os
from typing import Any

from autobahn.wamp.exception import ApplicationError
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.task import deferLater

from txtokensock import ActionError, RemoteError, TokenSocket
from txtokensock.bridge.wamp.wamp_side import WampSide

from .crossbar import CRA_SECRET, TICKET, Crossbar
from .crossbar_peers import CrossbarTestCase, Peer
from .embedded import EmbeddedServer
from .servers import NodeServer, Redis
from .support import Heard, until, within

NEWS = {"channel": "news", "topic": "com.example.news", "direction": "both"}
RULES: dict[str, Any] = {
    "channels": [
        NEWS,
        {"channel": "room-*", "topic": "com.example.room.*", "direction": "both"},
        {"channel": "one", "topic": "com.example.one", "direction": "to-wamp"},
        {"channel": "other", "topic": "com.example.other", "direction": "to-upstream"},
    ],
    "calls": [
        {"procedure": "com.example.echo", "rpc": "echo", "name": "echo"},
        {"procedure": "com.example.rpc.*", "rpc": "*", "timeout": 0.5},
    ],
    "actions": [
        {"action": "notify", "procedure": "com.example.notify"},
        {"action": "user.read", "procedure": "com.example.read", "arguments": "spread"},
    ],
}


class Rules(CrossbarTestCase):
    """Every kind of rule, in both directions, with both kinds of server."""

    async def test_node(self) -> None:
        """The real Node server, on Redis."""
        redis = await self.started(Redis())
        node = await self.started(NodeServer(redis, PING="1"))
        await self.everything(node.url)

    async def test_ours(self) -> None:
        """Ours, which acknowledges."""
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        await self.everything(server.url)

    async def everything(self, url: str) -> None:
        crossbar = await self.started(Crossbar())
        self.bridged = await self.socket(url)
        self.wamp = self.side(self.bridged, crossbar.url, **RULES)
        await self.up(self.wamp)
        peer, client = await self.peer(crossbar), await self.socket(url)
        await self.calls(peer)
        await self.errors(peer)
        await self.one_way(peer, client)
        await self.prefix(peer, client)
        await self.equal(peer, client)
        await self.actions(peer)

    async def calls(self, peer: Peer) -> None:
        """A name, and names of a prefix; arguments become data."""
        await self.registered(peer)
        for args, kwargs, data in [
            ((), {}, None),
            ((1,), {}, 1),
            (([1, "é😀"],), {}, [1, "é😀"]),
            ((1, 2), {}, [1, 2]),
            ((), {"a": 1, "fun": 2, "error": 3}, {"a": 1, "fun": 2, "error": 3}),
            ((1,), {"a": 2}, {"args": [1], "kwargs": {"a": 2}}),
        ]:
            answer = await within(peer.call("com.example.echo", *args, **kwargs))
            self.assertEqual(answer, data)
        answer = await within(peer.call("com.example.rpc.something.nested", {"x": 1}))
        self.assertEqual(answer, {"nested": {"x": 1}})

    async def errors(self, peer: Peer) -> None:
        """Each has its URI, and the server's error is at hand as it was."""
        error = await self.error(peer.call("com.example.rpc.fail", {"message": "no", "code": 1}))
        self.assertEqual(error.error, "tokensock.error.remote")
        self.assertEqual(error.args[0]["message"], "no")
        error = await self.error(peer.call("com.example.rpc.nothing"))
        self.assertEqual(error.error, "tokensock.error.function_not_found")
        error = await self.error(peer.call("com.example.nothing"))
        self.assertEqual(error.error, "wamp.error.no_such_procedure")

    async def error(self, call: Deferred[Any]) -> Any:
        return await self.assertFailure(within(call), ApplicationError)

    async def one_way(self, peer: Peer, client: TokenSocket) -> None:
        """What goes one way does not go the other."""
        one, other = await peer.hear("com.example.one"), Heard()
        await client.subscribe("other", other)
        await within(client.publish("one", {"n": 1}))
        await within(peer.tell("com.example.other", n=2))
        self.assertEqual(await one.until(1), [({"n": 1},)])
        self.assertEqual(await other.until(1), [({"n": 2},)])

    async def prefix(self, peer: Peer, client: TokenSocket) -> None:
        """A channel is taken when somebody subscribes to its topic."""
        event, message = await peer.hear("com.example.room.7"), Heard()
        await client.subscribe("room-7", message)
        await until(lambda: "room-7" in self.bridged.channels())
        await within(self.bridged.rpc("echo", 1))
        await within(client.publish("room-7", "from upstream"))
        self.assertEqual(await event.until(1), [("from upstream",)])
        second = await self.other_peer(peer)
        await within(second.tell("com.example.room.7", "from wamp"))
        await message.until(2)
        self.assertEqual(sorted(message), [("from upstream",), ("from wamp",)])
        await event.until(2)

    async def other_peer(self, peer: Peer) -> Peer:
        crossbar: Any = peer._transport.factory
        return await self.peer_at(crossbar.port)

    async def peer_at(self, port: int) -> Peer:
        class At:
            url = f"ws://127.0.0.1:{port}/ws"

        at: Any = At()
        at.port = port
        return await self.peer(at)

    async def equal(self, peer: Peer, client: TokenSocket) -> None:
        """A thousand equal messages from each side arrive exactly once on the other."""
        events, messages = await peer.hear("com.example.news"), Heard()
        await client.subscribe("news", messages)
        await within(gatherResults([peer.tell("com.example.news", "same") for _ in range(1000)]))
        await messages.until(1000)
        await within(gatherResults([client.publish("news", "same") for _ in range(1000)]))
        await events.until(1000)
        await messages.until(2000)
        # Both at once, in between each other.
        for _ in range(1000):
            peer.tell("com.example.news", "same")
            client.publish("news", "same")
            if _ % 50 == 0:
                await deferLater(reactor, 0)
        await events.until(2000)
        await messages.until(4000)
        # What comes behind them comes after all of them.
        await within(client.publish("news", "last"))
        await events.until(2001)
        await within(peer.tell("com.example.news", "last of all"))
        await messages.until(4002)
        self.assertEqual((len(events), len(messages)), (2001, 4002))
        rule = "channel:news"
        counts = [self.counters.get("wamp", rule, o) for o in ("in", "out", "dropped", "refused")]
        self.assertEqual(counts, [4002, 4002, 0, 0])

    async def actions(self, peer: Peer) -> None:
        """The server's calls are answered by procedures, or with errors at once."""
        call = self.bridged.actions["notify"]
        error = (await self.assertFailure(within(call({"x": 1})), ActionError)).error
        self.assertEqual(error["error"], "wamp.error.no_such_procedure")
        await within(peer.register(lambda data: {"got": data}, "com.example.notify"))
        await within(peer.register(_read, "com.example.read"))
        self.assertEqual(await within(call({"x": 1})), {"got": {"x": 1}})
        read = self.bridged.actions["user"]["read"]
        self.assertEqual(await within(read({"user": "ada"})), "ada")
        error = (await self.assertFailure(within(read({"user": ""})), ActionError)).error
        self.assertEqual(error["error"], "com.example.error.nobody")
        self.assertEqual((error["args"], error["kwargs"]), (["no such user"], {"error": 1}))


def _read(user: str) -> str:
    if user:
        return user
    error = ApplicationError("com.example.error.nobody", "no such user")
    error.kwargs = {"error": 1}
    raise error


class Restarts(CrossbarTestCase):
    """One side goes, or both, without a word."""

    async def setUp(self) -> None:
        await super().setUp()
        redis = await self.started(Redis())
        self.node = await self.started(NodeServer(redis, PING="1"))
        self.crossbar = await self.started(Crossbar())
        self.bridged = await self.socket(self.node.url)
        self.wamp = self.side(self.bridged, self.crossbar.url, **RULES)
        await self.up(self.wamp)

    async def test_each_and_both(self) -> None:
        """Callers are answered at once meanwhile, and afterwards all is as before."""
        await self.works()
        await self.node.kill()
        await until(lambda: not self.bridged.connected)
        peer = await self.peer(self.crossbar)
        call = within(peer.call("com.example.echo", 1), 1)
        error = await self.assertFailure(call, ApplicationError)
        self.assertEqual(error.error, "wamp.error.unavailable")
        await within(peer.tell("com.example.news", "waits for the server"))
        await self.node.start()
        await until(lambda: self.bridged.connected)
        await self.works("waits for the server")

        await self.crossbar.kill()
        await until(lambda: not self.wamp.state().up)
        self.assertNotEqual(self.wamp.state().detail, "")
        action = within(self.bridged.actions["notify"](1), 1)
        error = (await self.assertFailure(action, ActionError)).error
        self.assertEqual(error["error"], "wamp.error.unavailable")
        await self.crossbar.start()
        await self.up(self.wamp)
        await self.works()

        await gatherResults([Deferred.fromCoroutine(p.kill()) for p in (self.node, self.crossbar)])
        await until(lambda: not self.bridged.connected and not self.wamp.state().up)
        await self.node.start()
        await self.crossbar.start()
        await self.up(self.wamp)
        await until(lambda: self.bridged.connected)
        await self.works()

    async def works(self, *waiting: str) -> None:
        """A call, and a message each way, once."""
        peer, client = await self.peer(self.crossbar), await self.socket(self.node.url)
        events, messages = await peer.hear("com.example.news"), Heard()
        await within(client.subscribe("news", messages))
        await until(lambda: "news" in self.bridged.channels())
        await within(self.bridged.rpc("echo", 1))
        await self.registered(peer)
        await within(peer.tell("com.example.news", "to upstream"))
        await messages.until(1)
        await within(client.publish("news", "to wamp"))
        await events.until(1)
        await messages.until(2)
        self.assertEqual(events, [("to wamp",)])
        self.assertEqual(list(messages), [("to upstream",), ("to wamp",)])


class Several(CrossbarTestCase):
    """Two bridges for one upstream."""

    async def test_takeover(self) -> None:
        """
        Calls go round.  Channels are forwarded by one; when it is gone without a word,
        the other one does, within five seconds; and nothing arrives twice.
        """
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        crossbar = await self.started(Crossbar())
        fields = {**RULES, "lease": "com.example.lease"}
        one = await self.bridge("one", server.url, crossbar, **fields)
        await until(lambda: one.state().detail == "", one.state)
        other = await self.bridge("other", server.url, crossbar, **fields)
        await until(lambda: "another bridge" in other.state().detail, other.state)
        peer, client = await self.peer(crossbar), await self.socket(server.url)
        await self.registered(peer)
        await self.round_robin(peer)

        events, messages = await peer.hear("com.example.news"), Heard()
        await within(client.subscribe("news", messages))
        await self.each_once(peer, client, events, messages)

        one.stopService = lambda: None  # type: ignore[method-assign]
        self.addCleanup(self.end_service, one)
        connection: Any = one._service.connection
        one._service._retries._policy = lambda failure, attempt: 1e6
        began = reactor.seconds()
        connection.transport.abortConnection()
        await until(lambda: other.state().detail == "", other.state, seconds=5)
        took = reactor.seconds() - began
        self.assertLess(took, 5)
        # The one, which may be back before anybody else: it keeps what comes until it
        # knows; the other; and the client.
        await until(lambda: len(server.server.channel_peers("news")) == 3)
        await self.each_once(peer, client, events, messages)

    async def end_service(self, side: Any) -> None:
        await side._forwarding.stop(0.1)
        await side._service.stopService()

    async def round_robin(self, peer: Peer) -> None:
        """Calls get to the server through both, in turns."""
        calls = [await within(peer.call("com.example.rpc.whoami")) for _ in range(10)]
        names = [auth["name"] for auth in calls]
        self.assertEqual((names.count("one"), names.count("other")), (5, 5))

    async def each_once(
        self, peer: Peer, client: TokenSocket, events: Heard, messages: Heard
    ) -> None:
        """Fifty equal messages each way."""
        before = len(events), len(messages)
        for _ in range(50):
            await within(peer.tell("com.example.news", "same"))
            await within(client.publish("news", "same"))
        await events.until(before[0] + 50)
        await messages.until(before[1] + 100)
        await deferLater(reactor, 0.2)
        self.assertEqual((len(events), len(messages)), (before[0] + 50, before[1] + 100))


class Ways(CrossbarTestCase):
    """Transports, serializers and authentication."""

    async def test_all(self) -> None:
        """Each way in works; wrong credentials are refused, and said without a secret."""
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        crossbar = await self.started(Crossbar())
        socket, peer = await self.socket(server.url), await self.peer(crossbar)
        base = crossbar.url.removesuffix("/ws")
        self.secret("RIGHT_TICKET", TICKET)
        self.secret("RIGHT_SECRET", CRA_SECRET)
        self.secret("WRONG", "wrong secret")
        ways: list[tuple[str, dict[str, Any]]] = [
            (crossbar.url, {"serializer": "json"}),
            (crossbar.url, {"serializer": "msgpack"}),
            (crossbar.url, {"serializer": "cbor"}),
            (crossbar.rawsocket_url, {"serializer": "msgpack"}),
            (crossbar.rawsocket_url, {"serializer": "json"}),
            (f"{base}/ticket", {"authentication": _as("ticket", "RIGHT_TICKET")}),
            (f"{base}/cra", {"authentication": _as("wampcra", "RIGHT_SECRET")}),
        ]
        for url, fields in ways:
            side = self.side(socket, url, calls=RULES["calls"], **fields)
            await self.up(side)
            await self.registered(peer)
            data = {"text": "é😀", "numbers": [1, -1.5, 2**40], "none": None}
            self.assertEqual(await within(peer.call("com.example.echo", data)), data, url)
            await side.stopService()
        for path, method in (("ticket", "ticket"), ("cra", "wampcra")):
            side = self.side(socket, f"{base}/{path}", authentication=_as(method, "WRONG"))
            await self.refused(side)
            self.assertNotIn("wrong secret", side.state().detail)
            await side.stopService()

    async def refused(self, side: WampSide) -> None:
        """Wait until the router has said no."""
        await until(lambda: "refused" in side.state().detail, side.state)

    def secret(self, name: str, value: str) -> None:
        """A secret in the environment, for this test."""
        os.environ[name] = value
        self.addCleanup(os.environ.pop, name)


def _as(method: str, name: str) -> dict[str, Any]:
    return {"method": method, "authid": "bridge", "secret": {"env": name}}


class Container(CrossbarTestCase):
    """The component that Crossbar hosts."""

    async def test_component(self) -> None:
        """It does what the bridge does, with no twistd around it."""
        server = EmbeddedServer()
        self.addCleanup(server.close)
        await server.start()
        component = {
            "classname": "txtokensock.bridge.wamp.component.TokenSocketComponent",
            "extra": {"upstream": {"host": server.url}, **RULES},
        }
        crossbar = await self.started(Crossbar(component))
        peer, client = await self.peer(crossbar), await self.socket(server.url)
        await until(lambda: len(server.server.channel_peers("news")) == 1)
        self.assertEqual(await within(peer.call("com.example.echo", {"a": 1})), {"a": 1})
        events, messages = await peer.hear("com.example.news"), Heard()
        await within(client.subscribe("news", messages))
        for _ in range(20):
            await within(peer.tell("com.example.news", "same"))
            await within(client.publish("news", "same"))
        await events.until(20)
        await messages.until(40)
        await within(peer.register(lambda data: {"got": data}, "com.example.notify"))
        (bridge,) = server.server.channel_peers("one")
        self.assertEqual(await within(bridge.rpc("notify", 1)), {"got": 1})
        with self.assertRaises(RemoteError):
            await within(bridge.rpc("user.read", {"user": ""}))
