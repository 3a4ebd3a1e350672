"""
Messages over WebSockets: the suite's ``Websocket`` and ``RawWebsocket``.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.websocket import BINARY, TEXT, close_frame
from txtokensock.errors import InvalidData

from .support import Closer, Server


class FramedTests(SynchronousTestCase):
    """What frames mean."""

    def test_echo(self) -> None:
        """``o``, then an array for an array, or for a bare text."""
        client = Server().websocket()
        self.assertEqual(client.texts(), ["o"])
        client.send('["a"]')
        client.send('"b"')
        self.assertEqual(client.texts(), ['a["a"]', 'a["b"]'])

    def test_several_messages(self) -> None:
        """Each message of an array is one dataReceived, in order."""
        server = Server()
        server.websocket().send('["a","b","\\u00e4"]')
        self.assertEqual(server.protocols[0].received, [b"a", b"b", "ä".encode()])

    def test_write_sequence(self) -> None:
        """writeSequence sends one frame."""
        server = Server()
        client = server.websocket()
        server.protocols[0].transport.writeSequence([b"a", b"b"])
        self.assertEqual(client.texts(), ["o", 'a["a","b"]'])

    def test_equal_frames(self) -> None:
        """What several peers get is encoded once, and its bytes are shared."""
        server = Server()
        for _ in range(3):
            server.websocket()
        written: list[bytes] = []
        for protocol in server.protocols:
            session: Any = protocol.transport._session
            session._websocket._write = written.append
        for messages in ([b"a"], [b"a", b"b"]):
            for protocol in server.protocols:
                protocol.transport.writeSequence(list(messages))
        self.assertEqual(written, [b'\x81\x06a["a"]'] * 3 + [b'\x81\x0aa["a","b"]'] * 3)
        self.assertEqual(len(set(map(id, written))), 2)

    def test_nothing(self) -> None:
        """Empty frames and empty arrays mean nothing."""
        server = Server()
        client = server.websocket()
        client.send("")
        client.send("[]")
        client.send('["a"]')
        self.assertEqual(client.texts(), ["o", 'a["a"]'])
        self.assertEqual(server.protocols[0].received, [b"a"])

    def test_broken_framing(self) -> None:
        """What is no frame closes the WebSocket with 3000, without a ``c`` frame."""
        for broken, opcode in (
            ('["a', TEXT),
            ("[{}]", TEXT),
            ("{}", TEXT),
            ("[[[" * 50000, TEXT),
            ('["a"]', BINARY),
        ):
            server = Server()
            client = server.websocket()
            client.frames()
            client.send(broken, opcode)
            client.send('["too late"]')
            self.assertEqual(client.frames(), [close_frame(3000, "Broken framing.")])
            client.close(3000)
            server.clock.advance(0)
            (protocol,) = server.protocols
            self.assertEqual(protocol.received, [])
            self.assertEqual(protocol.lost[0].value.code, 3000)
            self.assertEqual(server.resource.session_count, 0)

    def test_reused_session_id(self) -> None:
        """The session id means nothing: two WebSockets with one are two sessions."""
        server = Server()
        first, second = server.websocket(), server.websocket()
        first.send('["a"]')
        second.send('["b"]')
        self.assertEqual(first.texts(), ["o", 'a["a"]'])
        self.assertEqual(second.texts(), ["o", 'a["b"]'])

    def test_large_answer(self) -> None:
        """The limit is for what comes in: a larger message can be sent."""
        server = Server(max_message_size=1000)
        client = server.websocket()
        server.protocols[0].transport.write(b"x" * 2000)
        self.assertEqual(client.texts(), ["o", 'a["' + "x" * 2000 + '"]'])

    def test_first_message_closes(self) -> None:
        """An array whose first message closes the session (sockjs-node crashes of it)."""
        server = Server()
        client = server.websocket()
        protocol = server.protocols[0]
        protocol.dataReceived = lambda data: protocol.transport.loseConnection()
        client.send('["{}","{}"]')
        self.assertEqual(
            client.frames(),
            [
                (TEXT, b"o"),
                (TEXT, b'c[1000,"Normal closure"]'),
                close_frame(1000, "Normal closure"),
            ],
        )

    def test_protocol_raises(self) -> None:
        """A protocol that raises loses its connection, and nobody else notices."""
        server = Server()
        client = server.websocket()
        protocol = server.protocols[0]
        protocol.dataReceived = lambda data: 1 / 0
        client.send('["a"]')
        server.clock.advance(0)
        self.assertTrue(client.tcp.lost)
        self.assertEqual(len(protocol.lost), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(server.resource.session_count, 0)


class RawTests(SynchronousTestCase):
    """``/websocket``: the suite's ``RawWebsocket``."""

    def test_echo(self) -> None:
        """Messages as they are, without frames."""
        client = Server().websocket("/websocket")
        client.send("Hello world!\uffff")
        self.assertEqual(client.texts(), ["Hello world!\uffff"])

    def test_close(self) -> None:
        """The WebSocket's own close carries code and reason."""
        client = Server(Closer).websocket("/websocket")
        self.assertEqual(client.frames(), [close_frame(3000, "Go away!")])

    def test_only_text(self) -> None:
        """Binary messages and broken UTF-8 are refused, the latter as RFC 6455 has it."""
        for payload, opcode, closed in (
            (b"a", BINARY, close_frame(3000, "Only text in UTF-8 is understood.")),
            (b"\xff", TEXT, close_frame(1007, "a text message that is not UTF-8")),
        ):
            client = Server().websocket("/websocket")
            client.send(payload, opcode)
            self.assertEqual(client.frames(), [closed])

    def test_not_utf8(self) -> None:
        """Nor can anything but text be sent."""
        server = Server()
        server.websocket("/websocket")
        transport = server.protocols[0].transport
        self.assertRaises(InvalidData, transport.writeSequence, [b"a", b"\xff"])

    def test_write_sequence(self) -> None:
        """Each message is a WebSocket message."""
        server = Server()
        client = server.websocket("/websocket")
        server.protocols[0].transport.writeSequence([b"a", b"b"])
        self.assertEqual(client.texts(), ["a", "b"])
