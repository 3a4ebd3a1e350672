"""One event stream, whatever its reader does when."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.http.streams import HEARTBEAT, Stream


class Request:
    """Notes what is written, as twisted.web would send it."""

    def __init__(self) -> None:
        self.written = b""
        self.producer: Any = None
        self.gone: Deferred[None] = Deferred()

    def notifyFinish(self) -> Deferred[None]:
        return self.gone

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        assert streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.written += data


class StreamTests(SynchronousTestCase):
    """With room for eight bytes."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.request = Request()
        self.stream = Stream(self.request, 8, self.clock)

    def test_ends_before_it_starts(self) -> None:
        """Nothing is written, and it ends once."""
        self.stream.finish(b"last")
        self.stream.finish(b"last")
        self.successResultOf(self.stream.ended)
        self.assertEqual((self.request.written, self.stream.send(b"1")), (b"", 0))

    def test_ends_without_a_word(self) -> None:
        """A last event is sent where there is one."""
        self.stream.start(b"first")
        self.stream.finish()
        self.assertEqual((self.request.written, self.request.producer), (b"first", None))

    def test_reader_goes(self) -> None:
        """What comes afterwards is for nobody, and neither are heartbeats."""
        self.stream.start(b"first")
        self.request.gone.errback(Failure(ConnectionDone()))
        self.successResultOf(self.stream.ended)
        self.assertEqual(self.stream.send(b"1"), 0)
        self.stream.beat()
        self.stream.finish(b"last")
        self.assertEqual(self.request.written, b"first")

    def test_slow_reader(self) -> None:
        """It is slow since it was slow first; heartbeats do not wait, and the oldest make room."""
        self.stream.start(b"")
        self.clock.advance(1)
        self.stream.pauseProducing()
        self.clock.advance(1)
        self.stream.pauseProducing()
        self.assertEqual(self.stream.paused_since, 1)
        self.stream.beat()
        self.assertEqual([self.stream.send(b"12345") for _ in range(3)], [0, 1, 1])
        self.assertEqual(self.request.written, b"")
        self.stream.resumeProducing()
        self.assertIn(b'{"dropped":2}', self.request.written.replace(b" ", b""))
        self.assertTrue(self.request.written.endswith(b"12345"))
        self.stream.beat()
        self.assertTrue(self.request.written.endswith(HEARTBEAT))
        self.stream.stopProducing()
