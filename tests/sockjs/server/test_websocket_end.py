"""
How a session over a WebSocket ends, and how a dead peer is found out.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from weakref import ref

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.site_client import TCP_BUFFER
from tests.kit.websocket import CLOSE, PING, PONG, TEXT, close_frame, encode_frame
from txtokensock.errors import SockJSClosed

from .support import Closer, Recorder, Server


class EndTests(SynchronousTestCase):
    """How a session over a WebSocket ends."""

    def test_closed_by_the_protocol(self) -> None:
        """``c`` with code and reason, then the WebSocket's close with 1000."""
        server = Server(Closer)
        client = server.websocket()
        self.assertEqual(
            client.frames(),
            [(TEXT, b"o"), (TEXT, b'c[3000,"Go away!"]'), close_frame(1000, "Normal closure")],
        )
        protocol = server.protocols[0]
        self.assertEqual(protocol.lost, [])
        client.close()
        self.assertTrue(client.tcp.disconnecting)
        self.assertFalse(client.tcp.aborting)
        server.clock.advance(0)
        (reason,) = protocol.lost
        self.assertEqual((reason.value.code, reason.value.reason), (3000, "Go away!"))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_close_unanswered(self) -> None:
        """A peer that does not answer the close is dropped when ``close_timeout`` is over."""
        server = Server(Closer, close_timeout=5)
        client = server.websocket()
        server.clock.advance(4.9)
        self.assertFalse(client.tcp.lost)
        server.clock.pump([0.2, 0])
        self.assertTrue(client.tcp.lost)
        self.assertEqual(server.protocols[0].lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_closed_by_the_client(self) -> None:
        """The close is answered, and the protocol hears the code."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.close(3001)
        self.assertEqual(client.frames(), [close_frame(1000)])
        server.clock.advance(0)
        (reason,) = server.protocols[0].lost
        reason.trap(SockJSClosed)
        self.assertEqual(reason.value.code, 3001)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_connection_lost(self) -> None:
        """A connection that breaks is lost, not closed."""
        server = Server()
        server.websocket().connection.drop()
        (reason,) = server.protocols[0].lost
        reason.trap(ConnectionLost)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_http_hears_of_the_end(self) -> None:
        """The HTTP request that was upgraded learns that its connection went."""
        server = Server()
        heard = []
        render = server.resource.render
        server.resource.render = lambda request: (
            request.notifyFinish().addErrback(heard.append),
            render(request),
        )[1]
        server.websocket().connection.drop()
        self.assertEqual(len(heard), 1)

    def test_http_is_let_go(self) -> None:
        """Where nobody waits for its end, an idle WebSocket keeps nothing of HTTP in memory."""
        server = Server()
        kept: list[Any] = []
        render = server.resource.render
        server.resource.render = lambda request: (
            kept.extend(map(ref, (request, request.channel))),
            render(request),
        )[1]
        client = server.websocket()
        self.assertEqual([each() for each in kept], [None, None])
        client.connection.drop()
        self.assertEqual(len(server.protocols[0].lost), 1)

    def test_no_websocket(self) -> None:
        """Bytes that are no WebSocket frames get a close frame that says why."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.connection.send(b"\x81\x01a")  # not masked
        (closed,) = client.frames()
        self.assertEqual(closed, close_frame(1002, "unmasked client-to-server frame"))
        client.connection.send(b"\xff" * 100)
        server.clock.pump([5, 0])
        self.assertTrue(client.tcp.lost)
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_violation_answered(self) -> None:
        """What breaks RFC 6455 is gone when the peer has answered the close, however it comes."""
        answer = encode_frame(b"\x03\xea" + b"x" * 123, CLOSE)
        pieces = encode_frame(b"", TEXT, final=False) + encode_frame(b"", 0, final=False) * 1000
        large = b"\x81\xff" + (1 << 40).to_bytes(8, "big") + b"abcd"
        for broken, code, rest in (
            (b"\x81\x01a", 1002, [answer]),
            (b"\x83\x80", 1002, [b"abcd" + answer]),
            (large, 1009, [b"x" * 100_000, answer[:1], answer[1:50], answer[50:]]),
            (encode_frame(b'["\xff"]', TEXT), 1007, [encode_frame(b"", CLOSE)]),
            (pieces, 1009, [answer]),
        ):
            server = Server()
            client = server.websocket()
            client.frames()
            client.connection.send(broken)
            ((_, payload),) = client.frames()
            self.assertEqual(int.from_bytes(payload[:2], "big"), code)
            for data in rest:
                self.assertFalse(client.tcp.disconnecting)
                client.connection.send(data)
            self.assertTrue(client.tcp.disconnecting)
            self.assertFalse(client.tcp.aborting)
            server.clock.advance(0)
            self.assertEqual(len(server.protocols[0].lost), 1)
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_no_answer_yet(self) -> None:
        """What only looks like the beginning of an answer is none."""
        server = Server()
        client = server.websocket()
        client.connection.send(b"\x81\x01a")
        for data in (b"\x88\x80", b"\x88", b"\x88\x81\0\0\0\0", b"x" * 200, b"\x08\x80abcd"):
            client.connection.send(data)
            self.assertFalse(client.tcp.disconnecting)
        server.clock.pump([5, 0])
        self.assertTrue(client.tcp.lost)

    def test_autobahn_raises(self) -> None:
        """Should Autobahn ever raise, the session is dropped and the reactor hears nothing."""
        server = Server()
        client = server.websocket()
        client.tcp.protocol.dataReceived.__self__.processData = lambda: 1 / 0
        client.send("", PING)
        server.clock.advance(0)
        self.assertTrue(client.tcp.aborting)
        self.assertEqual(len(server.protocols[0].lost), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_write_after_the_end(self) -> None:
        """Writes after the end are ignored, as with TCP."""
        server = Server()
        client = server.websocket()
        client.connection.drop()
        transport = server.protocols[0].transport
        transport.write(b"a")
        transport.loseConnection()
        transport.abortConnection()
        self.assertEqual(server.clock.getDelayedCalls(), [])


class CloseSessionsTests(SynchronousTestCase):
    """A server that goes down in order."""

    def test_all_close(self) -> None:
        """Every session gets the code, and the Deferred fires when the last has ended."""
        server = Server()
        clients = [server.websocket() for _ in range(3)]
        for client in clients:
            client.frames()
        done = server.resource.close_sessions(3001, "Bye")
        for client in clients:
            self.assertIn((TEXT, b'c[3001,"Bye"]'), client.frames())
        self.assertNoResult(done)
        clients[0].close()
        clients[1].connection.drop()
        server.clock.advance(0)
        self.assertNoResult(done)
        self.assertEqual(server.upgrade().response().status, 503)
        server.clock.pump([5, 0])
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_none(self) -> None:
        """Without sessions it is done at once, as often as one asks."""
        server = Server()
        self.assertIsNone(self.successResultOf(server.resource.close_sessions()))
        self.assertIsNone(self.successResultOf(server.resource.close_sessions()))


class HeartbeatTests(SynchronousTestCase):
    """``h`` frames and pings; who answers neither is dead."""

    def test_alive(self) -> None:
        """Every 25 seconds an ``h`` and a ping; a pong is enough."""
        server = Server()
        client = server.websocket()
        client.frames()
        for _ in range(3):
            server.clock.advance(25)
            self.assertEqual(client.frames(), [(TEXT, b"h"), (PING, b"")])
            client.send(b"", PONG)
        server.clock.advance(10)
        self.assertEqual(client.frames(), [])
        self.assertGreater(server.protocols[0].transport.frames_received, 2)

    def test_dead(self) -> None:
        """Without any answer in 10 seconds the session is closed, and then dropped."""
        server = Server()
        client = server.websocket()
        client.frames()
        server.clock.advance(25)
        client.frames()
        server.clock.advance(10)
        self.assertEqual(client.frames()[0], (TEXT, b'c[3000,"No response from heartbeat"]'))
        server.clock.pump([5, 0])
        self.assertEqual(server.protocols[0].lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_more_often_than_awaited(self) -> None:
        """The next ping gives no new time to a peer that has not answered the one before."""
        for heartbeat in (4, 5):  # the deadline is between two, or where a third one is due
            server = Server(heartbeat=heartbeat, heartbeat_timeout=10)
            alive, dead = (server.websocket() for _ in range(2))
            for second in range(1, heartbeat + 11):
                server.clock.advance(1)
                if (PING, b"") in alive.frames():
                    alive.send(b"", PONG)
                closed = (TEXT, b'c[3000,"No response from heartbeat"]') in dead.frames()
                self.assertEqual(closed, second == heartbeat + 10)
            self.assertFalse(alive.tcp.disconnecting)

    def test_ended_by_the_one_before(self) -> None:
        """A session has no heartbeat that another one ends whose heartbeat is due before."""
        server = Server(Recorder)
        clients = [server.websocket() for _ in range(2)]
        first, second = (protocol.transport for protocol in server.protocols)
        ends_second = SimpleNamespace(
            pauseProducing=second.abortConnection, stopProducing=lambda: None
        )
        clients[0].tcp.stop_reading()
        first.registerProducer(ends_second, True)
        first.write(b"x" * (TCP_BUFFER - 9))  # there is room for its frame, and for nothing more
        clients[1].frames()
        server.clock.advance(25)
        self.assertEqual((clients[1].frames(), clients[1].tcp.aborting), ([], True))
        clients[0].connection.drop()
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_any_byte_counts(self) -> None:
        """Half a frame shows life: a slow upload is not silence."""
        server = Server()
        client = server.websocket()
        server.clock.advance(25)
        client.connection.send(b"\x81")
        server.clock.advance(10)
        self.assertFalse(client.tcp.disconnecting)
        self.assertNotIn((TEXT, b'c[3000,"No response from heartbeat"]'), client.frames())

    def test_raw(self) -> None:
        """A raw WebSocket has no ``h``, only the ping."""
        server = Server()
        client = server.websocket("/websocket")
        server.clock.advance(25)
        self.assertEqual(client.frames(), [(PING, b"")])
        server.clock.advance(10)
        self.assertEqual(client.frames(), [close_frame(3000, "No response from heartbeat")])


class SlowReaderTests(SynchronousTestCase):
    """The heartbeat's ten seconds start when the ping has left the buffer."""

    def test_counted_from_the_drain(self) -> None:
        """A reader that takes long for a large message is not dead."""
        server = Server(Recorder)
        client = server.websocket()
        server.clock.advance(25)
        client.tcp.stop_reading()
        server.protocols[0].transport.write(b"x" * 100_000)
        server.clock.advance(15)
        client.tcp.read_again()
        client.frames()
        server.clock.advance(9)
        client.send(b"", PONG)
        server.clock.advance(0.9)
        self.assertEqual(client.frames(), [])
        self.assertFalse(client.tcp.disconnecting)

    def test_dead_after_the_drain(self) -> None:
        """Silence after it is silence."""
        server = Server(Recorder)
        client = server.websocket()
        server.clock.advance(24)
        client.tcp.stop_reading()
        server.clock.advance(1)
        server.protocols[0].transport.write(b"x" * 100_000)
        client.tcp.read_again()
        client.frames()
        server.clock.advance(10)
        self.assertEqual(
            client.frames(),
            [
                (TEXT, b'c[3000,"No response from heartbeat"]'),
                close_frame(1000, "Normal closure"),
            ],
        )

    def test_never_drained(self) -> None:
        """A buffer that does not drain for twelve heartbeats has no reader."""
        server = Server(Recorder)
        client = server.websocket()
        client.tcp.stop_reading()
        server.protocols[0].transport.write(b"x" * 100_000)
        server.clock.pump([25] * 11)
        self.assertEqual(server.clock.getDelayedCalls()[0].getTime(), 25 * 12)
        server.clock.pump([25, 5, 0])
        self.assertTrue(client.tcp.aborting)
        self.assertEqual(server.protocols[0].lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])
