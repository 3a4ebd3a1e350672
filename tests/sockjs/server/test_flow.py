"""
Flow control: who is paused when, on every transport.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPullProducer, IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from tests.kit.websocket import PING, PONG, TEXT

from .support import Recorder, Server


@implementer(IPushProducer)
class Producer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@implementer(IPullProducer)
class Puller:
    """Writes a large message whenever it is asked to."""

    def __init__(self, transport: Any, count: int) -> None:
        self.transport = transport
        self.count = count
        self.asked = 0
        self.stopped = False

    def resumeProducing(self) -> None:
        self.asked += 1
        self.transport.write(b"x" * 40_000)
        if self.asked == self.count:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


class WebSocketOutTests(SynchronousTestCase):
    """A producer on a WebSocket follows the TCP buffer."""

    def test_push(self) -> None:
        """Paused when the buffer is full, resumed when it and what waits have drained."""
        server = Server(Recorder)
        client = server.websocket()
        transport = server.protocols[0].transport
        producer = Producer()
        transport.registerProducer(producer, True)
        client.tcp.stop_reading()
        for _ in range(4):
            transport.write(b"x" * 50_000)
        self.assertEqual(producer.told, ["pause"])
        client.tcp.read_again()
        self.assertEqual(producer.told, ["pause", "resume"])
        transport.unregisterProducer()
        client.connection.drop()
        self.assertEqual(producer.told, ["pause", "resume"])

    def test_pull(self) -> None:
        """Asked while there is room, a turn each."""
        server = Server(Recorder)
        client = server.websocket()
        transport = server.protocols[0].transport
        client.tcp.stop_reading()
        producer = Puller(transport, 5)
        transport.registerProducer(producer, False)
        server.clock.pump([0] * 10)
        self.assertEqual(producer.asked, 2)
        client.tcp.read_again()
        server.clock.pump([0] * 10)
        self.assertEqual(producer.asked, 5)
        self.assertEqual(len(client.frames()), 6)

    def test_pings_of_a_peer_that_does_not_read(self) -> None:
        """Pongs stop when the buffer is full; the last ping is answered when it drained."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.tcp.stop_reading()
        for number in range(5000):
            client.send(b"%100d" % number, PING)
        pongs = client.frames()
        self.assertLess(len(pongs), 1000)
        client.tcp.read_again()
        self.assertEqual(client.frames(), [(PONG, b"%100d" % 4999)])
        client.send(b"again", PING)
        self.assertEqual(client.frames(), [(PONG, b"again")])

    def test_end(self) -> None:
        """A producer is told of the end, and one that comes later at once."""
        server = Server(Recorder)
        client = server.websocket()
        transport = server.protocols[0].transport
        producer, late = Producer(), Producer()
        transport.registerProducer(producer, True)
        self.assertRaises(RuntimeError, transport.registerProducer, late, True)
        client.connection.drop()
        transport.registerProducer(late, True)
        self.assertEqual((producer.told, late.told), (["stop"], ["stop"]))

    def test_registered_while_full(self) -> None:
        """A producer that comes while the buffer is full is paused at once."""
        server = Server(Recorder)
        client = server.websocket()
        client.tcp.stop_reading()
        transport = server.protocols[0].transport
        transport.write(b"x" * 70_000)
        producer, puller = Producer(), Puller(transport, 1)
        transport.registerProducer(producer, True)
        self.assertEqual(producer.told, ["pause"])
        transport.unregisterProducer()
        transport.registerProducer(puller, False)
        server.clock.advance(0)
        self.assertEqual(puller.asked, 0)
        client.connection.drop()
        self.assertTrue(puller.stopped)

    def test_raising_producer(self) -> None:
        """A producer that raises is forgotten."""
        server = Server(Recorder)
        client = server.websocket()
        transport = server.protocols[0].transport
        producer = Producer()
        producer.pauseProducing = lambda: 1 / 0
        transport.registerProducer(producer, True)
        client.tcp.stop_reading()
        transport.write(b"x" * 70_000)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        client.tcp.read_again()
        self.assertEqual(producer.told, [])


