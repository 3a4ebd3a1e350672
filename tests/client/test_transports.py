"""
TokenSocket over each transport, with a real server in memory; and what is said where none
works.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Timeouts, TokenSocket
from txtokensock.errors import (
    AllTransportsFailed,
    ConnectionLost,
    InvalidOption,
)
from txtokensock.server import TokenSocketServer, query
from txtokensock.sockjs import TRANSPORTS
from txtokensock.testing import MemoryServer

from ..common import BACKOFF, Calls, ServerTestCase, collect_garbage

HTTP = ("xhr-streaming", "eventsource", "xhr-polling")


class TransportTests(SynchronousTestCase):
    """What an application does."""

    def setUp(self) -> None:
        self.clients: list[TokenSocket] = []
        self.waiting: list[Deferred[Any]] = []
        self.serve()
        self.addCleanup(self._end)

    def serve(self, **sockjs: Any) -> None:
        """Have a server whose SockJS has these options."""
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(
                query,
                actions={
                    "echo": lambda data, peer: data,
                    "callme": lambda data, peer: peer.rpc("double", data),
                    "wait": self.wait,
                },
                sockjs=sockjs,
                reactor=clock,
            )
        )

    def wait(self, data: Any, peer: Any) -> Deferred[Any]:
        """An action that answers when the test says so."""
        self.waiting.append(Deferred())
        return self.waiting[-1]

    def _end(self) -> None:
        ends = [client.end() for client in self.clients]
        for _, theirs in self.memory.network.connections:
            theirs.resumeProducing()
        self.memory.server.stopService()
        self.memory.advance(60)
        for end in ends:
            self.successResultOf(end)
        self.assertEqual(self.memory.open_connections, 0)
        collect_garbage()

    def ready(self, *transports: str, **options: Any) -> TokenSocket:
        """A client with an authenticated connection."""
        client = self.memory.client(
            transports=transports,
            actions={"double": lambda data: data * 2},
            backoff=BACKOFF,
            **options,
        )
        self.clients.append(client)
        client.startService()
        self.memory.settle()
        self.assertTrue(client.connected, transports)
        return client

    def result(self, deferred: Any) -> Any:
        """What it fires with, without time passing."""
        self.memory.settle()
        return self.successResultOf(deferred)

    def test_everything(self) -> None:
        """Calls both ways, a subscription, messages."""
        for transport in TRANSPORTS:
            client = self.ready(transport)
            self.assertEqual(client.transport, transport)
            self.assertEqual(self.result(client.rpc("echo", {"é": 1})), {"é": 1})
            self.assertEqual(self.result(client.rpc("callme", 21)), 42)
            heard = Calls()
            self.result(client.subscribe(transport, heard))
            for number in range(3):
                client.publish(transport, {"n": number})
            self.memory.settle()
            self.assertEqual(heard, [{"n": 0}, {"n": 1}, {"n": 2}])

    def test_falling_back(self) -> None:
        """A server without WebSockets is connected to all the same, by default."""
        self.serve(websocket=False)
        for info in (False, True):
            client = self.memory.client(backoff=BACKOFF, info=info)
            self.clients.append(client)
            client.startService()
            self.memory.settle()
            self.assertEqual(self.result(client.rpc("echo", 1)), 1)

    def test_silence(self) -> None:
        """A server that is gone without a word is noticed, and the client comes back."""
        for transport in HTTP:
            lost, back = Calls(), Calls()
            client = self.ready(transport, silence_timeout=30, ping_timeout=5)
            client.on("disconnect", lost)
            client.on("reconnect", back)
            for ours, theirs in self.memory.network.open:
                ours.pauseProducing()  # nothing comes through any more
                theirs.pauseProducing()
            self.memory.advance(36)
            self.assertEqual(len(lost), 1, transport)
            self.memory.advance(1)
            self.assertEqual(back[-1:], [None], transport)

    def test_calls_under_way(self) -> None:
        """They fail with the connection, or are sent again, as over a WebSocket."""
        for transport in HTTP:
            self.waiting.clear()
            client = self.ready(transport)
            call, again = client.rpc("wait"), client.rpc("wait", idempotent=True)
            self.memory.settle()
            self.assertEqual(len(self.waiting), 2)
            for _, theirs in self.memory.network.open:
                theirs.abortConnection()
            self.memory.advance(5)
            self.failureResultOf(call, ConnectionLost)
            self.assertNoResult(again)
            self.waiting[2].callback("second")
            self.assertEqual(self.result(again), "second")

    def test_send_timeout(self) -> None:
        """A server that takes no message any more is left after ``timeouts.send``."""
        accept: list[bool | None] = [True]
        client = self.ready(
            "xhr-streaming",
            endpoint=self.memory.network.endpoint(lambda: accept[-1]),
            timeouts=Timeouts(send=7),
        )
        lost = Calls()
        client.on("disconnect", lost)
        self.memory.advance(5)  # the connection for messages is closed by then
        accept.append(None)
        call = client.rpc("echo", 1)
        self.memory.advance(6.9)
        self.assertEqual((lost, client.connected), ([], True))
        self.memory.advance(0.2)
        self.failureResultOf(call, ConnectionLost)
        self.assertIn("within 7 seconds", str(lost[0]))


class FailureTests(ServerTestCase):
    """No transport works."""

    def test_ready_says_why(self) -> None:
        """The listener gets what each transport came to."""
        self.server.script(handshake="refuse")
        errors = Calls()
        client = self.client(transports=("websocket", "websocket-raw"))
        client.on("ready", errors)
        client.startService()
        self.settle()
        (error,) = errors
        self.assertIsInstance(error, AllTransportsFailed)
        self.assertEqual((error.phase, error.status), ("handshake", 403))
        self.assertIn("websocket: the WebSocket handshake was answered with 403", str(error))
        self.server.script()
        self.advance(300)
        self.assertTrue(client.connected)

    def test_options(self) -> None:
        """What cannot be is refused at once."""
        for options in (
            {"transports": "websocket"},
            {"transports": ()},
            {"transports": ("jsonp-polling",)},
            {"info": "yes"},
            {"timeouts": None, "transports": None},
        ):
            with self.assertRaises(InvalidOption):
                TokenSocket(reactor=self.server.clock, **options)  # type: ignore[arg-type]
        with self.assertRaises(InvalidOption):
            Timeouts(send=0)
