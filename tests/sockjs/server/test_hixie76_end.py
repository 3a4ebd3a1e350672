"""
How a WebSocket of draft-hixie-thewebsocketprotocol-76 ends, and what it must withstand.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import SockJSClosed

from .hixie76 import CLOSE, opened, text, upgrade
from .support import Closer, Server


class EndTests(SynchronousTestCase):
    """The closing handshake: ``ff 00`` in both directions."""

    def test_closed_by_the_protocol(self) -> None:
        """``c`` with the code, then the close, which has none; the peer answers it."""
        server = Server(Closer)
        connection = upgrade(server, body=b"aaaaaaaa")
        self.assertTrue(connection.take().endswith(text("o") + text('c[3000,"Go away!"]') + CLOSE))
        connection.send(text('["late"]') + CLOSE)
        self.assertTrue(connection.tcp.disconnecting)
        self.assertFalse(connection.tcp.aborting)
        server.clock.advance(0)
        (protocol,) = server.protocols
        self.assertEqual(protocol.received, [])
        self.assertEqual(protocol.lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_close_unanswered(self) -> None:
        """``close_timeout`` is for this peer too."""
        server = Server(Closer, close_timeout=5)
        connection = opened(server, "/websocket")
        server.clock.advance(4.9)
        self.assertFalse(connection.tcp.lost)
        server.clock.pump([0.2, 0])
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_closed_by_the_client(self) -> None:
        """The close is answered; a code there is none."""
        server = Server()
        connection = opened(server)
        connection.send(CLOSE + text('["late"]'))
        self.assertEqual(connection.take(), CLOSE)
        server.clock.advance(0)
        (protocol,) = server.protocols
        protocol.lost[0].trap(SockJSClosed)
        self.assertEqual(protocol.lost[0].value.code, 1005)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_connection_lost(self) -> None:
        """A connection that breaks is lost, not closed."""
        server = Server()
        opened(server).drop()
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_abort(self) -> None:
        """The protocol may drop the connection at once."""
        server = Server()
        connection = opened(server)
        server.protocols[0].transport.abortConnection()
        server.clock.advance(0)
        self.assertTrue(connection.tcp.aborting)
        self.assertEqual(connection.take(), b"")
        self.assertEqual(server.resource.session_count, 0)

    @settings(max_examples=150, deadline=None)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from([b"\x00", b"\xff", CLOSE, text('["a"]'), text('"a"'), text("[")]),
            ),
            max_size=12,
        ),
        st.sampled_from(["/0/a/websocket", "/websocket"]),
    )
    def test_anything(self, pieces: list[bytes], path: str) -> None:
        """No bytes raise, and the session ends when the connection does."""
        server = Server(max_message_size=16)
        connection = upgrade(server, path)
        for piece in pieces:
            if not connection.tcp.lost:
                connection.send(piece)
            server.clock.advance(0)
        connection.drop()
        protocols: list[Any] = server.protocols
        self.assertEqual([len(protocol.lost) for protocol in protocols], [protocols[0].made])
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])
