"""
SockJS over WebSocket: the suite's ``Websocket`` and ``WebsocketHttpErrors`` sections.
"""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import SockJSClosed

from .support import ACCEPT, BINARY, PING, PONG, TEXT, Closer, Server, close_frame, encode_frame


class HandshakeTests(SynchronousTestCase):
    """Which requests become a WebSocket."""

    def test_accepted(self) -> None:
        """The handshake of RFC 6455, and nothing but headers before the first frame."""
        response = Server().upgrade().response()
        self.assertEqual(response.status, 101)
        self.assertEqual(response.headers["sec-websocket-accept"], ACCEPT)
        self.assertEqual(response.headers["connection"].lower(), "upgrade")
        self.assertEqual(response.headers["upgrade"].lower(), "websocket")
        self.assertNotIn("content-length", response.headers)

    def test_drafts(self) -> None:
        """Versions 7 and 8 differ from 13 in nothing but the number; so does Firefox 6."""
        for version in ("7", "8"):
            response = (
                Server()
                .upgrade(Sec_WebSocket_Version=version, Connection="keep-alive, Upgrade")
                .response()
            )
            self.assertEqual(response.status, 101)

    def test_refused(self) -> None:
        """What is no handshake gets 400 and the reason."""
        for headers, text in (
            ({"Upgrade": "h2c"}, b'Can "Upgrade" only to "WebSocket".'),
            ({"Connection": "close"}, b'"Connection" must be "Upgrade".'),
            ({"Sec_WebSocket_Version": "14"}, b"RFC 6455"),
            ({"Sec_WebSocket_Key": "short"}, b"Not a valid websocket request"),
        ):
            server = Server()
            response = server.upgrade(**headers).response()
            self.assertEqual(response.status, 400)
            self.assertIn(text, response.body)
            self.assertEqual(server.protocols, [])

    def test_plain_get(self) -> None:
        """A GET without Upgrade is no handshake."""
        response = Server().request("GET", "/0/0/websocket")
        self.assertEqual(response.status, 400)
        self.assertIn(b'Can "Upgrade" only to "WebSocket".', response.body)

    def test_http_10(self) -> None:
        """HTTP/1.0 knows no Upgrade."""
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        response = Server().request("GET", "/0/0/websocket", headers, version="1.0")
        self.assertEqual(response.status, 400)

    def test_post(self) -> None:
        """Any other method is 405, with what is allowed."""
        response = Server().request("POST", "/0/0/websocket")
        self.assertEqual(response.status, 405)
        self.assertEqual(response.headers["allow"], "GET")
        self.assertNotIn("content-type", response.headers)
        self.assertEqual(response.body, b"")

    def test_switched_off(self) -> None:
        """Without WebSockets their URLs do not exist, and info says so."""
        server = Server(websocket=False)
        self.assertEqual(server.upgrade().response().status, 404)
        self.assertEqual(server.upgrade("/websocket").response().status, 404)
        self.assertIn(b'"websocket":false', server.request("GET", "/info").body)

    def test_refused_by_the_factory(self) -> None:
        """A factory that builds no protocol refuses with 403; one that raises, with 500."""
        server = Server()
        server.factory.buildProtocol = lambda address: None
        self.assertEqual(server.upgrade().response().status, 403)
        server.factory.buildProtocol = lambda address: 1 / 0
        self.assertEqual(server.upgrade().response().status, 500)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(server.resource.session_count, 0)

    def test_frame_in_the_handshakes_packet(self) -> None:
        """A client that does not wait for the answer loses nothing."""
        server = Server()
        connection = server.connect()
        connection.send(
            b"GET /echo/0/0/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n" + encode_frame('["a"]', TEXT)
        )
        self.assertTrue(connection.take().endswith(b'a["a"]'))

    def test_request_info(self) -> None:
        """The protocol sees the request, and its repr holds no secret."""
        server = Server()
        connection = server.connect("10.1.2.3")
        connection.request(
            "GET",
            "/echo/000/abc/websocket?token=secret",
            {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "x3JJHMbDL1EzLkh9GBhXDw==",
                "Cookie": "secret=1",
            },
        )
        info = server.protocols[0].transport.request_info
        self.assertEqual(info.transport, "websocket")
        self.assertEqual(info.path, "/echo/000/abc/websocket")
        self.assertEqual(info.peer.host, "10.1.2.3")
        self.assertEqual(server.factory.addresses, [info.peer])
        self.assertEqual(info.headers.getRawHeaders("cookie"), ["secret=1"])
        self.assertNotIn("secret", repr(info) + repr(server.protocols[0].transport))


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
            (b'["\xff"]', TEXT),
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


