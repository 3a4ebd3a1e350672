"""
A token-sockjs server in memory: the real service in a real twisted.web site on a Clock,
and clients that speak HTTP and WebSocket bytes to it.
"""

from __future__ import annotations

import itertools
import json
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from tests.kit.http import Response
from tests.kit.site_client import Connection
from tests.kit.sockjs import ReceivedFrames
from tests.kit.websocket import TEXT, UPGRADE, WebSocketClient
from txtokensock.server import Limits, MemoryStore, TokenSocketServer

LIMITS = {
    "message_size": 1024 * 1024,
    "frame_size": 4 * 1024 * 1024,
    "frame_messages": 10_000,
    "json_depth": 64,
    "channel_length": 256,
    "channels": 1_000,
    "calls": 10_000,
    "messages_per_second": 1_000.0,
    "message_burst": 20_000,
}
"""What a server with the limits that are the defaults announces."""

SUCCESS = {"resp": "success", "tx": {"acks": 1, "limits": LIMITS}}


class TokenServer:
    """
    A running server.

    :param options: of :class:`TokenSocketServer`; ``limits`` as a mapping.
    """

    def __init__(self, *, start: bool = True, **options: Any) -> None:
        self.clock = options.pop("clock", None) or Clock()
        options.setdefault("authentication", lambda request: {"user": "ada"})
        options["limits"] = Limits(**options.pop("limits", {}))
        self.service = TokenSocketServer(reactor=self.clock, **options)
        self.site = Site(self.service.resource(), reactor=self.clock, timeout=None)
        self.clients: list[Client] = []
        if start:
            self.service.startService()

    def connection(self, address: str = "10.0.0.1") -> Connection:
        """A new TCP connection."""
        return Connection(self, address)

    def get(self, path: str, **headers: str) -> Response:
        """A request of a new client."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.connection().request("GET", path, named)

    def token(self, query: str = "") -> str:
        """A fresh token."""
        response = self.get(f"/socket/token?{query}")
        assert response.status == 200, response
        token: str = json.loads(response.body)["token"]
        return token

    def turn(self, seconds: float = 0.0) -> None:
        """Time passes."""
        self.clock.advance(seconds)

    def client(self, address: str = "10.0.0.1", path: str = "/sockets", **headers: str) -> Client:
        """A client with an open SockJS session, that has sent nothing yet."""
        client = Client(self, address, path, headers)
        self.clients.append(client)
        return client

    def authenticated(self, query: str = "") -> Client:
        """A client that has sent its token and been accepted."""
        client = self.client()
        answer = client.ask({"rpc": "auth", "token": self.token(query), "uuid": "auth"})
        assert answer["resp"] == "success", answer
        return client


_uuids = map(str, itertools.count(1))


class Client(ReceivedFrames):
    """One SockJS session over a WebSocket, message by message."""

    def __init__(
        self, server: TokenServer, address: str, prefix: str, headers: dict[str, str]
    ) -> None:
        super().__init__()
        self.server = server
        connection = server.connection(address)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", f"{prefix}/000/{next(_uuids)}/websocket", UPGRADE | named)
        self.connection = connection
        self.tcp = connection.tcp
        self.websocket = WebSocketClient(connection)
        self._read()

    def send(self, *messages: Any) -> None:
        """Send messages in one frame: bytes and text as they are, else their JSON."""
        texts = [
            message.decode()
            if isinstance(message, bytes)
            else message
            if isinstance(message, str)
            else json.dumps(message)
            for message in messages
        ]
        self.websocket.send(json.dumps(texts))

    def texts(self) -> list[bytes]:
        """The messages that have come, as they were sent."""
        self.server.turn()
        self._read()
        return [text.encode() for text in self.take_messages()]

    def received(self) -> list[Any]:
        """The messages that have come."""
        return [json.loads(text) for text in self.texts()]

    def ask(self, message: Any) -> Any:
        """Send a message, and return the one message that comes back."""
        self.send(message)
        (answer,) = self.received()
        return answer

    def rpc(self, name: str, data: Any = None) -> Any:
        """The answer to a call, without what it repeats."""
        uuid = next(_uuids)
        answer = self.ask({"rpc": name, "req": data, "uuid": uuid})
        assert (answer.pop("rpc"), answer.pop("uuid")) == (name, uuid), answer
        return answer

    def subscribe(self, *channels: str) -> None:
        """Subscribe, and take note of the answers."""
        for channel in channels:
            self.send({"rpc": "_subscribe", "req": {"channel": channel}, "uuid": next(_uuids)})
            answers = self.received()
            assert answers[-1]["command"] == "subscribe", answers

    def drop(self) -> None:
        """Go without a word."""
        self.connection.drop()

    def _read(self) -> None:
        for opcode, payload in self.websocket.frames():
            if opcode == TEXT:
                self.read_frame(payload)


class ServerTestCase(SynchronousTestCase):
    """Stops its servers, and then finds no timer, no peer and no connection left."""

    def setUp(self) -> None:
        self._servers: list[TokenServer] = []
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)

    def serve(self, **options: Any) -> TokenServer:
        """A running server."""
        server = TokenServer(**options)
        self._servers.append(server)
        return server

    def tearDown(self) -> None:
        for server in self._servers:
            if not server.service.running and server.service._running_server is None:
                continue
            stopped = server.service.stopService()
            server.turn()
            for client in server.clients:
                client.drop()
            for _ in range(10):
                server.turn(server.service._context.limits.shutdown_timeout)
            self.successResultOf(stopped)
        for server in self._servers:
            self.assertEqual(server.clock.getDelayedCalls(), [])
            self.assertEqual(server.service._context.peers.all(), [])
            self.assertEqual(server.service.channels(), [])


class TwoServersTestCase(ServerTestCase):
    """Two servers that share a store in memory; their peers say who they are."""

    def setUp(self) -> None:
        super().setUp()
        self.clock, self.store = Clock(), MemoryStore()
        self.one, self.two = self.server(), self.server()

    def server(self, **options: Any) -> TokenServer:
        """A server of that store."""
        return self.serve(
            store=self.store, clock=self.clock, authentication=self.identity, **options
        )

    def identity(self, request: Any) -> dict[str, Any]:
        """Who the credentials are for."""
        return {"user": request.args[b"user"][0].decode()}
