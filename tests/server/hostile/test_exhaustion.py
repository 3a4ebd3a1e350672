"""
Attackers who want more than there is: of memory, of sockets, of time.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from tests.kit.http import request
from tests.kit.tables import each
from tests.kit.websocket import PING, UPGRADE, encode_frame
from txtokensock.errors import CallTimeout
from txtokensock.server import close_codes

from .carriers import CARRIERS, RawWebSocket, WebSocket, Xhr
from .cases_http import POLL
from .stage import HostileTestCase, ask

MEGABYTE = 1024 * 1024
TOO_SLOW = (4001, "Too much waits to be read")
EVERY_CARRIER = {name: (carrier,) for name, carrier in CARRIERS.items()}


@each(EVERY_CARRIER)
class FloodTests(HostileTestCase):
    """More than anybody needs."""

    def run_case(self, carrier: Any) -> None:
        """The one who sends too much is closed, with the limit's own code."""
        for flood in (self.messages, self.channels, self.calls, self.subscriptions):
            flood(carrier)
            self.stage.calm_down()
        self.survived()

    def messages(self, carrier: Any) -> None:
        """20 000 at once, and no more."""
        session = self.stage.authenticated_over(carrier)
        for _ in range(3):
            session.send(*["{}"] * 7000)
        closed = close_codes.TOO_MANY_MESSAGES.naming("messages_per_second", 1000)
        self.assertEqual(session.closed or _read(session), closed)

    def channels(self, carrier: Any) -> None:
        """10 000 channels; a thousand are allowed."""
        session = self.stage.authenticated_over(carrier)
        for start in range(0, 10_000, 500):
            names = [f"c{number}" for number in range(start, start + 500)]
            requests = [{"rpc": "_subscribe", "req": {"channel": name}} for name in names]
            if session.closed is None:
                ask(session, *requests)
                self.assertEqual(len(self.stage.service.channels()), min(start + 500, 1000) + 1)
        session.leave()

    def calls(self, carrier: Any) -> None:
        """2 000 calls that wait; a thousand are allowed."""
        session = self.stage.authenticated_over(carrier)
        session.send(*[json.dumps({"rpc": "never", "uuid": 1})] * 2000)
        error = "Too many requests in flight: the limit calls is 1000"
        answers = [json.loads(text) for text in session.texts()]
        self.assertEqual(answers, [{"rpc": "never", "uuid": 1, "error": error}] * 1000)
        session.leave()

    def subscriptions(self, carrier: Any) -> None:
        """On and off, for ever: nothing of it stays."""
        session = self.stage.authenticated_over(carrier)
        for _ in range(20):
            for rpc in ("_subscribe", "_unsubscribe"):
                ask(session, *({"rpc": rpc, "req": {"channel": f"c{n}"}} for n in range(100)))
        self.assertEqual(self.stage.service.channels(), ["witness"])
        session.leave()


def _read(session: Any) -> Any:
    session.texts()
    return session.closed


class SlowReaderTests(HostileTestCase):
    """Who does not read what it asks for."""

    def test_websocket(self) -> None:
        """What waits for it is bounded, and it is closed."""
        for carrier in (WebSocket, RawWebSocket):
            self.echoes(self.stage.authenticated_over(carrier))
            self.stage.calm_down()
        self.survived()

    def echoes(self, session: WebSocket) -> None:
        tcp = session.client.tcp
        tcp.stop_reading()
        call = json.dumps({"rpc": "echo", "req": "x" * 100_000})
        for _ in range(100):
            session.send(call)
            self.stage.turn()
        self.assertLess(len(tcp.value()), 2 * 4 * MEGABYTE)
        tcp.read_again()
        session.texts()
        self.assertEqual(session.closed, TOO_SLOW)

    def test_websocket_that_never_reads_again(self) -> None:
        """It is cut off, though its buffer never drains."""
        session = self.stage.authenticated_over(WebSocket)
        session.client.tcp.stop_reading()
        for _ in range(100):
            session.send(json.dumps({"rpc": "echo", "req": "x" * 100_000}))
            self.stage.turn()
        self.stage.pass_time(6)
        self.assertTrue(session.client.tcp.lost)
        del session
        self.survived()

    def test_pings(self) -> None:
        """Pongs that are not read are not piled up."""
        session = self.stage.authenticated_over(WebSocket)
        tcp = session.client.tcp
        tcp.stop_reading()
        ping = encode_frame("x" * 125, PING)
        for _ in range(30):
            session.client.connection.send(ping * 1000)
        self.assertLess(len(tcp.value()), MEGABYTE)
        session.leave()
        del session, tcp
        self.survived()

    def test_idle_and_full(self) -> None:
        """A peer with a full buffer that says nothing is gone after a while."""
        session = self.stage.authenticated_over(WebSocket)
        session.client.tcp.stop_reading()
        session.send(json.dumps({"rpc": "echo", "req": "x" * 100_000}))
        self.stage.pass_time(330)
        self.assertTrue(session.client.tcp.lost)
        del session
        self.survived()

    def test_xhr(self) -> None:
        """A session whose client does not poll."""
        session = self.stage.authenticated_over(Xhr)
        for _ in range(3):
            session.send(*[json.dumps({"rpc": "echo", "req": "x" * 20_000})] * 100)
            self.stage.turn()
        session.texts()
        session.texts()
        self.assertEqual(session.closed, TOO_SLOW)
        del session
        self.survived()

    def test_a_stream(self) -> None:
        """A streaming response that is not read."""
        connection = self.stage.connection()
        connection.request("POST", "/sockets/000/slow/xhr_streaming")
        connection.tcp.stop_reading()
        self.stage.pass_time(400)
        self.assertTrue(connection.tcp.lost)
        del connection
        self.survived()


