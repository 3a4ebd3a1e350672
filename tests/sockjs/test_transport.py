"""
The transport of a protocol over SockJS, without any network below it.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txtokensock.errors import InvalidOption, SockJSClosed
from txtokensock.sockjs import ISockJSTransport
from txtokensock.sockjs.interfaces import ISockJSSession
from txtokensock.sockjs.transport import SockJSTransport


@implementer(ISockJSSession)
class Session:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def send(self, messages: list[bytes]) -> None:
        self.calls.append(messages)

    def close(self, code: int, reason: str) -> None:
        self.calls.append((code, reason))

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def register_producer(self, producer: object, streaming: bool) -> None:
        self.calls.append((producer, streaming))

    def unregister_producer(self) -> None:
        self.calls.append("unregister")

    def peer(self) -> Any:
        return "peer"

    def host(self) -> Any:
        return "host"


class Events(Protocol):
    """Notes what it hears, in order, and does what it is told at each message."""

    transport: Any

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.react: Any = lambda data: None

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.events.append(data)
        self.react(data)

    def connectionLost(self, reason: Any = None) -> None:
        self.events.append(reason.value)


class TransportTestCase(SynchronousTestCase):
    """With a protocol on a transport."""

    def setUp(self) -> None:
        self.session = Session()
        self.transport = SockJSTransport(self.session)
        self.protocol = Events()
        self.transport.connect(self.protocol)
        self.done = ConnectionDone()

    @property
    def heard(self) -> list[Any]:
        """What the protocol heard after connectionMade."""
        return self.protocol.events[1:]

    def receive(self, *messages: bytes) -> None:
        """Messages came in, in one frame."""
        self.transport.messages_received(list(messages))

    def end(self, reason: Exception | None = None) -> None:
        """The session is over."""
        self.transport.ended(Failure(reason or self.done))


class InterfaceTests(TransportTestCase):
    """What it promises."""

    def test_interface(self) -> None:
        """All of ISockJSTransport."""
        verifyObject(ISockJSTransport, self.transport)
        verifyObject(ISockJSSession, self.session)
        self.assertEqual((self.transport.getPeer(), self.transport.getHost()), ("peer", "host"))

    def test_sending(self) -> None:
        """A write is one message, a sequence one frame, an empty one nothing."""
        self.transport.write(b"a")
        self.transport.writeSequence(iter([b"b", b"c"]))
        self.transport.writeSequence([])
        self.assertEqual(self.session.calls, [[b"a"], [b"b", b"c"]])

    def test_heard(self) -> None:
        """The old name of ``frames_received`` is there for one release, and warns."""
        self.transport.frames_received = 7
        self.assertEqual(self.transport.heard, 7)
        (warning,) = self.flushWarnings([self.test_heard])
        self.assertEqual(warning["category"], DeprecationWarning)

    def test_producers(self) -> None:
        """Producers are the session's business."""
        self.transport.registerProducer("producer", True)
        self.transport.unregisterProducer()
        self.assertEqual(self.session.calls, [("producer", True), "unregister"])