class PollingOutTests(SynchronousTestCase):
    """A producer on a polling session follows what waits for requests."""

    def test_push(self) -> None:
        """
        Paused when 64 KiB wait, resumed when they are fetched, for which a slow link has time:
        240 kB take 9.6 seconds.
        """
        server = Server(Recorder)
        server.poll()
        transport = server.protocols[0].transport
        producer = Producer()
        transport.registerProducer(producer, True)
        transport.write(b"x" * 60_000)
        self.assertEqual(producer.told, [])
        transport.write(b"x" * 180_000)
        self.assertEqual(producer.told, ["pause"])
        server.poll()
        self.assertEqual(producer.told, ["pause", "resume"])
        server.clock.advance(14.5)
        self.assertEqual(producer.told, ["pause", "resume"])
        server.clock.advance(0.2)
        self.assertEqual(producer.told, ["pause", "resume", "stop"])

    def test_streaming(self) -> None:
        """A streaming response waits for its reader, and goes on."""
        server = Server(Recorder, response_limit=10**9)
        stream = server.open("POST", "/000/abc/xhr_streaming")
        transport = server.protocols[0].transport
        producer = Producer()
        transport.registerProducer(producer, True)
        stream.tcp.stop_reading()
        for _ in range(4):
            transport.write(b"x" * 50_000)
            server.clock.advance(0)
        self.assertEqual(producer.told, ["pause"])
        self.assertEqual(len(stream.chunks()), 4)
        stream.tcp.read_again()
        self.assertEqual(producer.told, ["pause", "resume"])
        self.assertEqual(sum(map(len, stream.chunks())) // 50_000, 4)

    def test_stalled_stream(self) -> None:
        """A response whose buffer does not drain for twelve heartbeats is dropped."""
        server = Server(Recorder, response_limit=10**9)
        stream = server.open("POST", "/000/abc/xhr_streaming")
        stream.tcp.stop_reading()
        server.protocols[0].transport.write(b"x" * 100_000)
        server.clock.pump([0] + [25] * 11)
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.pump([25, 0])
        self.assertTrue(stream.tcp.aborting)
        self.assertEqual(len(server.protocols[0].lost), 1)
        server.clock.advance(5)
        self.assertEqual(server.clock.getDelayedCalls(), [])


class WebSocketInTests(SynchronousTestCase):
    """A protocol that is paused reads nothing."""

    def test_pause(self) -> None:
        """The socket is paused; what came already waits, in order."""
        server = Server(Recorder)
        client = server.websocket()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        self.assertEqual(client.tcp.producerState, "paused")
        client.send('["a","b"]')
        client.send('["c"]')
        self.assertEqual(protocol.received, [])
        protocol.transport.resumeProducing()
        server.clock.advance(0)
        self.assertEqual(protocol.received, [b"a", b"b", b"c"])
        self.assertEqual(client.tcp.producerState, "producing")

    def test_close_while_paused(self) -> None:
        """Closing reads again, for the peer's answer."""
        server = Server(Recorder)
        client = server.websocket()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        protocol.transport.loseConnection()
        self.assertEqual(client.tcp.producerState, "producing")
        client.close()
        server.clock.advance(0)
        self.assertEqual(len(protocol.lost), 1)

    def test_not_dead(self) -> None:
        """A peer is not taken for dead while nobody listens."""
        server = Server(Recorder)
        client = server.websocket()
        server.protocols[0].transport.pauseProducing()
        server.clock.pump([25, 10])
        self.assertFalse(client.tcp.disconnecting)
        self.assertEqual(client.frames(), [(TEXT, b"o"), (TEXT, b"h"), (PING, b"")])


class PollingInTests(SynchronousTestCase):
    """A paused protocol holds the answers to requests with messages."""

    def test_held(self) -> None:
        """The answer comes when the protocol reads again."""
        server = Server(Recorder)
        server.poll()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        connection = server.open("POST", "/000/abc/xhr_send", body=b'["a"]')
        self.assertEqual(connection.response().status, 0)
        self.assertEqual(protocol.received, [])
        protocol.transport.resumeProducing()
        self.assertEqual(connection.response().status, 204)
        self.assertEqual(protocol.received, [b"a"])

    def test_paused_by_a_message(self) -> None:
        """So it does if a message itself made the protocol pause."""
        server = Server(Recorder)
        server.poll()
        protocol = server.protocols[0]
        protocol.dataReceived = lambda data: (
            protocol.received.append(data),
            protocol.transport.pauseProducing(),
        )
        connection = server.open("POST", "/000/abc/xhr_send", body=b'["a","b"]')
        self.assertEqual(protocol.received, [b"a"])
        self.assertEqual(connection.response().status, 0)
        protocol.transport.resumeProducing()
        self.assertEqual(connection.response().status, 0)
        protocol.transport.resumeProducing()
        self.assertEqual(protocol.received, [b"a", b"b"])
        self.assertEqual(connection.response().status, 204)

    def test_bounded(self) -> None:
        """What waits for a paused protocol is bounded: more is 503, and not taken."""
        server = Server(Recorder, max_buffered=150)
        server.poll()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        body = b'["' + b"x" * 96 + b'"]'
        self.assertEqual(server.send(body), 0)
        self.assertEqual(server.send(body), 503)
        protocol.transport.resumeProducing()
        self.assertEqual(len(protocol.received), 1)
        self.assertEqual(server.send(body), 204)

    def test_sender_gone(self) -> None:
        """A sender that does not wait for its answer does no harm."""
        server = Server(Recorder)
        server.poll()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        server.open("POST", "/000/abc/xhr_send", body=b'["a"]').drop()
        protocol.transport.resumeProducing()
        self.assertEqual(protocol.received, [b"a"])

    def test_session_ends(self) -> None:
        """If the session ends first, the sender hears that it is gone."""
        server = Server(Recorder)
        server.poll()
        protocol = server.protocols[0]
        protocol.transport.pauseProducing()
        connection = server.open("POST", "/000/abc/xhr_send", body=b'["a"]')
        protocol.transport.loseConnection()
        server.clock.advance(5)
        self.assertEqual(connection.response().status, 404)
        self.assertEqual(len(protocol.lost), 1)
