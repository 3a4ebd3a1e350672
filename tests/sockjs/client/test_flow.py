"""
Flow control of a SockJS session, both ways, over a real WebSocket.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from txtokensock import Timeouts
from txtokensock.errors import SockJSClosed

from .support import EndpointTestCase


@implementer(IPushProducer)
class Producer:
    """Notes what the transport asks of it."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


class ReadingTests(EndpointTestCase):
    """A protocol that wants no more for now."""

    def test_pause_stops_the_socket(self) -> None:
        """What the server sends stays with the server: nothing is read meanwhile."""
        protocol = self.connected()
        protocol.transport.pauseProducing()
        for number in range(5):
            self.session.send_text(str(number))
        self.session.ping()
        self.server.settle()
        self.assertEqual((protocol.received, self.session.pongs), ([], 0))
        protocol.transport.resumeProducing()
        self.server.settle()
        self.assertEqual(protocol.received, [b"0", b"1", b"2", b"3", b"4"])
        self.assertEqual(self.session.pongs, 1)

    def test_pause_in_mid_frame(self) -> None:
        """Frames that were read already wait in order, too."""
        protocol = self.connected()
        original = protocol.dataReceived

        def one(data: bytes) -> None:
            original(data)
            protocol.transport.pauseProducing()

        protocol.dataReceived = one  # type: ignore[method-assign]
        self.session.send_text("a", "b")
        self.session.send_text("c")
        for expected in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
            self.server.settle()
            self.assertEqual(protocol.received, expected)
            protocol.transport.resumeProducing()

    def test_orderly_end_while_paused(self) -> None:
        """Messages, then the end, when the protocol reads again; once."""
        protocol = self.connected()
        protocol.transport.pauseProducing()
        self.session.send_text("a", "b")
        self.session.close(3000, "Go away!")
        self.server.advance(60)
        self.assertEqual((protocol.received, protocol.lost), ([], []))
        protocol.transport.resumeProducing()
        self.server.settle()
        self.assertEqual(protocol.received, [b"a", b"b"])
        (reason,) = protocol.lost
        self.assertEqual(reason.value.code, 3000)

    def test_lose_connection_while_paused(self) -> None:
        """A paused protocol can close in order: the server's answer is heard."""
        protocol = self.connected()
        protocol.transport.pauseProducing()
        self.session.send_text("unread")
        protocol.transport.loseConnection()
        reason = self.lost(protocol)
        self.assertIsInstance(reason, SockJSClosed)
        self.assertEqual(protocol.received, [])
        self.assertEqual(self.session.closed_with, 1000)

    def test_abort_while_paused(self) -> None:
        """Nor does it need to read to drop its connection."""
        protocol = self.connected()
        protocol.transport.pauseProducing()
        protocol.transport.abortConnection()
        self.lost(protocol)

    def test_raising_protocol(self) -> None:
        """A protocol that raises is logged and loses its connection; nobody else does."""
        protocol, other = self.connected(), self.connected()

        def broken(data: bytes) -> None:
            raise RuntimeError("protocol")

        protocol.dataReceived = broken  # type: ignore[method-assign]
        for session in self.server.sessions:
            session.send_text("a", "b")
        self.assertIsInstance(self.lost(protocol), RuntimeError)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual((other.received, other.lost), ([b"a", b"b"], []))


class WritingTests(EndpointTestCase):
    """A server that reads slowly."""

    def test_producer(self) -> None:
        """A producer is paused while the buffer is full, and stopped at the end."""
        protocol, producer = self.connected(), Producer()
        protocol.transport.registerProducer(producer, True)
        protocol.transport.write(b"small")
        self.server.settle()
        self.assertEqual(producer.calls, [])
        self.session.stop_reading()
        protocol.transport.write(b"x" * 100_000)
        self.assertEqual(producer.calls, ["pause"])
        self.session.read_again()
        self.server.settle()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.session.drop()
        self.server.settle()
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])

    def test_unregister(self) -> None:
        """What is no longer registered hears nothing."""
        protocol, producer = self.connected(), Producer()
        protocol.transport.registerProducer(producer, True)
        protocol.transport.unregisterProducer()
        self.session.stop_reading()
        protocol.transport.write(b"x" * 100_000)
        self.assertEqual(producer.calls, [])
        self.session.read_again()
        self.server.settle()
        self.assertEqual(len(self.session.texts[0]), 100_000)

    def test_close_after_much(self) -> None:
        """loseConnection waits for what was written, within its deadline."""
        protocol = self.connected()
        self.session.stop_reading()
        protocol.transport.write(b"x" * 300_000)
        protocol.transport.loseConnection()
        self.server.advance(1)
        self.assertEqual(protocol.lost, [])
        self.session.read_again()
        self.assertIsInstance(self.lost(protocol), SockJSClosed)
        self.assertEqual(len(self.session.texts[0]), 300_000)

    def test_close_that_is_never_read(self) -> None:
        """A server that reads no more is left after ``timeouts.close``."""
        protocol = self.connected(timeouts=Timeouts(close=2))
        self.session.stop_reading()
        protocol.transport.write(b"x" * 300_000)
        protocol.transport.loseConnection()
        self.server.advance(2)
        self.lost(protocol)

    def test_large_messages(self) -> None:
        """The limit for what comes in is none for what goes out."""
        protocol: Any = self.connected(max_message_size=1000)
        protocol.transport.write(b"x" * 100_000)
        self.server.settle()
        self.assertEqual(len(self.session.texts[0]), 100_000)
