"""
Several servers on one Redis: ours with ours, and ours with the real node-token-sockjs
2.1.11 as one cluster; and what happens when Redis goes away.
"""

from __future__ import annotations

import json
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from tests.kit.processes import EVENT_SECONDS
from txtokensock import Backoff, TokenSocket
from txtokensock.errors import Forbidden, RemoteError, StoreUnavailable
from txtokensock.server import SHARED_WITH_NODE, RedisStore
from txtokensock.sockjs import SockJSClientEndpoint

from .embedded import EmbeddedServer
from .servers import NodeServer, Redis
from .support import Heard, InteropTestCase, until, within

ANSWER_SECONDS = 0.5
"""How long our servers let Redis take in these tests."""


class RedisTestCase(InteropTestCase):
    """With a Redis of its own."""

    programs = ("redis-server",)

    async def setUp(self) -> None:
        await super().setUp()
        self.redis = await self.started(Redis())

    async def ours(self, namespace: Any = SHARED_WITH_NODE, **options: Any) -> EmbeddedServer:
        """A server of ours on that Redis."""
        store = RedisStore(
            f"redis://127.0.0.1:{self.redis.port}/0", namespace, timeout=ANSWER_SECONDS
        )
        server = EmbeddedServer(store=store, **options)
        self.addCleanup(server.close)
        await server.start()
        await self.until_status(server.url, 200)
        return server

    async def ready_client(self, url: str, *channels: str) -> tuple[TokenSocket, Heard]:
        """A client on these channels, and what it hears."""
        socket = TokenSocket(
            url,
            authentication={"user": "ada"},
            call_timeout=EVENT_SECONDS,
            backoff=Backoff(cap=0.25),
            reactor=reactor,
        )
        self.addCleanup(socket.end)
        socket.startService()
        heard = Heard()
        socket.onmessage(heard)
        await within(socket.when_ready(fail_after=1))
        for channel in channels:
            await within(socket.subscribe(channel))
        return socket, heard

    async def until_status(self, url: str, status: int) -> None:
        """Until tokens are there, or not: Redis says to nobody that it is back."""

        async def answered() -> bool:
            return await get_status(url) == status

        await until(answered, f"status {status}")


CREDENTIALS = "user=ada&q%5Ba%5D=1"
"""``q`` is what the Node server's application looks at."""


async def get_status(url: str) -> int:
    """The status of a token request."""
    response = await within(treq.get(f"{url}/socket/token?{CREDENTIALS}", persistent=False))
    await response.content()
    return response.code


async def get_token(url: str) -> str:
    """A token of that server."""
    response = await within(treq.get(f"{url}/socket/token?{CREDENTIALS}", persistent=False))
    token: str = json.loads(await response.content())["token"]
    return token


class _OneMessage(Protocol):
    """Sends one message, and waits for what comes back, or for the end."""

    def __init__(self, message: Any) -> None:
        self.message = message
        self.answer: Deferred[Any] = Deferred()

    def connectionMade(self) -> None:
        self.transport.write(json.dumps(self.message).encode())

    def dataReceived(self, data: bytes) -> None:
        if not self.answer.called:
            self.answer.callback(json.loads(data))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        if not self.answer.called:
            self.answer.callback({})


async def authenticate(token: str, url: str) -> Any:
    """What that server answers to the token."""
    protocol = _OneMessage({"rpc": "auth", "token": token, "uuid": "u"})
    endpoint = SockJSClientEndpoint(reactor, f"{url}/sockets")
    await within(endpoint.connect(Factory.forProtocol(lambda: protocol)))
    return await within(protocol.answer)


async def spend(token: str, url: str) -> bool:
    """Whether that server accepts the token."""
    answer = await authenticate(token, url)
    return bool(answer.get("resp") == "success")


