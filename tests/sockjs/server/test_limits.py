"""
What a client cannot do: nothing grows without a bound.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.site_client import TCP_BUFFER
from tests.kit.websocket import CLOSE, TEXT, close_frame, encode_frame

from .support import Recorder, Server

TOO_LONG = 'c[4002,"Too many messages in one frame"]'
TOO_SLOW = 'c[4001,"Too much waits to be read"]'


class MessageSizeTests(SynchronousTestCase):
    """``max_message_size``."""

    def test_websocket(self) -> None:
        """A larger message closes the WebSocket with 1009, in one frame or in many."""
        for sizes in ([101], [60, 60]):
            server = Server(max_message_size=100)
            client = server.websocket()
            client.frames()
            for number, size in enumerate(sizes, 1):
                client.send("[" * size, TEXT if number == 1 else 0, final=number == len(sizes))
            ((opcode, payload),) = client.frames()
            self.assertEqual((opcode, payload[:2]), (8, b"\x03\xf1"))
            server.clock.pump([5, 0])
            self.assertEqual(len(server.protocols[0].lost), 1)
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_empty_fragments(self) -> None:
        """Fragments without content cost memory too: a thousand are enough."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.send("", TEXT, final=False)
        for _ in range(999):
            client.send("", 0, final=False)
        self.assertEqual(client.frames(), [])
        client.send("", 0, final=False)
        self.assertEqual(client.frames(), [close_frame(1009, "too many fragments")])

    def test_send(self) -> None:
        """A larger body is 413, and the session goes on."""
        server = Server(max_message_size=100)
        server.poll()
        self.assertEqual(server.send(json.dumps(["x" * 100])), 413)
        self.assertEqual(server.protocols[0].received, [])
        self.assertEqual(server.send(json.dumps(["x" * 96])), 204)

    def test_jsonp_send(self) -> None:
        """So is a larger form."""
        server = Server(max_message_size=100)
        server.poll()
        response = server.request("POST", "/000/abc/jsonp_send", body=b"d=" + b"x" * 100)
        self.assertEqual(response.status, 413)


class ArrayLengthTests(SynchronousTestCase):
    """``max_array_length``."""

    def test_websocket(self) -> None:
        """A longer array closes the session, and none of it is delivered."""
        server = Server(max_array_length=2)
        client = server.websocket()
        client.send('["a","b"]')
        client.send('["c","d","e"]')
        self.assertEqual(
            client.frames()[3:], [(TEXT, TOO_LONG.encode()), close_frame(1000, "Normal closure")]
        )
        self.assertEqual(server.protocols[0].received, [b"a", b"b"])
        client.close()
        server.clock.advance(0)
        self.assertEqual(server.protocols[0].lost[0].value.code, 4002)

    def test_send(self) -> None:
        """The same for a polling session."""
        server = Server(max_array_length=2)
        server.poll()
        self.assertEqual(server.send('["c","d","e"]'), 204)
        self.assertEqual(server.poll().decode(), TOO_LONG + "\n")
        self.assertEqual(server.protocols[0].received, [])


