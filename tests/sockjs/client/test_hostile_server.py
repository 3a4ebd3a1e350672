"""
A server that is out for the client's memory.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionLost

from txtokensock.testing.rfc6455 import PING, TEXT, encode_frame

from .support import EndpointTestCase
from .test_flow import Producer


class MemoryTests(EndpointTestCase):
    """What costs a server nothing must not cost the client more and more."""

    def test_empty_fragments(self) -> None:
        """They count for no size limit: there may be ten thousand in a message."""
        protocol = self.connected()
        self.session.send_frame("a", TEXT, final=False)
        self.session.send_raw(encode_frame(b"", 0, final=False) * 9_998)
        self.server.settle()
        self.session.send_raw(encode_frame(b'["x"]', 0))
        self.server.settle()
        self.assertEqual(protocol.received, [b"x"])
        self.session.send_frame("a", TEXT, final=False)
        self.session.send_raw(encode_frame(b"", 0, final=False) * 10_000)
        problem = self.lost(protocol)
        self.assertIsInstance(problem, ConnectionLost)
        self.assertIn("too many fragments", str(problem))

    def pings(self, number: int) -> None:
        """Pings, each with its number."""
        for each in range(number):
            self.session.send_frame(b"%0125d" % each, PING)
        self.server.settle()

    @property
    def waiting(self) -> Any:
        """Bytes that wait in the client for the server to read."""
        return len(self.server.network.connections[-1][0]._buffer)

    def test_pings_without_reading(self) -> None:
        """Pongs wait for room, and then the last ping alone is answered."""
        protocol = self.connected()
        producer = Producer()
        protocol.transport.registerProducer(producer, True)
        self.session.stop_reading()
        for _ in range(50):
            protocol.transport.write(b"x" * 10_000)
        self.server.settle()
        waiting = self.waiting
        self.pings(10_000)
        self.assertEqual(self.waiting, waiting)
        self.session.read_again()
        self.server.settle()
        self.assertEqual((self.session.pongs, producer.calls), (1, ["pause", "resume"]))
        self.pings(10)
        self.assertEqual(self.session.pongs, 11)

    def test_pings_without_a_producer(self) -> None:
        """Pongs wait for room whether or not the protocol has a producer."""
        protocol = self.connected()
        protocol.transport.registerProducer(Producer(), True)
        self.session.stop_reading()
        for _ in range(50):
            protocol.transport.write(b"x" * 10_000)
        self.pings(2)
        protocol.transport.unregisterProducer()
        self.pings(1)
        self.assertEqual(self.session.pongs, 0)
        self.session.read_again()
        self.server.settle()
        self.assertEqual(self.session.pongs, 1)
        self.pings(1)
        self.assertEqual(self.session.pongs, 2)
