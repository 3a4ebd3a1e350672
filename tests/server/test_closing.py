"""
A peer whose end has begun, until its connection is gone.
"""

from __future__ import annotations

import json
from typing import Any

from tests.kit.turns import one_turn
from tests.kit.websocket import CLOSE, TEXT, encode_frame
from txtokensock.errors import ConnectionLost
from txtokensock.server import Peer

from .support import Client, ServerTestCase, TokenServer


class ClosingTests(ServerTestCase):
    """Nothing is sent to it any more, and who asks is told so at once."""

    def start(self) -> tuple[TokenServer, Client]:
        """A server, and a client on a channel that leaves what it is sent unread."""
        server = self.serve(sockjs={"heartbeat": 10, "heartbeat_timeout": 5})
        client = server.authenticated()
        client.subscribe("c")
        client.tcp.stop_reading()
        return server, client

    def assertClosing(self, server: TokenServer, client: Client) -> None:
        """The connection is there, and everything else is as if the peer were gone."""
        self.assertFalse(client.tcp.lost)
        self.assertEqual(server.service.peers(), [])
        self.assertEqual(server.service.channels(), [])
        self.successResultOf(server.service.publish("c", 1))
        lost = self.failureResultOf(self.peer.rpc("a"), ConnectionLost).value
        self.assertFalse(lost.may_have_run)

    def test_the_client_closes(self) -> None:
        """From its close frame on; what was called before may have run."""
        server, client = self.start()
        (self.peer,) = server.service.peers()
        called = self.peer.rpc("a")
        client.websocket.close()
        lost = self.failureResultOf(called, ConnectionLost).value
        self.assertTrue(lost.may_have_run)
        self.assertClosing(server, client)

    def test_what_came_before(self) -> None:
        """What came in the same read before the close is handled."""
        server, client = self.start()
        (self.peer,) = server.service.peers()
        called = self.peer.rpc("a")
        server.turn()
        client.tcp.read_again()
        fid = client.received()[0]["data"]["fid"]
        client.tcp.stop_reading()
        answer = json.dumps({"rpc": "_rpc", "fid": fid, "resp": {"data": 1}})
        frame = encode_frame(json.dumps([answer]), TEXT)
        client.connection.send(frame + encode_frame(b"\x03\xe8", CLOSE))
        self.assertEqual(self.successResultOf(called), 1)
        self.assertClosing(server, client)

    def test_a_violation(self) -> None:
        """From a frame on that breaks RFC 6455, or SockJS."""
        for frame in (b"\xff\xff", encode_frame("{", TEXT), encode_frame(b"\xff", TEXT)):
            server, client = self.start()
            (self.peer,) = server.service.peers()
            client.connection.send(frame)
            self.assertClosing(server, client)

    def test_no_heartbeat(self) -> None:
        """A peer that is taken for dead."""
        server = self.serve(sockjs={"heartbeat": 10, "heartbeat_timeout": 5})
        client = server.authenticated()
        (self.peer,) = server.service.peers()
        called = self.peer.rpc("a")
        server.turn(10)
        client.tcp.stop_reading()
        server.turn(5)
        self.failureResultOf(called, ConnectionLost)
        self.assertClosing(server, client)

    def test_too_slow(self) -> None:
        """A peer for which too much waits."""
        server = self.serve(limits={"buffered": 1000})
        client = server.authenticated()
        client.tcp.stop_reading()
        (self.peer,) = server.service.peers()
        called = self.peer.rpc("a", "x" * 100_000)
        server.turn()
        called_then = self.peer.rpc("a", "x" * 100_000)
        server.turn()
        self.failureResultOf(called, ConnectionLost)
        self.failureResultOf(called_then, ConnectionLost)
        self.assertClosing(server, client)

    def test_too_many_messages(self) -> None:
        """A peer that sends too many in one frame."""
        server, client = self.start()
        (self.peer,) = server.service.peers()
        client.websocket.send(json.dumps(["{}"] * 10_001))
        self.assertClosing(server, client)


class CallsThatWaitTests(ServerTestCase):
    """A peer that goes while many of its calls wait for answers of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.ended: list[type[BaseException]] = []

    async def ask(self, data: Any, peer: Peer) -> Any:
        """Call the client, and do not look at what that raises."""
        try:
            return await peer.rpc("answer", data)
        except BaseException as problem:
            self.ended.append(type(problem))
            raise

    def start(self) -> tuple[TokenServer, Client]:
        """A server, and a client of which 300 calls wait."""
        server = self.serve(actions={"ask": self.ask})
        client = server.authenticated()
        client.send(*[{"rpc": "ask", "req": number, "uuid": "u"} for number in range(300)])
        server.turn()
        return server, client

    def test_turns(self) -> None:
        """Few of them end in one turn, and each by the call that it waits for."""
        server, client = self.start()
        client.drop()
        before = 0
        for _ in range(20):
            self.assertLessEqual(len(self.ended) - before, 64)
            before = len(self.ended)
            one_turn(server.clock)
        self.assertEqual(self.ended, [ConnectionLost] * 300)

    def test_nothing_is_logged(self) -> None:
        """Nobody is told how a function ended whose caller is gone."""
        server, client = self.start()
        client.drop()
        server.turn()
        self.assertEqual(self.flushLoggedErrors(), [])
