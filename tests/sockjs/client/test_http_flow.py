"""
Flow control of sessions over HTTP, both ways.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer
from zope.interface import implementer

from .http_peer import PAGES, PeerTestCase, Request
from .test_flow import Producer


class ReadingTests(PeerTestCase):
    """A protocol that wants no more for now."""

    def test_pause_leaves_responses_unread(self) -> None:
        """What the server sends stays in its own buffer, once that of TCP is full."""
        for transport in ("xhr-streaming", "eventsource"):
            protocol = self.connected(transport)
            request = self.newest(transport)
            request.frame(b'a["0"]')
            self.host.settle()
            protocol.transport.pauseProducing()
            for number in range(1, 100):
                request.frame(b'a["%d"]' % number)
            self.host.settle()
            self.assertEqual(protocol.received, [b"0"])
            self.assertGreater(len(request.transport._buffer), 500)
            protocol.transport.resumeProducing()
            self.host.settle()
            self.assertEqual(protocol.received, [b"%d" % number for number in range(100)])

    def test_pause_again_at_once(self) -> None:
        """In a response that was held back: it is held back again."""
        protocol = self.connected("xhr-polling")

        def one(data: bytes) -> None:
            protocol.received.append(data)
            protocol.transport.pauseProducing()

        protocol.dataReceived = one  # type: ignore[method-assign]
        protocol.transport.pauseProducing()
        request = self.newest("xhr-polling")
        request.head()
        request.chunk(b'a["0"]\n')  # in one piece with the head
        self.host.settle()
        protocol.transport.resumeProducing()
        request.chunk(b'a["1"]\n')
        self.host.settle()
        self.assertEqual(protocol.received, [b"0"])
        self.assertGreater(len(request.transport._buffer), 0)

    def test_pause_in_mid_frame(self) -> None:
        """Messages that were read already wait in order, too."""
        for transport in PAGES:
            protocol = self.connected(transport)

            def one(data: bytes, protocol: Any = protocol) -> None:
                protocol.received.append(data)
                protocol.transport.pauseProducing()

            protocol.dataReceived = one  # type: ignore[method-assign]
            self.newest(transport).frame(b'a["a","b"]', b'a["c"]')
            for expected in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
                self.host.settle()
                self.assertEqual(protocol.received, expected, transport)
                protocol.transport.resumeProducing()

    def test_paused_poll(self) -> None:
        """Its answer is left unread, and nothing is asked for meanwhile."""
        protocol = self.connected("xhr-polling")
        protocol.transport.pauseProducing()
        polls = len(self.requested("xhr"))
        self.newest("xhr-polling").frame(b'a["0"]')
        self.host.settle()
        self.assertEqual(len(self.requested("xhr")), polls)
        self.assertEqual(protocol.received, [])
        protocol.transport.resumeProducing()
        self.host.settle()
        self.assertEqual(len(self.requested("xhr")), polls + 1)
        self.assertEqual(protocol.received, [b"0"])

    def test_pause_from_data_received(self) -> None:
        """The next poll is asked for, or the server would take the session for dead; its
        answer is not read."""
        protocol = self.connected("xhr-polling")

        def one(data: bytes) -> None:
            protocol.received.append(data)
            protocol.transport.pauseProducing()

        protocol.dataReceived = one  # type: ignore[method-assign]
        polls = len(self.requested("xhr"))
        for number in range(3):
            self.newest("xhr-polling").frame(b'a["%d"]' % number)
            self.host.settle()
        self.assertEqual(len(self.requested("xhr")), polls + 1)
        self.assertEqual(protocol.received, [b"0"])
        protocol.transport.resumeProducing()
        self.host.settle()
        self.assertEqual(len(self.requested("xhr")), polls + 2)
        self.assertEqual(protocol.received, [b"0", b"1"])

    def test_paused_while_the_answer_comes(self) -> None:
        """The head of a large response is all that is read of it."""
        protocol = self.connected("xhr-polling")
        protocol.transport.pauseProducing()
        request = self.newest("xhr-polling")
        large = b"x" * 1_000_000
        request.frame(b'a["%s"]' % large)
        self.host.advance(60)
        self.assertGreater(len(request.transport._buffer), 900_000)
        protocol.transport.resumeProducing()
        self.host.settle()
        self.assertEqual(protocol.received, [large])

    def test_end_while_paused(self) -> None:
        """An orderly end waits for the messages before it; a loss is heard of at once."""
        protocol = self.connected("xhr-streaming")
        protocol.transport.pauseProducing()
        self.newest("xhr-streaming").frame(b'a["x"]', b'c[3001,"Enough"]')
        self.host.settle()
        self.assertEqual(protocol.lost, [])
        protocol.transport.resumeProducing()
        self.assertEqual(self.lost(protocol).code, 3001)
        self.assertEqual(protocol.received, [b"x"])

    def test_closing_while_paused(self) -> None:
        """Nothing needs to be read for that."""
        for transport in PAGES:
            for end in ("loseConnection", "abortConnection"):
                protocol = self.connected(transport)
                protocol.transport.pauseProducing()
                self.newest(transport).frame(b'a["x"]')
                self.host.settle()
                getattr(protocol.transport, end)()
                self.lost(protocol)
                self.assertEqual(protocol.received, [])
                self.assert_nothing_left()


@implementer(IPullProducer)
class PullProducer:
    """Writes something whenever it is asked to."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.written = 0
        self.stopped = False

    def resumeProducing(self) -> None:
        self.written += 1
        self.transport.write(b"x" * 10_000)

    def stopProducing(self) -> None:
        self.stopped = True


