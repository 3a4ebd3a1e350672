"""
What is too much for one turn of the reactor, over a WebSocket and in a request.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.websocket import CLOSE, PING, TEXT, encode_frame

from .support import Recorder, Server


class SlicedReadTests(SynchronousTestCase):
    """What one read brings, and one turn of the reactor has no room for."""

    def setUp(self) -> None:
        self.server = Server(Recorder)
        self.client = self.server.websocket()
        self.protocol = self.server.protocols[0]
        self.clock = self.server.clock

    def receive(self, data: bytes) -> None:
        """Bytes come in one read, without the turns that follow."""
        self.client.connection.tcp.protocol.dataReceived(data)

    def test_many_frames(self) -> None:
        """They are read in later turns, and nothing more from the network meanwhile."""
        for kinds, pongs in (((TEXT,), 0), ((PING, TEXT), 2000)):
            with self.subTest(kinds=kinds):
                self.protocol.received.clear()
                self.client.frames()
                frames = [encode_frame(f'["{n}"]', kind) for n in range(2000) for kind in kinds]
                self.receive(b"".join(frames))
                self.assertLess(len(self.protocol.received), 500)
                self.assertEqual(self.client.tcp.producerState, "paused")
                self.receive(encode_frame('["last"]', TEXT))
                self.clock.advance(0)
                heard = [*(b"%d" % n for n in range(2000)), b"last"]
                self.assertEqual(self.protocol.received, heard)
                self.assertEqual(self.client.tcp.producerState, "producing")
                self.assertEqual(len(self.client.frames()), pongs)

    def test_empty_frames(self) -> None:
        """Frames without messages are work as well."""
        self.receive(encode_frame("[]", TEXT) * 5000)
        self.assertLess(self.protocol.transport.frames_received, 1000)
        self.clock.advance(0)
        self.assertEqual(self.protocol.transport.frames_received, 5000)

    def test_a_large_frame(self) -> None:
        """A large message that comes in many reads has a turn of its own."""
        frame = encode_frame('["%s"]' % ("x" * 200_000), TEXT)
        for start in range(0, len(frame), 65536):
            self.receive(frame[start : start + 65536])
        self.assertEqual(self.protocol.received, [])
        self.clock.advance(0)
        self.assertEqual(list(map(len, self.protocol.received)), [200_000])

    def test_a_close_behind(self) -> None:
        """A close frame behind many others is read when they have been delivered."""
        self.receive(encode_frame('["x"]', TEXT) * 2000 + encode_frame(b"\x03\xe8", CLOSE))
        self.assertEqual(self.protocol.lost, [])
        self.clock.advance(0)
        self.assertEqual(len(self.protocol.received), 2000)
        self.assertEqual(len(self.protocol.lost), 1)

    def test_closed_meanwhile(self) -> None:
        """This side closes: the rest is dropped, the peer's close frame is found in it."""
        self.receive(encode_frame('["x"]', TEXT) * 2000 + encode_frame(b"\x03\xe8", CLOSE))
        heard = len(self.protocol.received)
        self.protocol.transport.loseConnection()
        self.clock.advance(0)
        self.assertEqual(len(self.protocol.received), heard)
        self.assertEqual(len(self.protocol.lost), 1)

    def test_lost_meanwhile(self) -> None:
        """The connection goes: the end comes once, and no timer stays."""
        self.receive(encode_frame('["x"]', TEXT) * 2000)
        self.client.connection.drop()
        self.clock.advance(10)
        self.assertEqual(len(self.protocol.lost), 1)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_body_of_many_messages(self) -> None:
        """A request's body is delivered in later turns; the next is answered behind it."""
        self.server.poll()
        protocol = self.server.protocols[1]
        body = json.dumps([str(n) for n in range(1000)]).encode()
        connections = [self.server.connect() for _ in range(2)]
        for connection in connections:
            head = (
                f"POST /echo/000/abc/xhr_send HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}"
            )
            connection.tcp.protocol.dataReceived(head.encode() + b"\r\n\r\n" + body)
        self.assertLess(len(protocol.received), 500)
        self.assertEqual(connections[1].response().status, 0)
        self.clock.advance(0)
        self.assertEqual(protocol.received, [b"%d" % n for n in range(1000)] * 2)
        self.assertEqual([c.response().status for c in connections], [204, 204])