class ConnectionTests(HostileTestCase):
    """Many connections."""

    options = {"limits": {"peers_per_address": 100, "token_burst": 100_000}}

    def test_upgrades(self) -> None:
        """300 WebSockets that say nothing: a hundred are let in, and none for long."""
        sessions = [WebSocket(self.stage) for _ in range(200)]
        refused = [session for session in sessions if _read(session) is not None]
        self.assertEqual(len(refused), 100)
        closed = close_codes.TOO_MANY_PEERS.naming("peers_per_address", 100)
        self.assertEqual({session.closed for session in refused}, {closed})
        for number in range(100):
            connection = self.stage.connection()
            response = connection.request("GET", f"/sockets/000/more{number}/websocket", UPGRADE)
            self.assertEqual(response.status, 429)
        self.assertEqual(len(self.stage.service._context.peers.all()), 201)
        self.stage.pass_time(10)
        self.assertEqual(_read(sessions[0]), close_codes.AUTHENTICATION_TIMEOUT)
        del sessions, refused, connection, closed
        self.survived()

    def test_abandoned_xhr_sessions(self) -> None:
        """1 000 xhr sessions, each opened and left: what is kept of them is bounded."""
        statuses = set()
        connection = self.stage.connection()
        for number in range(1000):
            connection.tcp.clear()
            statuses.add(connection.request("POST", f"/sockets/000/left{number}/xhr").status)
            self.stage.turn()
        table = self.stage.service._running_server.sockjs._table  # type: ignore[union-attr]
        self.assertLessEqual(len(table), 201)
        self.assertLessEqual(len(table._by_id), 201)
        self.assertEqual(statuses, {200, 429})
        self.stage.serves(Xhr)
        del connection, table
        self.survived()

    def test_half_open(self) -> None:
        """500 connections whose request never ends: Twisted's site ends them."""
        for number in range(500):
            self.stage.connection().send(POLL[: number % len(POLL)])
        self.stage.serves()
        self.stage.pass_time(80)
        self.assertEqual([c for c in self.stage.connections if not c.tcp.lost][1:], [])
        self.survived()

    def test_half_a_handshake(self) -> None:
        """Upgrades that end in the middle of their headers, or go as soon as they are made."""
        whole = request("GET", "/sockets/000/x/websocket", UPGRADE)
        for end in range(1, len(whole) + 1):
            connection = self.stage.connection()
            connection.send(whole[:end])
            if end % 2:
                connection.drop()
        del connection
        self.survived()

    def test_come_and_go(self) -> None:
        """Two hundred peers that are let in, subscribe, and are gone without a word."""
        for number in range(200):
            session = self.stage.authenticated_over(WebSocket)
            ask(session, {"rpc": "_subscribe", "req": {"channel": f"c{number % 10}"}})
            session.leave()
        del session
        self.assertEqual(self.stage.service.channels(), ["witness"])
        self.survived()

    def test_tokens(self) -> None:
        """Tokens that nobody uses: bounded, and forgotten after their time."""
        stage = self.stage
        store = stage.service._store
        self.addCleanup(setattr, store, "_max_tokens", store._max_tokens)  # type: ignore[attr-defined]
        store._max_tokens = 5000  # type: ignore[attr-defined]
        whole = request("GET", "/socket/token")
        connection = stage.connection()
        for _ in range(5000):
            connection.send(whole)
            connection.tcp.clear()
        connection.send(whole)
        self.assertIn(b" 503 ", connection.take()[:20])
        stage.pass_time(30)
        connection.send(whole)
        self.assertIn(b" 200 ", connection.take()[:20])
        del connection
        self.survived()


class TimeTests(HostileTestCase):
    """Who keeps others waiting."""

    def test_silence(self) -> None:
        """Without auth, ten seconds, over every carrier; over xhr, polling or not."""
        for carrier in CARRIERS.values():
            session = carrier(self.stage)
            self.stage.pass_time(9.9)
            self.assertIsNone(_read(session))
            self.stage.pass_time(0.2)
            self.assertEqual(_read(session), close_codes.AUTHENTICATION_TIMEOUT)
        del session
        self.survived()

    def test_never_answered(self) -> None:
        """Calls of the server that a client does not answer end by themselves."""
        for carrier in CARRIERS.values():
            session = self.stage.authenticated_over(carrier)
            peer = self.stage.service.peers()[-1]
            answers: list[Deferred[Any]] = [peer.rpc("tell", timeout=5) for _ in range(1000)]
            self.assertEqual(len(session.texts()), 1000)
            self.stage.pass_time(5)
            for answer in answers:
                self.failureResultOf(answer, CallTimeout)
            session.leave()
        del session, peer, answers, answer
        self.survived()

    def test_a_body_byte_by_byte(self) -> None:
        """It has its time, and no more."""
        connection = self.stage.connection()
        head, _, body = request("POST", "/sockets/000/x/xhr", body=b"x" * 50).partition(
            b"\r\n\r\n"
        )
        connection.send(head + b"\r\n\r\n")
        for byte in body:
            if not connection.tcp.disconnecting:
                connection.send(bytes([byte]))
                self.stage.pass_time(1)
        self.assertEqual(connection.response().status, 408)
        del connection
        self.survived()
