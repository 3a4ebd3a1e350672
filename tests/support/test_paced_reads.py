"""
What is too much for one turn of the reactor, of bytes that a peer sent.
"""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn
from txtokensock.support.paced_reads import PacedReads


class PacedReadsTests(SynchronousTestCase):
    """With a parser that takes long for each piece."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.tcp = StringTransport()
        self.taken = b""
        self.seconds = 0.002
        self.reads = PacedReads(self.clock, self.tcp, self.take)

    def take(self, data: bytes) -> None:
        """Parse a piece."""
        self.taken += data
        self.clock.rightNow += self.seconds

    def test_turns(self) -> None:
        """Each has 5 ms; all is taken, in order, and then the connection is read again."""
        data = bytes(range(256)) * 32
        self.reads.received(data)
        self.assertEqual(len(self.taken), 3072)
        self.assertEqual(self.tcp.producerState, "paused")
        self.reads.received(b"behind")
        one_turn(self.clock)
        self.assertEqual(len(self.taken), 6144)
        one_turn(self.clock)
        self.assertEqual(self.taken, data + b"behind")
        self.assertEqual(self.tcp.producerState, "producing")
        self.assertEqual(self.clock.calls, [])

    def test_little(self) -> None:
        """What is quickly taken waits for no turn."""
        self.seconds = 0.0
        self.reads.received(b"x" * 100_000)
        self.assertEqual((len(self.taken), self.clock.calls), (100_000, []))
        self.assertEqual(self.tcp.producerState, "producing")

    def test_stopped(self) -> None:
        """Nothing is taken after the end, which may come from the parser itself."""
        self.reads.received(b"x" * 10_000)
        self.reads.stop()
        self.assertEqual(self.clock.calls, [])
        self.reads = PacedReads(self.clock, self.tcp, lambda data: self.reads.stop())
        self.reads.received(b"x" * 10_000)
        self.assertEqual((len(self.taken), self.clock.calls), (3072, []))