class OurServers(RedisTestCase):
    """Two servers of ours."""

    async def test_tokens(self) -> None:
        """Of ten sockets on two servers that send one token, one is let in."""
        one, two = await self.ours(), await self.ours()
        token = await get_token(one.url)
        spent = [spend(token, server.url) for server in (one, two) * 5]
        outcomes = await gatherResults([Deferred.fromCoroutine(each) for each in spent])
        self.assertEqual(sorted(outcomes), [False] * 9 + [True])

    async def test_messages(self) -> None:
        """Publish, broadcast and unsubscribe_all reach the peers of both."""
        one, two = await self.ours(), await self.ours()
        here, heard_here = await self.ready_client(one.url, "c")
        there, heard_there = await self.ready_client(two.url, "c", "d")
        await within(here.publish("c", {"n": [1]}))
        await within(two.server.broadcast(None))
        await heard_here.until(2)
        await heard_there.until(3)
        self.assertEqual(heard_here, [("c", {"n": [1]}), ("c", None)])
        self.assertEqual(sorted(heard_there[1:]), [("c", None), ("d", None)])
        ended = Heard()
        for socket in (here, there):
            socket.on("error", ended)
        await within(one.server.unsubscribe_all("c"))
        await ended.until(2)
        self.assertEqual((one.server.channels(), two.server.channels()), ([], ["d"]))

    async def test_confirmed_subscriptions_hear(self) -> None:
        """What is published after a subscription's answer arrives, always."""
        one, two = await self.ours(), await self.ours()
        here, _ = await self.ready_client(one.url)
        there, heard = await self.ready_client(two.url)
        for n in range(50):
            await within(there.subscribe(f"c{n}"))
            await within(here.publish(f"c{n}", n))
        await heard.until(50)
        self.assertEqual([message for _, message in heard], list(range(50)))

    async def test_namespace(self) -> None:
        """Servers of another namespace are another cluster, where text stays text."""
        one, two = await self.ours("one"), await self.ours("one")
        other, shared = await self.ours("other"), await self.ours()
        self.assertTrue(await spend(await get_token(one.url), two.url))
        for stranger in (other, shared):
            self.assertFalse(await spend(await get_token(one.url), stranger.url))
        socket, _ = await self.ready_client(one.url)
        _, heard = await self.ready_client(two.url, "c")
        _, heard_other = await self.ready_client(other.url, "c")
        for data in ("123", '{"a":1}', "plain", 5):
            await within(socket.publish("c", data))
        await heard.until(4)
        self.assertEqual([message for _, message in heard], ["123", '{"a":1}', "plain", 5])
        self.assertEqual(heard_other, [])

    async def test_channels_of_redis(self) -> None:
        """Nobody listens to Redis itself, which can name tokens there."""
        server = await self.ours()
        socket, _ = await self.ready_client(server.url)
        for channel in ("__keyevent@0__:set", "__keyspace@0__:x", "__sentinel__:hello"):
            await self.assertFailure(within(socket.subscribe(channel)), Forbidden)


