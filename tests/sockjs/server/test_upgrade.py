"""
Which requests become a WebSocket: the suite's ``WebsocketHttpErrors`` and handshakes.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.websocket import ACCEPT, TEXT, encode_frame

from .support import Server


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

    def test_connection_of_several_tokens(self) -> None:
        """Firefox sends ``keep-alive, Upgrade``."""
        response = Server().upgrade(Connection="keep-alive, Upgrade").response()
        self.assertEqual(response.status, 101)

    def test_other_versions(self) -> None:
        """
        Drafts, versions to come, and none at all get 426, which names the version that is
        understood: RFC 6455, section 4.2.2.
        """
        for version in ("7", "8", "14", "13, 8", None):
            server = Server()
            connection = server.upgrade(Sec_WebSocket_Version=version)
            response = connection.response()
            self.assertEqual(response.status, 426)
            self.assertEqual(response.headers["sec-websocket-version"], "13")
            self.assertEqual(response.headers["upgrade"], "websocket")
            self.assertEqual(response.headers["connection"], "Upgrade")
            self.assertIn(b"RFC 6455", response.body)
            self.assertEqual(server.protocols, [])
            self.assertFalse(connection.tcp.disconnecting)

    def test_hixie76(self) -> None:
        """The handshake of draft-hixie-thewebsocketprotocol-76 names no version: 426."""
        server = Server()
        response = server.upgrade(
            Sec_WebSocket_Version=None,
            Sec_WebSocket_Key=None,
            Sec_WebSocket_Key1="4 @1  46546xW%0l 1 5",
            Sec_WebSocket_Key2="12998 5 Y3 1  .P00",
            Origin="http://example.com",
        ).response()
        self.assertEqual(response.status, 426)
        self.assertEqual(server.protocols, [])

    def test_refused(self) -> None:
        """What is no handshake gets 400 and the reason."""
        for headers, text in (
            ({"Upgrade": "h2c"}, b'Can "Upgrade" only to "WebSocket".'),
            ({"Connection": "close"}, b'"Connection" must be "Upgrade".'),
            ({"Sec_WebSocket_Key": "short"}, b"Not a valid websocket request"),
        ):
            server = Server()
            response = server.upgrade(**headers).response()
            self.assertEqual(response.status, 400)
            self.assertIn(text, response.body)
            self.assertEqual(server.protocols, [])

    def test_no_text(self) -> None:
        """Headers that are not UTF-8 are no handshake, and no error of the server's."""
        for name, status in (
            (b"Upgrade", 400),
            (b"Connection", 400),
            (b"Sec-WebSocket-Version", 426),
            (b"Sec-WebSocket-Key", 400),
        ):
            connection = Server().connect()
            connection.send(
                b"GET /echo/0/0/websocket HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n".replace(
                    name + b":", name + b": \xff"
                )
            )
            self.assertEqual(connection.response().status, status)

    def test_origin_no_text(self) -> None:
        """An origin that is not UTF-8 is nobody's."""
        connection = Server(allowed_origins=["http://a"]).connect()
        connection.send(b"GET /echo/info HTTP/1.1\r\nHost: a\r\nOrigin: \xff\r\n\r\n")
        self.assertEqual(connection.response().status, 403)

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
                "X-Forwarded-For": "fe80::1\r\nX-Forwarded-For: 10.0.0.2",
                "X-Empty": "",
            },
        )
        info = server.protocols[0].transport.request_info
        self.assertEqual(info.transport, "websocket")
        self.assertEqual(info.path, "/echo/000/abc/websocket")
        self.assertEqual(info.peer.host, "10.1.2.3")
        self.assertEqual(server.factory.addresses, [info.peer])
        self.assertEqual(info.headers.getRawHeaders("cookie"), ["secret=1"])
        forwarded = info.headers.getRawHeaders("x-forwarded-for")
        self.assertEqual(forwarded, ["fe80::1", "10.0.0.2"])
        self.assertEqual(info.headers.getRawHeaders("x-empty"), [""])
        self.assertNotIn("secret", repr(info) + repr(server.protocols[0].transport))