class EndTests(SynchronousTestCase):
    """How a session over a WebSocket ends."""

    def test_closed_by_the_protocol(self) -> None:
        """``c`` with code and reason, then the WebSocket's close with 1000."""
        server = Server(Closer)
        client = server.websocket()
        self.assertEqual(
            client.frames(),
            [(TEXT, b"o"), (TEXT, b'c[3000,"Go away!"]'), close_frame(1000, "Normal closure")],
        )
        protocol = server.protocols[0]
        self.assertEqual(protocol.lost, [])
        client.close()
        self.assertTrue(client.tcp.disconnecting)
        self.assertFalse(client.tcp.aborting)
        server.clock.advance(0)
        (reason,) = protocol.lost
        self.assertEqual((reason.value.code, reason.value.reason), (3000, "Go away!"))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_close_unanswered(self) -> None:
        """A peer that does not answer the close is dropped when ``close_timeout`` is over."""
        server = Server(Closer, close_timeout=5)
        client = server.websocket()
        server.clock.advance(4.9)
        self.assertFalse(client.tcp.lost)
        server.clock.pump([0.2, 0])
        self.assertTrue(client.tcp.lost)
        self.assertEqual(server.protocols[0].lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_closed_by_the_client(self) -> None:
        """The close is answered, and the protocol hears the code."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.close(3001)
        self.assertEqual(client.frames(), [close_frame(1000)])
        server.clock.advance(0)
        (reason,) = server.protocols[0].lost
        reason.trap(SockJSClosed)
        self.assertEqual(reason.value.code, 3001)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_connection_lost(self) -> None:
        """A connection that breaks is lost, not closed."""
        server = Server()
        server.websocket().connection.drop()
        (reason,) = server.protocols[0].lost
        reason.trap(ConnectionLost)
        self.assertEqual(server.resource.session_count, 0)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_http_hears_of_the_end(self) -> None:
        """The HTTP request that was upgraded learns that its connection went."""
        server = Server()
        heard = []
        render = server.resource.render
        server.resource.render = lambda request: (
            request.notifyFinish().addErrback(heard.append),
            render(request),
        )[1]
        server.websocket().connection.drop()
        self.assertEqual(len(heard), 1)

    def test_no_websocket(self) -> None:
        """Bytes that are no WebSocket frames get a close frame that says why."""
        server = Server()
        client = server.websocket()
        client.frames()
        client.connection.send(b"\x81\x01a")  # not masked
        (closed,) = client.frames()
        self.assertEqual(closed, close_frame(1002, "unmasked client-to-server frame"))
        client.connection.send(b"\xff" * 100)
        server.clock.pump([5, 0])
        self.assertTrue(client.tcp.lost)
        server.protocols[0].lost[0].trap(ConnectionLost)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_write_after_the_end(self) -> None:
        """Writes after the end are ignored, as with TCP."""
        server = Server()
        client = server.websocket()
        client.connection.drop()
        transport = server.protocols[0].transport
        transport.write(b"a")
        transport.loseConnection()
        transport.abortConnection()
        self.assertEqual(server.clock.getDelayedCalls(), [])


class CloseSessionsTests(SynchronousTestCase):
    """A server that goes down in order."""

    def test_all_close(self) -> None:
        """Every session gets the code, and the Deferred fires when the last has ended."""
        server = Server()
        clients = [server.websocket() for _ in range(3)]
        for client in clients:
            client.frames()
        done = server.resource.close_sessions(3001, "Bye")
        for client in clients:
            self.assertIn((TEXT, b'c[3001,"Bye"]'), client.frames())
        self.assertNoResult(done)
        clients[0].close()
        clients[1].connection.drop()
        server.clock.advance(0)
        self.assertNoResult(done)
        self.assertEqual(server.upgrade().response().status, 503)
        server.clock.pump([5, 0])
        self.assertIsNone(self.successResultOf(done))
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_none(self) -> None:
        """Without sessions it is done at once, as often as one asks."""
        server = Server()
        self.assertIsNone(self.successResultOf(server.resource.close_sessions()))
        self.assertIsNone(self.successResultOf(server.resource.close_sessions()))


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
        """Binary messages and broken UTF-8 are refused."""
        for payload, opcode in ((b"a", BINARY), (b"\xff", TEXT)):
            client = Server().websocket("/websocket")
            client.send(payload, opcode)
            self.assertEqual(
                client.frames(), [close_frame(3000, "Only text in UTF-8 is understood.")]
            )

    def test_write_sequence(self) -> None:
        """Each message is a WebSocket message."""
        server = Server()
        client = server.websocket("/websocket")
        server.protocols[0].transport.writeSequence([b"a", b"b"])
        self.assertEqual(client.texts(), ["a", "b"])


class HeartbeatTests(SynchronousTestCase):
    """``h`` frames and pings; who answers neither is dead."""

    def test_alive(self) -> None:
        """Every 25 seconds an ``h`` and a ping; a pong is enough."""
        server = Server()
        client = server.websocket()
        client.frames()
        for _ in range(3):
            server.clock.advance(25)
            self.assertEqual(client.frames(), [(TEXT, b"h"), (PING, b"")])
            client.send(b"", PONG)
        server.clock.advance(10)
        self.assertEqual(client.frames(), [])
        self.assertGreater(server.protocols[0].transport.heard, 2)

    def test_dead(self) -> None:
        """Without any answer in 10 seconds the session is closed, and then dropped."""
        server = Server()
        client = server.websocket()
        client.frames()
        server.clock.advance(25)
        client.frames()
        server.clock.advance(10)
        self.assertEqual(client.frames()[0], (TEXT, b'c[3000,"No response from heartbeat"]'))
        server.clock.pump([5, 0])
        self.assertEqual(server.protocols[0].lost[0].value.code, 3000)
        self.assertEqual(server.clock.getDelayedCalls(), [])

    def test_any_byte_counts(self) -> None:
        """Half a frame shows life: a slow upload is not silence."""
        server = Server()
        client = server.websocket()
        server.clock.advance(25)
        client.connection.send(b"\x81")
        server.clock.advance(10)
        self.assertFalse(client.tcp.disconnecting)
        self.assertNotIn((TEXT, b'c[3000,"No response from heartbeat"]'), client.frames())

    def test_raw(self) -> None:
        """A raw WebSocket has no ``h``, only the ping."""
        server = Server()
        client = server.websocket("/websocket")
        server.clock.advance(25)
        self.assertEqual(client.frames(), [(PING, b"")])
        server.clock.advance(10)
        self.assertEqual(client.frames(), [close_frame(3000, "No response from heartbeat")])