class RedisGone(RedisTestCase):
    """Redis is killed, or hangs, and comes back."""

    async def assert_outage(self, server: EmbeddedServer, socket: TokenSocket) -> None:
        """No tokens, no publishing; everything else as before, and nothing hangs."""
        await self.until_status(server.url, 503)
        failure = await self.assertFailure(within(socket.publish("c", "lost")), RemoteError)
        self.assertEqual(failure.error, "Store unavailable")
        await self.assertFailure(within(server.server.broadcast(1)), StoreUnavailable)
        self.assertEqual(await within(socket.rpc("echo", 1)), 1)
        await within(socket.subscribe("d"))

    async def assert_restored(
        self, server: EmbeddedServer, socket: TokenSocket, heard: Heard
    ) -> None:
        """Old and new subscriptions hear, on the connection that was there before."""
        await self.until_status(server.url, 200)
        heard.clear()
        for channel in ("c", "d"):

            async def delivered(channel: str = channel) -> bool:
                # The subscription is another connection, which may come back later.
                await within(socket.publish(channel, "back"))
                await within(socket.rpc("echo", 1))
                return (channel, "back") in heard

            await until(delivered, "message")
        self.assertEqual(len(server.server.peers()), 1)

    async def test_killed(self) -> None:
        """Killed and run again, twice."""
        server = await self.ours()
        socket, heard = await self.ready_client(server.url, "c")
        reconnected = Heard()
        socket.onreconnect(reconnected)
        for _ in range(2):
            await self.redis.kill()
            await self.assert_outage(server, socket)
            await self.redis.start()
            await self.assert_restored(server, socket, heard)
        self.assertEqual(reconnected, [])

    async def test_frozen(self) -> None:
        """Its connections stay open, and nothing comes: that is noticed in time."""
        server = await self.ours()
        socket, heard = await self.ready_client(server.url, "c")
        self.redis.stop()
        try:
            await self.assert_outage(server, socket)
        finally:
            self.redis.cont()
        await self.assert_restored(server, socket, heard)

    async def test_under_load(self) -> None:
        """Killed among many publishes: each succeeds or fails by name, none hangs."""
        server = await self.ours()
        socket, _ = await self.ready_client(server.url, "c")
        outcomes = []
        for n in range(2000):
            outcomes.append(socket.publish("c", n))
            if n == 1000:
                await self.redis.kill()
        for outcome in outcomes:
            outcome.addErrback(lambda failure: failure.trap(RemoteError) and None)
        await within(gatherResults(outcomes))
        await self.redis.start()
        await self.until_status(server.url, 200)

    async def test_started_without(self) -> None:
        """A server that starts before its Redis serves as soon as that is there."""
        await self.redis.kill()
        url = f"redis://127.0.0.1:{self.redis.port}/0"
        store = RedisStore(url, SHARED_WITH_NODE, timeout=ANSWER_SECONDS)
        server = EmbeddedServer(store=store)
        self.addCleanup(server.close)
        await server.start()
        self.assertEqual(await get_status(server.url), 503)
        await self.redis.start()
        await self.until_status(server.url, 200)

    async def test_stopped_meanwhile(self) -> None:
        """A server stops in time whatever its Redis does; the test finds nothing left."""
        server = await self.ours()
        await self.ready_client(server.url, "c")
        self.redis.stop()
        self.addCleanup(self.redis.cont)
        await within(server.stop())


class WithNode(RedisTestCase):
    """Ours and the original side by side."""

    programs = InteropTestCase.programs

    async def setUp(self) -> None:
        await super().setUp()
        self.node = await self.started(NodeServer(self.redis))
        self.our = await self.ours()
        self.servers = (self.our.url, self.node.url)

    async def test_tokens(self) -> None:
        """A token of either opens a session at the other, once."""
        for issuer, spender in (self.servers, self.servers[::-1]):
            token = await get_token(issuer)
            self.assertTrue(await spend(token, spender))
            self.assertFalse(await spend(token, issuer))

    async def test_identity(self) -> None:
        """What the original attached to the token is our peer's identity."""
        token = await get_token(self.node.url)
        seen = Heard()
        self.our.server.on("authentication", seen)
        self.assertTrue(await spend(token, self.our.url))
        credentials = {"user": "ada", "q": {"a": "1"}}
        self.assertEqual(seen[0][1], {"user": "ada", "q": credentials})

    async def test_messages(self) -> None:
        """
        A publish or broadcast on either reaches peers on both, alike, also where text
        arrives as the JSON that it looks like.
        """
        clients = [await self.ready_client(url, "c") for url in self.servers]
        sent = [{"a": [None, "é"]}, [], 5, True, None, "plain", "", "é \0"]
        looks = {"123": 123, '{"q":1}': {"q": 1}, "true": True, "null": None, '"x"': "x"}
        arrived = []
        for socket, _ in clients:
            for data in (*sent, *looks):
                await within(socket.publish("c", data))
            await within(socket.broadcast({"to": "all"}))
            arrived += [*sent, *looks.values(), {"to": "all"}]
            for _, heard in clients:
                await heard.until(len(arrived))
                self.assertEqual([message for _, message in heard], arrived)

    async def test_unsubscribe_all(self) -> None:
        """It works across, from either."""
        for clear in (
            lambda socket: self.our.server.unsubscribe_all("c"),
            lambda socket: socket.rpc("clear", "c"),
        ):
            ended = Heard()
            clients = [await self.ready_client(url, "c") for url in self.servers]
            for socket, _ in clients:
                socket.on("error", ended)
            await within(clear(clients[1][0]))
            await ended.until(2)
            self.assertEqual(self.our.server.channels(), [])
            self.assertEqual([socket.channels() for socket, _ in clients], [[], []])
