"""
How a SockJS session ends.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionLost

from txtokensock import Timeouts
from txtokensock.errors import (
    InvalidData,
    InvalidOption,
    SockJSClosed,
)

from .support import EndpointTestCase


class EndTests(EndpointTestCase):
    """How an open session ends: exactly one connectionLost, with the reason."""

    def test_lose_connection(self) -> None:
        """loseConnection closes in order, after what was written."""
        protocol = self.connected()
        protocol.transport.write(b"last")
        protocol.transport.loseConnection()
        protocol.transport.loseConnection()
        protocol.transport.write(b"ignored")
        reason = self.lost(protocol)
        self.assertIsInstance(reason, SockJSClosed)
        self.assertEqual((reason.code, self.session.closed_with), (1000, 1000))
        self.assertEqual(self.session.texts, ["last"])

    def test_close_with_a_code(self) -> None:
        """close() says why; what no WebSocket can carry is refused."""
        protocol = self.connected()
        for code, reason in (
            (999, ""),
            (1001, ""),
            (5000, ""),
            (3000, "x" * 124),
            (3000, "\ud800"),
        ):
            self.assertRaises(InvalidOption, protocol.transport.close, code, reason)
        protocol.transport.close(3456, "bye")
        reason = self.lost(protocol)
        self.assertEqual((reason.code, reason.reason), (3456, "bye"))
        self.assertEqual(self.session.closed_with, 3456)

    def test_close_deadline(self) -> None:
        """A server that does not answer the close is left after ``timeouts.close``."""
        protocol = self.connected(timeouts=Timeouts(close=3))
        self.server.script(close="ignore")
        protocol.transport.loseConnection()
        self.server.advance(2.9)
        self.assertEqual(protocol.lost, [])
        self.server.advance(0.1)
        self.assertIsInstance(self.lost(protocol), SockJSClosed)

    def test_messages_after_the_close(self) -> None:
        """What comes after loseConnection is not delivered."""
        protocol = self.connected()
        self.server.script(close=lambda s: (s.send_text("late"), s.accept_close()))
        protocol.transport.loseConnection()
        self.lost(protocol)
        self.assertEqual(protocol.received, [])

    def test_abort(self) -> None:
        """abortConnection drops at once; nothing more is sent or delivered."""
        protocol = self.connected()
        self.session.send_text("late")
        protocol.transport.write(b"lost")
        protocol.transport.abortConnection()
        protocol.transport.abortConnection()
        self.assertIsInstance(self.lost(protocol), ConnectionAborted)
        self.assertEqual(protocol.received, [])

    def test_stop_producing(self) -> None:
        """stopProducing closes, as producers do."""
        protocol = self.connected()
        protocol.transport.stopProducing()
        self.assertIsInstance(self.lost(protocol), SockJSClosed)

    def test_server_closes(self) -> None:
        """By ``c``, by the WebSocket, or by both: the reason is the first."""
        for how, code in (
            (lambda s: s.close(3000, "Go away!"), 3000),
            (lambda s: s.send_frame('c[2010,"Another connection still open"]'), 2010),
            (lambda s: s.close_websocket(1001, "going"), 1001),
            (lambda s: (s.send_frame('c[1000,"x"]'), s.hang_up()), 1000),
            (lambda s: s.send_frame('c[0,""]'), 0),
        ):
            protocol = self.connected()
            how(self.session)
            reason = self.lost(protocol)
            self.assertIsInstance(reason, SockJSClosed)
            self.assertEqual(reason.code, code)
            self.assertIn(str(code), str(reason))

    def test_server_goes(self) -> None:
        """Without a close it is a loss, not an orderly end."""
        for how in ("drop", "hang_up"):
            protocol = self.connected()
            getattr(self.session, how)()
            reason = self.lost(protocol)
            self.assertIsInstance(reason, ConnectionLost)
            self.assertNotIsInstance(reason, SockJSClosed)

    def test_violations(self) -> None:
        """Nonsense and binary messages drop the connection, and say why."""
        for frame in ("x", "a", "a{}", "a[null]", 'm["x"]', 'c["x"]', "oo"):
            protocol = self.connected()
            self.session.send_frame(frame)
            self.assertIn("SockJS protocol", str(self.lost(protocol)))
        protocol = self.connected()
        self.session.send_binary(b"h")
        self.assertIn("binary", str(self.lost(protocol)))

    def test_too_large(self) -> None:
        """A message beyond ``max_message_size`` ends the session."""
        protocol = self.connected(max_message_size=1000)
        self.session.send_text("x" * 990)
        self.session.send_text("x" * 1000)
        self.assertIn("more than max_message_size=1000 bytes", str(self.lost(protocol)))
        self.assertEqual(protocol.received, [b"x" * 990])

    def test_not_text(self) -> None:
        """Writing what is not UTF-8 is the caller's mistake, and harms nothing."""
        protocol = self.connected()
        self.assertRaises(InvalidData, protocol.transport.write, b"\xff")
        protocol.transport.write(b"ok")
        self.server.settle()
        self.assertEqual(self.session.frames, [["ok"]])