class WritingTests(PeerTestCase):
    """A server that is slow to answer."""

    def sent(self) -> list[Request]:
        self.host.settle()
        return self.requested("xhr_send")

    def test_push_producer(self) -> None:
        """Paused while more than 64 KiB wait, resumed below that, stopped at the end."""
        protocol, producer = self.connected("xhr-streaming"), Producer()
        protocol.transport.registerProducer(producer, True)
        protocol.transport.write(b"x" * 60_000)
        self.host.settle()  # under way: it waits no more
        protocol.transport.write(b"x" * 60_000)
        self.assertEqual(producer.calls, [])
        protocol.transport.write(b"x" * 60_000)
        self.assertEqual(producer.calls, ["pause"])
        self.sent()[0].respond(204)
        self.host.settle()
        self.assertEqual(producer.calls, ["pause", "resume"])
        protocol.transport.abortConnection()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.lost(protocol)
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])

    def test_producer_that_comes_late_and_goes(self) -> None:
        """It is paused if there is no room, and left alone once it is unregistered."""
        protocol, producer = self.connected("xhr-streaming"), Producer()
        protocol.transport.write(b"x" * 60_000)
        self.host.settle()
        protocol.transport.write(b"x" * 100_000)
        protocol.transport.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["pause"])
        with self.assertRaises(RuntimeError):
            protocol.transport.registerProducer(Producer(), True)
        protocol.transport.unregisterProducer()
        self.sent()[0].respond(204)
        self.host.settle()
        self.assertEqual(producer.calls, ["pause"])

    def test_pull_producer(self) -> None:
        """It is asked for as much as there is room for, and no more."""
        protocol = self.connected("xhr-streaming")
        producer = PullProducer(protocol.transport)
        protocol.transport.registerProducer(producer, False)
        self.host.advance(1)
        written = producer.written
        self.assertLess(written, 20)
        self.sent()[0].respond(204)
        self.host.advance(1)
        self.assertGreater(producer.written, written)
        self.assertLess(producer.written, 40)
        protocol.transport.abortConnection()
        self.lost(protocol)
        self.assertTrue(producer.stopped)

    def test_producer_that_writes_when_resumed(self) -> None:
        """What it writes goes with the request after the one that made room."""
        protocol = self.connected("xhr-streaming")

        class Eager(Producer):
            def resumeProducing(self) -> None:
                super().resumeProducing()
                protocol.transport.write(b"more")

        protocol.transport.registerProducer(Eager(), True)
        protocol.transport.write(b"x" * 60_000)
        self.host.settle()
        protocol.transport.write(b"y" * 70_000)
        self.sent()[0].respond(204)
        self.assertEqual(self.sent()[1].body[:3], b'["y')
        self.sent()[1].respond(204)
        self.assertEqual(self.sent()[2].body, b'["more"]')
        self.assertEqual(len(self.requested("xhr_send")), 3)
