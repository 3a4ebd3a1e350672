"""
The life of polling sessions: heartbeats, absence, endings, and going down in order.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txtokensock.errors import SockJSClosed
from txtokensock.sockjs.interfaces import ISockJSSession, ISockJSTransport

from .support import Closer, Recorder, Server


class InterfaceTests(SynchronousTestCase):
    """What protocols and transports count on."""

    def test_provided(self) -> None:
        """Every kind of session is an ISockJSSession, and its transport a SockJS transport."""
        server = Server()
        server.poll()
        server.websocket("/0/a/websocket")
        server.websocket("/websocket")
        for protocol in server.protocols:
            verifyObject(ISockJSTransport, protocol.transport)
            verifyObject(ISockJSSession, protocol.transport._session)


class HeartbeatTests(SynchronousTestCase):
    """``h`` keeps connections open."""

    def test_poll(self) -> None:
        """A poll that waits 25 seconds is answered with ``h``, and asked anew."""
        server = Server()
        server.poll()
        connection = server.open("POST", "/000/abc/xhr")
        server.clock.advance(25)
        self.assertEqual(connection.response().body, b"h\n")
        server.send('["a"]')
        self.assertEqual(server.poll(), b'a["a"]\n')

    def test_streaming(self) -> None:
        """A streaming response gets one every 25 seconds."""
        server = Server()
        stream = server.open("POST", "/000/abc/xhr_streaming")
        server.clock.pump([25, 25])
        self.assertEqual(stream.chunks()[2:], [b"h\n", b"h\n"])

    def test_idle_stream(self) -> None:
        """
        A streaming response with heartbeats alone is ended after four: that its client
        asks again is the only sign that it still reads.
        """
        server = Server()
        stream = server.open("POST", "/000/abc/xhr_streaming")
        server.clock.pump([25, 25, 25])
        server.send('["a"]')
        server.clock.pump([25, 25, 25])
        self.assertNotEqual(stream.chunks()[-1], b"")
        server.clock.advance(25)
        self.assertEqual(stream.chunks()[-1], b"")
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.advance(5)
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_idle_again(self) -> None:
        """The response after one that was ended so has its own four heartbeats."""
        server = Server()
        for _ in range(3):
            stream = server.open("POST", "/000/abc/xhr_streaming")
            server.clock.pump([25, 25, 25])
            self.assertNotEqual(stream.chunks()[-1], b"")
            server.clock.advance(25)
            self.assertEqual(stream.chunks()[-1], b"")


class SlowReaderTests(SynchronousTestCase):
    """A client may take as long to read as a slow link does."""

    def test_websocket(self) -> None:
        """
        Its pong may come as much later as 25 kB/s take for what was sent before the ping, 10
        seconds and 40.  The next ping asks anew, when the kernel still holds a part of that.
        """
        server = Server()
        server.websocket()
        server.protocols[0].transport.write(b"x" * 1_000_000)
        server.clock.pump([25, 25, 9])
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.pump([16, 10, 5])
        self.assertEqual(len(server.protocols[0].lost), 1)

    def test_poll(self) -> None:
        """It asks again when it has read a long response, behind five seconds."""
        server = Server()
        server.poll()
        server.protocols[0].transport.write(b"x" * 500_000)
        server.poll()
        server.clock.advance(24.9)
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.advance(0.2)
        server.protocols[0].lost[0].trap(ConnectionLost)


class AbsenceTests(SynchronousTestCase):
    """``disconnect_delay``."""

    def test_absent(self) -> None:
        """A client that asks no more is gone after five seconds, and forgotten."""
        server = Server()
        server.poll()
        server.clock.advance(4.9)
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.advance(0.1)
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual(server.poll(), b"o\n")

    def test_sending_is_not_asking(self) -> None:
        """A client that only sends is absent: nothing could be told it."""
        server = Server()
        server.poll()
        server.clock.advance(4)
        server.send('["a"]')
        server.clock.advance(1)
        self.assertEqual(len(server.protocols[0].lost), 1)

    def test_poll_in_time(self) -> None:
        """Asking again starts the delay anew."""
        server = Server(disconnect_delay=2)
        server.poll()
        for _ in range(5):
            server.clock.advance(1.5)
            server.send('["a"]')
            server.poll()
        self.assertEqual(server.protocols[0].lost, [])

    def test_broken_poll(self) -> None:
        """A poll that breaks off ends the session at once."""
        server = Server()
        server.poll()
        connection = server.open("POST", "/000/abc/xhr")
        another = server.request("POST", "/000/abc/xhr")
        self.assertEqual(another.body, b'c[2010,"Another connection still open"]\n')
        connection.drop()
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.poll(), b'c[1002,"Connection interrupted"]\n')

    def test_finished_poll_broken(self) -> None:
        """A connection that goes after its response was complete means nothing."""
        server = Server()
        connection = server.open("POST", "/000/abc/xhr")
        connection.drop()
        self.assertEqual(server.protocols[0].lost, [])


class EndTests(SynchronousTestCase):
    """Who ends a session, and who hears of it when."""

    def test_close_with_a_request_waiting(self) -> None:
        """The waiting request gets the close; the protocol hears of it in a later turn."""
        server = Server(Recorder)
        server.poll()
        connection = server.open("POST", "/000/abc/xhr")
        protocol = server.protocols[0]
        protocol.transport.close(3001, "Bye")
        self.assertEqual(connection.response().body, b'c[3001,"Bye"]\n')
        self.assertEqual(protocol.lost, [])
        server.clock.advance(0)
        protocol.lost[0].trap(SockJSClosed)
        self.assertEqual(server.resource.session_count, 0)

    def test_close_nobody_asks(self) -> None:
        """A close that nobody fetches is over after ``close_timeout``."""
        server = Server(Closer, close_timeout=3)
        server.poll()
        server.clock.advance(2.9)
        self.assertEqual(server.protocols[0].lost, [])
        server.clock.advance(0.1)
        server.protocols[0].lost[0].trap(SockJSClosed)
        server.clock.advance(5)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_abort(self) -> None:
        """An abort drops the response, and what was to be sent."""
        server = Server(Recorder)
        stream = server.open("POST", "/000/abc/xhr_streaming")
        protocol = server.protocols[0]
        protocol.transport.write(b"a")
        protocol.transport.abortConnection()
        self.assertEqual(protocol.lost, [])
        server.clock.pump([0, 0])
        protocol.lost[0].trap(ConnectionAborted)
        self.assertTrue(stream.tcp.aborting)
        self.assertEqual(stream.chunks()[2:], [])
        self.assertEqual(server.poll(), b'c[1002,"Connection interrupted"]\n')

    def test_raising_protocol(self) -> None:
        """A protocol that raises from connectionMade is dropped at once."""

        class Raising(Recorder):
            def connectionMade(self) -> None:
                raise ZeroDivisionError

            def connectionLost(self, reason: object) -> None:
                raise KeyError

        server = Server(Raising)
        server.poll()
        self.assertEqual(server.poll(), b'c[1002,"Connection interrupted"]\n')
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertEqual(server.resource.session_count, 0)


class CloseSessionsTests(SynchronousTestCase):
    """A server that goes down in order."""

    def test_all_close(self) -> None:
        """Waiting requests hear of it, absent clients are given ``close_timeout``."""
        server = Server(Recorder)
        stream = server.open("POST", "/0/a/xhr_streaming")
        server.poll("/0/b")
        server.open("POST", "/0/c/xhr").drop()
        done = server.resource.close_sessions()
        self.assertEqual(stream.chunks()[2:], [b'c[3000,"Go away!"]\n', b""])
        server.clock.advance(0)
        self.assertNoResult(done)
        self.assertEqual(server.request("POST", "/0/new/xhr").status, 503)
        server.clock.advance(4.9)
        self.assertNoResult(done)
        server.clock.advance(0.1)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual(server.request("POST", "/0/b/xhr").status, 503)
        self.assertEqual([len(protocol.lost) for protocol in server.protocols], [1, 1, 1])

    def test_poll_in_time(self) -> None:
        """An absent client that asks in time hears of it."""
        server = Server(Recorder)
        server.poll()
        done = server.resource.close_sessions(3001, "Bye")
        self.assertEqual(server.poll(), b'c[3001,"Bye"]\n')
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Cancelling stops the waiting, not the closing."""
        server = Server(Recorder)
        server.poll()
        first = server.resource.close_sessions()
        second = server.resource.close_sessions()
        first.cancel()
        self.failureResultOf(first)
        server.clock.advance(5)
        self.assertIsNone(self.successResultOf(second))