class DeliveryTests(TransportTestCase):
    """What comes in."""

    def test_order(self) -> None:
        """One dataReceived a message, in order."""
        self.receive(b"a", b"", b"b")
        self.receive()
        self.receive(b"c")
        self.assertEqual(self.heard, [b"a", b"", b"b", b"c"])

    def test_after_delivery(self) -> None:
        """What is to be done then is done once, when the last of what came has been heard."""
        self.transport.after_delivery = lambda: self.protocol.events.append(
            self.transport.delivering
        )
        self.receive(b"a", b"b")
        self.transport.pauseProducing()
        self.receive(b"c")
        self.transport.resumeProducing()
        self.assertEqual(self.heard, [b"a", b"b", False, False, b"c", False])

    def test_before_connect(self) -> None:
        """What came before the protocol waits for it."""
        transport, protocol = SockJSTransport(self.session), Events()
        transport.messages_received([b"a"])
        transport.connect(protocol)
        transport.messages_received([b"b"])
        self.assertEqual(protocol.events, ["made", b"a", b"b"])

    def test_pause_in_mid_frame(self) -> None:
        """The rest of the frame waits, and comes before what followed."""
        self.protocol.react = lambda data: data == b"b" and self.transport.pauseProducing()
        self.receive(b"a", b"b", b"c", b"d")
        self.receive(b"e")
        self.assertEqual(self.heard, [b"a", b"b"])
        self.assertEqual(self.session.calls, ["pause"])
        self.transport.resumeProducing()
        self.assertEqual(self.heard, [b"a", b"b", b"c", b"d", b"e"])
        self.assertEqual(self.session.calls, ["pause", "resume"])

    def test_pause_again_while_resuming(self) -> None:
        """A protocol that takes one at a time gets one at a time; nothing is read meanwhile."""
        self.protocol.react = lambda _: self.transport.pauseProducing()
        self.receive(b"a", b"b", b"c")
        for expected in ([b"a"], [b"a", b"b"], [b"a", b"b", b"c"]):
            self.assertEqual(self.heard, expected)
            self.transport.resumeProducing()
        self.assertEqual(self.session.calls.count("resume"), 1)
        self.assertEqual(self.session.calls[-1], "resume")

    def test_resume_in_data_received(self) -> None:
        """Resuming while being delivered to changes neither order nor depth."""

        def react(data: bytes) -> None:
            self.transport.pauseProducing()
            self.transport.resumeProducing()

        self.protocol.react = react
        self.receive(*[b"%d" % number for number in range(2000)])
        self.assertEqual(self.heard, [b"%d" % number for number in range(2000)])

    def test_pausing_twice(self) -> None:
        """Pausing what is paused, and resuming what runs, is nothing."""
        self.transport.resumeProducing()
        self.transport.pauseProducing()
        self.transport.pauseProducing()
        self.transport.resumeProducing()
        self.transport.resumeProducing()
        self.assertEqual(self.session.calls, ["pause", "resume"])

    def test_protocol_that_raises(self) -> None:
        """It loses its connection, with what it raised; the rest is not delivered."""

        def react(_: bytes) -> None:
            raise RuntimeError("protocol")

        self.protocol.react = react
        self.receive(b"a", b"b")
        self.assertEqual(self.session.calls, ["abort"])
        self.end()
        message, error = self.heard
        self.assertEqual(message, b"a")
        self.assertIsInstance(error, RuntimeError)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_connection_made_that_raises(self) -> None:
        """So does one that raises at the start."""

        class Broken(Events):
            def connectionMade(self) -> None:
                raise RuntimeError("made")

        transport, protocol = SockJSTransport(self.session), Broken()
        transport.connect(protocol)
        transport.messages_received([b"a"])
        transport.ended(Failure(self.done))
        (error,) = protocol.events
        self.assertIsInstance(error, RuntimeError)
        self.flushLoggedErrors(RuntimeError)

    def test_base_exceptions(self) -> None:
        """A protocol that raises what is no Exception loses its session in the same way."""

        class Broken(Events):
            def dataReceived(self, data: bytes) -> None:
                raise SystemExit

        transport = SockJSTransport(self.session)
        transport.connect(Broken())
        transport.messages_received([b"a", b"b"])
        self.assertEqual(self.session.calls, ["abort"])
        self.assertEqual(len(self.flushLoggedErrors(SystemExit)), 1)

    def test_connection_lost_that_raises(self) -> None:
        """What is raised at the end is logged."""

        class Broken(Events):
            def connectionLost(self, reason: Any = None) -> None:
                raise RuntimeError("lost")

        transport = SockJSTransport(self.session)
        transport.connect(Broken())
        transport.ended(Failure(self.done))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class EndTests(TransportTestCase):
    """Exactly one connectionLost."""

    def test_once(self) -> None:
        """However often the session says so, and with the first reason."""
        self.end()
        self.end(ConnectionLost())
        self.assertEqual(self.heard, [self.done])

    def test_after_the_end(self) -> None:
        """Then nothing comes, and nothing goes."""
        self.end()
        self.receive(b"late")
        self.transport.write(b"a")
        self.transport.writeSequence([b"a"])
        self.transport.loseConnection()
        self.transport.abortConnection()
        self.transport.pauseProducing()
        self.transport.resumeProducing()
        self.assertEqual((self.heard, self.session.calls), ([self.done], []))

    def test_while_paused(self) -> None:
        """What came before the end is delivered first, however long that takes."""
        self.transport.pauseProducing()
        self.receive(b"a", b"b")
        closed = SockJSClosed(1000, "Normal closure")
        self.end(closed)
        self.assertEqual(self.heard, [])
        self.transport.resumeProducing()
        self.assertEqual(self.heard, [b"a", b"b", closed])
        self.assertEqual(self.session.calls, ["pause"])

    def test_in_mid_delivery(self) -> None:
        """An end that comes while messages are delivered comes after them."""
        self.protocol.react = lambda data: data == b"a" and self.end()
        self.receive(b"a", b"b")
        self.assertEqual(self.heard, [b"a", b"b", self.done])

    def test_lose_connection(self) -> None:
        """1000, once; nothing is sent or delivered after it."""
        self.transport.loseConnection()
        self.transport.loseConnection()
        self.transport.write(b"late")
        self.receive(b"late")
        self.assertEqual(self.session.calls, [(1000, "Normal closure")])
        self.end()
        self.assertEqual(self.heard, [self.done])

    def test_lose_connection_in_mid_frame(self) -> None:
        """The rest of the frame is not delivered."""
        self.protocol.react = lambda _: self.transport.loseConnection()
        self.receive(b"a", b"b")
        self.end()
        self.assertEqual(self.heard, [b"a", self.done])

    def test_lose_connection_while_paused(self) -> None:
        """Whoever closes does not have to read what waits."""
        self.transport.pauseProducing()
        self.receive(b"a")
        self.transport.loseConnection()
        self.end()
        self.assertEqual(self.heard, [self.done])

    def test_lose_connection_of_what_is_gone(self) -> None:
        """Paused, with messages waiting and the session gone, it ends at once."""
        self.transport.pauseProducing()
        self.receive(b"a")
        self.end()
        self.transport.loseConnection()
        self.assertEqual(self.heard, [self.done])

    def test_abort(self) -> None:
        """The session is dropped; the reason is ours, whatever it says."""
        self.transport.abortConnection()
        self.end(ConnectionLost())
        (error,) = self.heard
        self.assertIsInstance(error, ConnectionAborted)
        self.assertEqual(self.session.calls, ["abort"])

    def test_abort_after_close(self) -> None:
        """An orderly close that takes too long can be cut short."""
        self.transport.loseConnection()
        self.transport.abortConnection()
        self.assertEqual(self.session.calls, [(1000, "Normal closure"), "abort"])

    def test_stop_producing(self) -> None:
        """It closes."""
        self.transport.stopProducing()
        self.assertEqual(self.session.calls, [(1000, "Normal closure")])

    def test_codes(self) -> None:
        """Codes and reasons that fit into a WebSocket close, and no others."""
        for code, reason in ((0, ""), (1001, ""), (2999, ""), (5000, ""), (3000, "ü" * 62)):
            self.assertRaises(InvalidOption, self.transport.close, code, reason)
        self.transport.close(4999, "ü" * 61)
        self.assertEqual(self.session.calls, [(4999, "ü" * 61)])
