"""
WebSockets of draft-hixie-thewebsocketprotocol-76: the suite's ``test_haproxy``, and on.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from .hixie76 import ANSWER, BODY, CLOSE, opened, text, upgrade
from .support import Recorder, Server


class HandshakeTests(SynchronousTestCase):
    """Section 5 of the draft."""

    def test_response_before_the_body(self) -> None:
        """haproxy passes the body on only when it has seen the response."""
        server = Server()
        connection = upgrade(server, "/0/a/websocket?x=1")
        head = connection.take()
        self.assertTrue(head.startswith(b"HTTP/1.1 101 WebSocket Protocol Handshake\r\n"), head)
        self.assertTrue(head.endswith(b"\r\n\r\n"), head)
        for line in (
            b"Upgrade: WebSocket",
            b"Connection: Upgrade",
            b"Sec-WebSocket-Origin: http://example.com",
            b"Sec-WebSocket-Location: ws://example.com/echo/0/a/websocket?x=1",
        ):
            self.assertIn(line + b"\r\n", head)
        self.assertEqual(server.protocols[0].made, 0)
        for byte in BODY[:-1]:
            connection.send(bytes([byte]))
        self.assertEqual(connection.take(), b"")
        connection.send(BODY[-1:])
        self.assertEqual(connection.take(), ANSWER + text("o"))
        self.assertEqual(server.protocols[0].made, 1)

    def test_second_example(self) -> None:
        """Section 1.2 of the draft, where more than digits and spaces are in the keys."""
        connection = upgrade(
            Server(),
            body=b"Tm[K T2u",
            Sec_WebSocket_Key1="18x 6]8vM;54 *(5:  {   U1]8  z [  8",
            Sec_WebSocket_Key2="1_ tx7X d  <  nw  334J702) 7]o}` 0",
        )
        self.assertIn(b"\r\n\r\nfQJ,fN/4F4!~K~MH" + text("o"), connection.take())

    def test_all_in_one_packet(self) -> None:
        """A client that waits for nothing loses nothing."""
        connection = upgrade(Server(), body=b"aaaaaaaa" + text('["a"]'))
        _, _, rest = connection.take().partition(b"\r\n\r\n")
        answer = b"\xca4\x00\xd8\xa5\x08G\x97,\xd5qZ\xba\xbfC{"
        self.assertEqual(rest, answer + text("o") + text('a["a"]'))

    def test_refused(self) -> None:
        """What is no handshake gets 400; nothing is built for it."""
        for headers in (
            {"Sec_WebSocket_Key1": "12345"},  # no space
            {"Sec_WebSocket_Key1": "1 2 3 4x"},  # 1234 is no multiple of 3
            {"Sec_WebSocket_Key1": " x "},
            {"Sec_WebSocket_Key1": "42 94967296"},  # more than 32 bits
            {"Sec_WebSocket_Key1": "1 " + "0" * 10_000},
            {"Sec_WebSocket_Key1": "\xb2 \xff"},
            {"Sec_WebSocket_Key2": None},
            {"Host": None},
            {"Origin": None},
            {"Content_Length": "8"},
            {"Connection": "close"},
            {"Upgrade": "h2c"},
        ):
            server = Server()
            response = upgrade(server, body=b"aaaaaaaa", **headers).response()
            self.assertEqual(response.status, 400, headers)
            self.assertEqual(server.protocols, [])

    def test_later_version(self) -> None:
        """Whoever offers a later version gets that, and no mixture."""
        response = upgrade(Server(), Sec_WebSocket_Version="13").response()
        self.assertEqual(response.status, 400)

    def test_origins(self) -> None:
        """Foreign pages are refused here too."""
        server = Server(allowed_origins=["http://other.example"])
        self.assertEqual(upgrade(server).response().status, 403)

    def test_no_body(self) -> None:
        """Whoever does not finish the handshake is dropped, and counted until then."""
        server = Server(heartbeat_timeout=10, max_sessions=1)
        connection = upgrade(server, body=b"aaaaaaa")
        self.assertEqual(upgrade(server).response().status, 503)
        server.clock.pump([9.9, 0.2, 0])
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(server.protocols[0].made, 0)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_lost_before_the_body(self) -> None:
        """A connection that breaks meanwhile leaves nothing."""
        server = Server()
        upgrade(server, body=b"a").drop()
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_closed_before_the_body(self) -> None:
        """A server that goes down does not wait for it."""
        server = Server()
        connection = upgrade(server)
        connection.take()
        done = server.resource.close_sessions()
        connection.send(b"aaaaaaaa")
        server.clock.advance(0)
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(connection.take(), b"")
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_keep_alive(self) -> None:
        """There are no pings: only the system can find out that a peer is dead."""
        server = Server()
        connection = server.connect()
        alive: list[bool] = []
        directlyProvides(connection.tcp, ITCPTransport)
        connection.tcp.setTcpKeepAlive = alive.append
        server.connect = lambda peer="": connection
        upgrade(server)
        self.assertEqual(alive, [True])


class MessageTests(SynchronousTestCase):
    """Section 4 of the draft."""

    def test_framed(self) -> None:
        """SockJS frames, one a message; empty ones mean nothing."""
        server = Server()
        connection = opened(server)
        connection.send(text('["a","ä"]') + text("") + text("[]") + text('"b"'))
        self.assertEqual(connection.take(), text('a["a"]') + text('a["ä"]') + text('a["b"]'))

    def test_raw(self) -> None:
        """``/websocket``: messages as they are."""
        server = Server()
        connection = upgrade(server, "/websocket", b"aaaaaaaa")
        connection.take()
        connection.send(text("ä\uffff") + text(""))
        self.assertEqual(connection.take(), text("ä\uffff") + text(""))
        info = server.protocols[0].transport.request_info
        self.assertEqual(info.transport, "websocket-raw")

    def test_byte_by_byte(self) -> None:
        """Nothing depends on how the bytes come."""
        server = Server()
        connection = opened(server)
        for byte in text('["é"]') * 2 + CLOSE:
            connection.send(bytes([byte]))
        self.assertEqual(server.protocols[0].received, ["é".encode()] * 2)
        self.assertTrue(connection.tcp.disconnecting)

    def test_not_utf8(self) -> None:
        """Text that is none ends the session, framed or raw."""
        for path, reason in (
            ("/0/a/websocket", "Broken framing."),
            ("/websocket", "Only text in UTF-8 is understood."),
        ):
            server = Server()
            connection = opened(server, path)
            connection.send(b'\x00["\xc3"]\xff' + text('["late"]'))
            self.assertEqual(connection.take(), CLOSE)
            server.clock.pump([5, 0])
            (protocol,) = server.protocols
            self.assertEqual(protocol.received, [])
            self.assertEqual(protocol.lost[0].value.reason, reason)
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_violations(self) -> None:
        """Whatever else begins with, it is the end, and what follows is not read."""
        for violation in (b"\x01a\xff", b"\x7f", b"\x80\x01a", b"\xff\x01", b"\xff\xff"):
            server = Server()
            connection = opened(server)
            connection.send(text('["a"]') + violation + text('["late"]'))
            connection.send(text('["late"]') + CLOSE)
            self.assertIn(connection.take(), (text('a["a"]') + CLOSE, b""), violation)
            server.clock.advance(0)
            (protocol,) = server.protocols
            self.assertEqual(protocol.received, [b"a"])
            protocol.lost[0].trap(ConnectionLost)
            self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_size(self) -> None:
        """A message may have ``max_message_size`` bytes, in however many pieces."""
        server = Server(Recorder, max_message_size=1000)
        connection = opened(server, "/websocket")
        connection.send(text("x" * 1000))
        connection.send(b"\x00" + b"x" * 600)
        connection.send(b"x" * 400)
        self.assertFalse(connection.tcp.disconnecting)
        connection.send(b"x")
        server.clock.advance(0)
        (protocol,) = server.protocols
        self.assertEqual([len(message) for message in protocol.received], [1000])
        protocol.lost[0].trap(ConnectionLost)
        self.assertEqual(connection.take(), CLOSE)

    def test_slow_reader(self) -> None:
        """What waits for a peer that does not read is counted, and the producer waits."""
        server = Server(Recorder, max_buffered=200_000)
        connection = opened(server)
        connection.tcp.stop_reading()
        transport = server.protocols[0].transport
        for _ in range(4):
            transport.write(b"x" * 100_000)
        server.clock.pump([5, 0])
        self.assertTrue(connection.tcp.lost)
        self.assertEqual(server.protocols[0].lost[0].value.code, 4001)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_heartbeat(self) -> None:
        """``h`` with SockJS frames, nothing without; and no pong is waited for."""
        for path, beat in (("/0/a/websocket", text("h")), ("/websocket", b"")):
            server = Server()
            connection = opened(server, path)
            for _ in range(2):
                server.clock.pump([24, 1])
                self.assertEqual(connection.take(), beat)
            server.clock.advance(20)
            self.assertFalse(connection.tcp.disconnecting)

    def test_pause(self) -> None:
        """A protocol that pauses gets nothing more, and the connection is not read."""
        server = Server()
        connection = opened(server)
        (protocol,) = server.protocols
        protocol.transport.pauseProducing()
        connection.send(text('["a"]'))
        self.assertEqual((protocol.received, connection.tcp.producerState), ([], "paused"))
        protocol.transport.resumeProducing()
        self.assertEqual((protocol.received, connection.tcp.producerState), ([b"a"], "producing"))