class BufferTests(SynchronousTestCase):
    """``max_buffered``: a client that does not read."""

    def test_websocket(self) -> None:
        """What the TCP buffer does not take is counted; too much closes the session."""
        server = Server(Recorder, max_buffered=200_000)
        client = server.websocket()
        client.tcp.stop_reading()
        transport = server.protocols[0].transport
        for _ in range(5):
            transport.write(b"x" * 50_000)
        self.assertEqual(client.tcp.buffered // 50_000, 2)
        self.assertFalse(client.tcp.disconnecting)
        transport.write(b"x" * 50_000)
        client.frames()
        client.tcp.read_again()
        self.assertEqual(
            client.frames(), [(TEXT, TOO_SLOW.encode()), close_frame(1000, "Normal closure")]
        )
        client.close()
        server.clock.advance(0)
        self.assertEqual(server.protocols[0].lost[0].value.code, 4001)

    def test_one_large_message(self) -> None:
        """A single message counts from the moment that the buffer is full."""
        server = Server(Recorder, max_buffered=200_000)
        client = server.websocket()
        client.tcp.stop_reading()
        server.protocols[0].transport.write(b"x" * 300_000)
        server.clock.pump([5, 0])
        self.assertTrue(client.tcp.aborting)
        self.assertEqual(server.protocols[0].lost[0].value.code, 4001)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_fast_reader(self) -> None:
        """Who reads may get any amount."""
        server = Server(Recorder, max_buffered=200_000)
        client = server.websocket()
        for _ in range(50):
            server.protocols[0].transport.write(b"x" * 50_000)
        self.assertEqual(len(client.frames()), 51)

    def test_slow_reader_gets_all(self) -> None:
        """Below the limit nothing is lost, and the order is kept."""
        server = Server(Recorder)
        client = server.websocket()
        client.frames()
        client.tcp.stop_reading()
        for number in range(100):
            server.protocols[0].transport.write(b"%d " % number + b"x" * 10_000)
        self.assertLess(client.tcp.buffered, TCP_BUFFER + 11_000)
        while client.tcp.producer_paused:
            client.tcp.read_again()
            client.tcp.stop_reading()
        numbers = [int(text[3:].split()[0]) for text in client.texts()]
        self.assertEqual(numbers, list(range(100)))

    def test_polling(self) -> None:
        """Too much for one who polls too slowly: the next poll gets the close alone."""
        server = Server(Recorder, max_buffered=1000)
        server.poll()
        transport = server.protocols[0].transport
        transport.write(b"x" * 900)
        self.assertEqual(server.protocols[0].lost, [])
        transport.write(b"x" * 900)
        self.assertEqual(server.poll().decode(), TOO_SLOW + "\n")
        self.assertEqual(server.protocols[0].lost[0].value.code, 4001)

    def test_streaming(self) -> None:
        """A streaming response that is not read holds no more than the TCP buffer."""
        server = Server(Recorder, max_buffered=200_000, response_limit=10**9)
        stream = server.open("POST", "/000/abc/xhr_streaming")
        stream.tcp.stop_reading()
        for _ in range(10):
            server.protocols[0].transport.write(b"x" * 50_000)
            server.clock.advance(0)
        self.assertLess(stream.tcp.buffered, TCP_BUFFER + 60_000)
        server.clock.advance(5)
        self.assertEqual(server.protocols[0].lost[0].value.code, 4001)
        server.clock.pump([0, 5])
        self.assertTrue(stream.tcp.aborting)
        self.assertEqual(server.clock.getDelayedCalls(), [])


class Hesitant(Recorder):
    """Pauses at each message."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.transport.pauseProducing()


class EndedTests(SynchronousTestCase):
    """What a session that is over has left for a protocol that is paused."""

    def start(self, *end: bytes) -> tuple[Server, Recorder]:
        """A server on which 400,000 bytes wait of a client that is gone."""
        server = Server(Hesitant)
        client = server.websocket()
        text = encode_frame(json.dumps(["x" * 100_000] * 4), TEXT)
        client.connection.send(b"".join([text, *end]))
        client.connection.drop()
        server.clock.advance(0)
        return server, server.protocols[0]

    def held(self, server: Server) -> int:
        """How many bytes wait, by the count of all sessions."""
        return server.resource._table.buffers.total

    def test_a_close(self) -> None:
        """It is delivered after a close, and counts until then."""
        server, protocol = self.start(encode_frame(b"\x03\xe8", CLOSE))
        self.assertEqual((self.held(server), len(protocol.received)), (400_000, 1))
        for _ in range(3):
            protocol.transport.resumeProducing()
            server.clock.advance(0)
        self.assertEqual(len(protocol.received), 4)
        self.assertEqual(len(protocol.lost), 1)
        self.assertEqual(self.held(server), 0)

    def test_no_room(self) -> None:
        """Where all sessions hold too much, it is dropped."""
        server, protocol = self.start(encode_frame(b"\x03\xe8", CLOSE))
        server.resource._table.buffers._relieve()
        self.assertEqual((self.held(server), len(protocol.lost)), (0, 1))

    def test_a_loss(self) -> None:
        """Without a close it is dropped at once."""
        server, protocol = self.start()
        self.assertEqual((self.held(server), len(protocol.lost)), (0, 1))
        self.assertEqual(len(protocol.received), 1)


class SessionCountTests(SynchronousTestCase):
    """``max_sessions`` and ``max_sessions_per_address``."""

    def test_total(self) -> None:
        """One more is refused with 503; who leaves makes room."""
        server = Server(max_sessions=2)
        client = server.websocket()
        server.open("POST", "/0/a/xhr_streaming")
        self.assertEqual(server.upgrade().response().status, 503)
        self.assertEqual(server.request("POST", "/0/b/xhr").status, 503)
        self.assertEqual(server.resource.session_count, 2)
        client.connection.drop()
        self.assertEqual(server.poll("/0/b"), b"o\n")

    def test_per_address(self) -> None:
        """One more of the same address is refused with 429; others are not."""
        server = Server(max_sessions_per_address=1)
        client = server.websocket(peer="10.0.0.1")
        self.assertEqual(server.upgrade(peer="10.0.0.1").response().status, 429)
        self.assertEqual(server.upgrade(peer="10.0.0.2").response().status, 101)
        client.connection.drop()
        self.assertEqual(server.upgrade(peer="10.0.0.1").response().status, 101)

    def test_nobody_stays(self) -> None:
        """However sessions end, every table is empty afterwards."""
        server = Server(max_sessions_per_address=100)
        server.websocket().connection.drop()
        server.open("POST", "/0/a/xhr_streaming").drop()
        server.poll("/0/b")
        server.websocket().close()
        server.clock.pump([0, 5, 5])
        table = server.resource._table
        self.assertEqual(len(table), 0)
        self.assertEqual(table._by_id, {})
        self.assertEqual(table._sessions._by_client, {})
        self.assertEqual(server.clock.getDelayedCalls(), [])
