"""
Open sessions over HTTP whose server misbehaves: the end comes once, and names the cause.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.logger import LogLevel, globalLogPublisher

from txtokensock import Timeouts
from txtokensock.errors import SockJSClosed

from .http_peer import PAGES, PeerTestCase, Request

STREAMING = ("xhr-streaming", "eventsource")


class ReceivingTests(PeerTestCase):
    """Responses with frames."""

    def ended_by(self, what: Callable[[Request], object], transport: str) -> Any:
        """Why a session ends when this happens to its newest request for frames."""
        protocol = self.connected(transport)
        what(self.newest(transport))
        reason = self.lost(protocol)
        self.assert_nothing_left()
        return reason

    def test_ends_that_are_in_order(self) -> None:
        """The next request follows at once, and the session goes on."""
        for transport in STREAMING:
            protocol = self.connected(transport)
            for number in range(3):
                request = self.newest(transport)
                request.frame(b'a["%d"]' % number)
                request.end()
                self.host.settle()
            self.assertEqual(protocol.received, [b"0", b"1", b"2"])
            paths = {request.path for request in self.requested(PAGES[transport])}
            self.assertEqual(len(paths), 1)

    def test_response_without_length(self) -> None:
        """HTTP/1.0 ends one by closing the connection: at the end of a frame that is fine."""
        protocol = self.connected("xhr-polling")
        for frame in (b'a["0"]', b'a["1"]'):
            request = self.newest("xhr-polling")
            request.raw(b"HTTP/1.0 200 OK\r\n\r\n" + frame + b"\n")
            request.hang_up()
            self.host.settle()
        self.assertEqual(protocol.received, [b"0", b"1"])
        request = self.newest("xhr-polling")
        request.raw(b'HTTP/1.0 200 OK\r\n\r\na["2')
        request.hang_up()
        self.assertIn("within a frame", str(self.lost(protocol)))

    def test_responses_that_break_off(self) -> None:
        """Nobody knows what was in them: the session ends, and what had come is delivered."""
        for transport in STREAMING:
            for end in (Request.drop, Request.hang_up):
                protocol = self.connected(transport)
                request = self.newest(transport)
                request.frame(b'a["x"]')
                self.host.settle()
                end(request)
                reason = self.lost(protocol)
                self.assertIsInstance(reason, ConnectionLost)
                self.assertIn("broke off", str(reason))
                self.assertEqual(protocol.received, [b"x"])
                self.assert_nothing_left()
        for end in (Request.drop, Request.hang_up):
            reason = self.ended_by(end, "xhr-polling")
            self.assertIsInstance(reason, ConnectionLost)
            self.assertIn("xhr failed", str(reason))
        cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\na[]\n"
        reason = self.ended_by(lambda r: (r.raw(cut), r.hang_up()), "xhr-polling")
        self.assertIn("broke off", str(reason))

    def test_statuses(self) -> None:
        """A session that the server has lost, and other refusals."""
        for status, text in ((404, "has lost the session"), (503, "503"), (302, "302")):
            reason = self.ended_by(lambda r, s=status: r.respond(s), "xhr-polling")
            self.assertIsInstance(reason, ConnectionLost)
            self.assertIn(text, str(reason))

    def test_violations(self) -> None:
        """What is no frame, and an empty response."""
        for transport in PAGES:
            for frame in (b"?", b"a[1]", b'a["x"', b"c[1]", b"\xff\xfe"):
                reason = self.ended_by(lambda r, f=frame: r.frame(f), transport)
                self.assertIsInstance(reason, ConnectionLost)
                self.assertIn("protocol", str(reason), frame)
        reason = self.ended_by(lambda r: r.respond(200, b""), "xhr-polling")
        self.assertIn("without a frame", str(reason))

    def test_second_open_frame(self) -> None:
        """A server that was started anew knows nothing of the session: that is no news."""
        warnings: list[Any] = []
        globalLogPublisher.addObserver(warnings.append)
        self.addCleanup(globalLogPublisher.removeObserver, warnings.append)
        for transport in PAGES:
            reason = self.ended_by(lambda r: r.frame(b"o"), transport)
            self.assertIsInstance(reason, ConnectionLost)
            self.assertIn("has lost the session", str(reason))
        levels = [event["log_level"] for event in warnings]
        self.assertNotIn(LogLevel.warn, levels)

    def test_frame_that_does_not_end(self) -> None:
        """It is left at the limit, not kept."""
        for transport in STREAMING:
            protocol = self.connected(transport, max_message_size=1000)
            request = self.newest(transport)
            request.open()
            request.chunk(b'a["' + b"x" * 2000)
            self.assertIn("max_message_size=1000 bytes", str(self.lost(protocol)))
            self.assert_nothing_left()

    def test_close_frame(self) -> None:
        """It ends the session in order, and the connections with it; what follows does not
        count."""
        for transport in PAGES:
            protocol = self.connected(transport)
            protocol.transport.write(b"too late")
            self.newest(transport).frame(b'a["x"]', b'c[3001,"Enough"]', b'a["y"]')
            reason = self.lost(protocol)
            self.assertIsInstance(reason, SockJSClosed)
            self.assertEqual((reason.code, protocol.received), (3001, [b"x"]), transport)
            self.assert_nothing_left()

    def test_late_answers(self) -> None:
        """What comes after the end meets nobody."""
        for transport in PAGES:
            protocol = self.connected(transport)
            request = self.newest(transport)
            protocol.transport.abortConnection()
            request.frame(b'a["x"]')
            self.assertIsInstance(self.lost(protocol), ConnectionAborted)
            self.assertEqual(protocol.received, [])

    def test_no_connection_for_the_next_request(self) -> None:
        """A server that closes each connection, and then takes none."""
        protocol = self.connected("xhr-polling")
        self.accept = False
        self.newest("xhr-polling").respond(200, b"h\n", "Connection: close")
        self.assertIn("xhr failed", str(self.lost(protocol)))

    def test_closing_connections(self) -> None:
        """A server, or a proxy, that closes each connection, and takes the next."""
        for head in (
            b"HTTP/1.1 200 OK\r\nConnection: close",
            b"HTTP/1.1 200 OK\r\nConnection: Close",
            b"HTTP/1.1 200 OK\r\nConnection: x-hop, close",
            b"HTTP/1.0 200 OK",
        ):
            protocol = self.connected("xhr-polling")
            for number in range(5):
                request = self.newest("xhr-polling")
                request.raw(head + b'\r\nContent-Length: 7\r\n\r\na["%d"]\n' % number)
                request.hang_up()
                self.host.settle()
            self.assertEqual(len(protocol.received), 5, head)
        self.assertGreater(len(self.host.network.connections), 4 * 5)

    def test_old_servers_that_keep_connections(self) -> None:
        """HTTP/1.0 has it, too, where it says so."""
        self.connected("xhr-polling")
        for _ in range(5):
            self.newest("xhr-polling").raw(
                b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nh\n"
            )
            self.host.settle()
        self.assertEqual(len(self.requested("xhr")), 7)
        self.assertEqual(len(self.host.network.connections), 1)


class SendingTests(PeerTestCase):
    """Requests with messages."""

    def sent(self) -> Request:
        """The newest request with messages."""
        self.host.settle()
        return self.requested("xhr_send")[-1]

    def test_one_at_a_time(self) -> None:
        """What is written meanwhile waits, and then goes together, in order."""
        protocol = self.connected("xhr-streaming")
        protocol.transport.write(b"0")
        self.assertEqual(self.sent().body, b'["0"]')
        protocol.transport.write(b"1")
        protocol.transport.writeSequence([b"2", b"3"])
        self.host.advance(20)
        self.assertEqual(len(self.requested("xhr_send")), 1)
        self.sent().respond(204)
        self.assertEqual(self.sent().body, b'["1","2","3"]')
        self.sent().respond(200)
        protocol.transport.write(b"4")
        self.assertEqual(self.sent().body, b'["4"]')

    def test_batches(self) -> None:
        """64 KiB at most, but for a message that is larger."""
        protocol = self.connected("xhr-streaming")
        sizes = [30_000, 30_000, 30_000, 200_000, 10, 10]
        for size in sizes:
            protocol.transport.write(b"x" * size)
        bodies = []
        for _ in range(4):
            bodies.append(len(self.sent().body))
            self.sent().respond(204)
        self.assertEqual(bodies, [60_007, 30_004, 200_004, 27])
        self.host.settle()
        self.assertEqual(len(self.requested("xhr_send")), 4)

    def test_answers_that_end_the_session(self) -> None:
        """All but 204, and 200 with nothing."""
        for answer, text in (
            (lambda r: r.respond(404), "has lost the session"),
            (lambda r: r.respond(413), "413"),
            (lambda r: r.respond(500, b"Broken JSON encoding."), "500"),
            (lambda r: r.respond(302, b"", "Location: /elsewhere"), "302"),
            (lambda r: r.respond(200, b"<html>"), "not that of a SockJS server"),
            (Request.drop, "xhr_send failed"),
            (Request.hang_up, "xhr_send failed"),
            (lambda r: r.raw(b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"), "xhr_send failed"),
        ):
            protocol = self.connected("xhr-streaming")
            protocol.transport.write(b"x")
            answer(self.sent())
            reason = self.lost(protocol)
            self.assertIsInstance(reason, ConnectionLost)
            self.assertIn(text, str(reason))
            self.assert_nothing_left()

    def test_abort_right_after_a_write(self) -> None:
        """Nothing is sent any more, on no connection."""
        protocol = self.connected("xhr-streaming")
        connections = len(self.host.network.connections)
        protocol.transport.write(b"x")
        protocol.transport.abortConnection()
        self.lost(protocol)
        self.assertEqual(len(self.host.network.connections), connections)

    def test_deadline(self) -> None:
        """A request that is not answered, or whose answer does not end."""
        for answer in (
            lambda r: None,
            lambda r: r.raw(b"HTTP/1.1 200"),
            lambda r: r.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
        ):
            protocol = self.connected("xhr-streaming", timeouts=Timeouts(send=7))
            protocol.transport.write(b"x")
            answer(self.sent())
            self.host.advance(6.9)
            self.assertEqual(protocol.lost, [])
            self.host.advance(0.1)
            reason = self.lost(protocol)
            self.assertIsInstance(reason, ConnectionLost)
            self.assertIn("within 7 seconds", str(reason))
            self.assert_nothing_left()

    def test_deadline_of_each(self) -> None:
        """A request has all of its time, whatever was left of that of the one before."""
        protocol = self.connected("xhr-streaming", timeouts=Timeouts(send=7))
        for _ in range(3):
            protocol.transport.write(b"x")
            self.host.advance(5)
            self.sent().respond(204)
            self.host.advance(1)
        self.host.advance(60)
        self.assertEqual(protocol.lost, [])
        protocol.transport.write(b"x")
        self.host.advance(6.9)
        self.assertEqual(protocol.lost, [])
        self.host.advance(0.1)
        self.assertIn("within 7 seconds", str(self.lost(protocol)))

    def test_answers_are_no_sign_of_life(self) -> None:
        """
        Where the connection for frames is dead, and the other is not, whoever asks for a sign
        of life must find that out.
        """
        protocol = self.connected("xhr-streaming")
        heard = protocol.transport.frames_received
        protocol.transport.write(b"ping")
        self.sent().respond(204)
        self.host.settle()
        self.assertEqual(protocol.transport.frames_received, heard)

    def test_idle_connection_that_the_server_closes(self) -> None:
        """It is not used for what is written next."""
        protocol = self.connected("xhr-streaming")
        protocol.transport.write(b"0")
        first = self.sent()
        first.respond(204)
        self.host.settle()
        first.hang_up()
        self.host.settle()
        protocol.transport.write(b"1")
        self.assertEqual(self.sent().body, b'["1"]')
        self.assertEqual(protocol.lost, [])

    def test_close_waits_for_what_was_written(self) -> None:
        """As long as the deadline of an orderly close allows."""
        protocol = self.connected("xhr-streaming", timeouts=Timeouts(close=4))
        protocol.transport.write(b"0")
        self.sent()
        protocol.transport.write(b"1")
        protocol.transport.loseConnection()
        protocol.transport.write(b"2")
        self.sent().respond(204)
        self.assertEqual(self.sent().body, b'["1"]')
        self.host.settle()
        self.assertEqual(protocol.lost, [])
        self.sent().respond(204)
        self.assertEqual(self.lost(protocol).code, 1000)
        self.assertEqual(len(self.requested("xhr_send")), 2)
        self.assert_nothing_left()

    def test_close_that_takes_too_long(self) -> None:
        """The rest is dropped."""
        protocol = self.connected("xhr-streaming", timeouts=Timeouts(close=4))
        protocol.transport.write(b"0")
        self.sent()
        protocol.transport.loseConnection()
        self.host.advance(3.9)
        self.assertEqual(protocol.lost, [])
        self.host.advance(0.1)
        self.assertEqual(self.lost(protocol).code, 1000)
        self.assert_nothing_left()

    def test_close_asks_for_no_more_frames(self) -> None:
        """While the rest is being sent."""
        protocol = self.connected("xhr-polling")
        protocol.transport.write(b"0")
        self.sent()
        protocol.transport.loseConnection()
        polls = len(self.requested("xhr"))
        self.newest("xhr-polling").frame(b'a["x"]')
        self.host.settle()
        self.assertEqual((len(self.requested("xhr")), protocol.received), (polls, []))
        self.sent().respond(204)
        self.lost(protocol)

    def test_write_from_data_received(self) -> None:
        """And from connectionMade; nothing is sent before the session is open."""
        protocol = self.connected("xhr-polling")
        protocol.dataReceived = protocol.transport.write  # type: ignore[method-assign]
        self.newest("xhr-polling").frame(b'a["x","y"]')
        self.assertEqual(self.sent().body, b'["x","y"]')
