"""
The peers of an identity, on several servers: those of one are reached from another; and the end
of an identity.
"""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import treq
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from txtokensock import TokenSocket
from txtokensock.errors import SockJSClosed
from txtokensock.server import query
from txtokensock.sockjs import SockJSClientEndpoint

from .embedded import EmbeddedServer
from .support import Heard, InteropTestCase, until, within
from .test_redis_cluster import RedisTestCase, get_token
from .test_redis_trouble import tell
from .twistd import Serve

NAMESPACE = "app"


class IdentitiesOfServers(RedisTestCase):
    """A ``twistd tokensock serve`` with peers, and a server that acts on them."""

    programs = ("redis-server", "redis-cli")

    async def setUp(self) -> None:
        await super().setUp()
        redis = f"redis://127.0.0.1:{self.redis.port}/0"
        key = Path(self.mktemp())
        key.write_text("k3y")
        options = (
            "--redis",
            redis,
            "--namespace",
            NAMESPACE,
            "--admin-key-file",
            str(key.resolve()),
        )
        self.there = await self.started(Serve(*options, admin=True))
        self.url = f"http://{self.there.address}"
        await self.until_status(self.url, 200)
        self.here = await self.ours(NAMESPACE)

    async def test_close(self) -> None:
        """Its peer there is closed with code and reason, and comes back with a fresh token."""
        socket, _ = await self.ready_client(self.url)
        gone, reconnected = Heard(), Heard()
        socket.on("disconnect", gone)
        socket.onreconnect(reconnected)
        sync = f"{NAMESPACE}:sync"
        for nonsense in ("", "null", '{"command":"ask"}', '{"command":"ask","id":{}}', "[" * 9999):
            await tell(self.redis, "PUBLISH", sync, nonsense)
        nobody = await within(self.here.server.close_identity({"user": "bob"}, "Banned"))
        self.assertEqual((nobody.peers, nobody.servers, nobody.silent), (0, 2, 0))
        closed = await within(self.here.server.close_identity({"user": "ada"}, "Signed out"))
        self.assertEqual((closed.peers, closed.servers, closed.silent), (1, 2, 0))
        await reconnected.until(1)
        ((error,),) = gone
        self.assertIsInstance(error, SockJSClosed)
        self.assertEqual((error.code, error.reason), (4410, "Signed out"))

    async def test_call(self) -> None:
        """Its peer there is called, and one of ours; both answers come."""
        for url, answer in ((self.url, "there"), (self.here.url, "here")):
            socket, _ = await self.ready_client(url)
            socket.register({"where": lambda data, answer=answer: [data, answer]})
        await self.ready_client(self.url)
        answers = await within(self.here.server.rpc_identity({"user": "ada"}, "where", 1))
        self.assertEqual(sorted(answers.results.values()), [[1, "here"], [1, "there"]])
        self.assertEqual(list(answers.failures.values()), ["Function not found"])
        self.assertEqual((answers.servers, answers.silent), (2, 0))

    async def test_api(self) -> None:
        """A program that is no client closes a peer of ours at the admin pages of the other."""
        socket, _ = await self.ready_client(self.here.url)
        gone = Heard()
        socket.on("disconnect", gone)
        asked = treq.post(
            f"http://127.0.0.1:{self.there.probes()}/api/close",
            json={"match": {"user": "ada"}},
            headers={"Authorization": "Bearer k3y"},
            persistent=False,
        )
        response = await within(asked)
        self.assertEqual(await response.json(), {"peers": 1, "servers": 2, "silent": 0})
        await gone.until(1)


class _Plain(Protocol):
    """Authenticates itself once, as clients do that know nothing of an end."""

    def __init__(self, token: str, closed: Heard) -> None:
        self.token = token
        self.closed = closed

    def connectionMade(self) -> None:
        auth = {"rpc": "auth", "token": self.token, "uuid": "u"}
        self.transport.write(json.dumps(auth).encode())

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.closed(reason.value)


class ExpiringIdentities(InteropTestCase):
    """Identities that hold for six seconds."""

    async def test_end(self) -> None:
        """Our client goes on with a fresh token, on the same connection; others are closed."""
        server = EmbeddedServer(
            authentication=lambda request: {**query(request), "expires": time.time() + 6}
        )
        self.addCleanup(server.close)
        await server.start()
        socket = TokenSocket(server.url, authentication={"user": "ada"}, reactor=reactor)
        self.addCleanup(socket.end)
        socket.startService()
        gone, closed = Heard(), Heard()
        socket.on("disconnect", gone)
        await within(socket.when_ready(fail_after=1))
        plain = Factory.forProtocol(partial(_Plain, await get_token(server.url), closed))
        endpoint = SockJSClientEndpoint(reactor, f"{server.url}/sockets")
        await within(endpoint.connect(plain))
        first = await within(socket.rpc("whoami"))
        await closed.until(1)

        async def renewed() -> bool:
            identity: Any = await within(socket.rpc("whoami"))
            return bool(identity["expires"] > first["expires"])

        await until(renewed, "fresh token")
        ((error,),) = closed
        self.assertEqual((error.code, error.reason), (4419, "Identity expired"))
        self.assertEqual(gone, [])
