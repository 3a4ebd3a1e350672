"""
Polling by xhr: the suite's ``XhrPolling``, ``Protocol``, ``JSONEncoding`` and Jsessionid.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.http import request
from txtokensock.errors import InvalidData

from .support import Closer, Recorder, Server
from .test_pages import NOT_CACHED


class PollTests(SynchronousTestCase):
    """``/xhr``: one frame a response."""

    def test_echo(self) -> None:
        """``o`` at once, then what was sent."""
        server = Server()
        response = server.request("POST", "/000/abc/xhr", {"Origin": "test"})
        self.assertEqual(response.body, b"o\n")
        self.assertEqual(response.headers["content-type"], "application/javascript; charset=UTF-8")
        self.assertEqual(response.headers["access-control-allow-origin"], "test")
        self.assertEqual(response.headers["cache-control"], NOT_CACHED)
        self.assertEqual(server.send('["a"]'), 204)
        self.assertEqual(server.poll(), b'a["a"]\n')

    def test_waits(self) -> None:
        """A poll without anything to say waits for it."""
        server = Server()
        server.poll()
        connection = server.open("POST", "/000/abc/xhr")
        self.assertEqual(connection.response().status, 0)
        server.send('["a"]')
        self.assertEqual(connection.response().body, b'a["a"]\n')
        self.assertTrue(connection.response().complete)

    def test_merged(self) -> None:
        """What was written in one turn, and while nobody asked, goes in one frame."""
        server = Server(Recorder)
        server.poll()
        transport = server.protocols[0].transport
        transport.write(b"a")
        transport.writeSequence([b"b", "ä".encode()])
        self.assertEqual(server.poll(), 'a["a","b","ä"]\n'.encode())
        connection = server.open("POST", "/000/abc/xhr")
        transport.write(b"c")
        transport.write(b"d")
        server.clock.advance(0)
        self.assertEqual(connection.response().body, b'a["c","d"]\n')

    def test_answer_of_the_same_read(self) -> None:
        """What a request provokes leaves with it, in one frame, and not a turn later."""
        server = Server()
        server.poll()
        poll = server.open("POST", "/000/abc/xhr")
        send = request("POST", "/echo/000/abc/xhr_send", body=b'["a","b"]')
        server.connect().tcp.protocol.dataReceived(send)
        self.assertEqual(poll.response().body, b'a["a","b"]\n')

    def test_large(self) -> None:
        """What waits is sent in frames of ``response_limit`` bytes, or one message."""
        server = Server(Recorder, response_limit=100)
        server.poll()
        for _ in range(3):
            server.protocols[0].transport.write(b"x" * 60)
        self.assertEqual(len(json.loads(server.poll()[1:])), 2)
        self.assertEqual(len(json.loads(server.poll()[1:])), 1)

    def test_server_id(self) -> None:
        """The server's name means nothing."""
        server = Server()
        server.poll("/000/abc")
        self.assertEqual(server.send('["a"]', "/111/abc"), 204)
        self.assertEqual(server.poll("/999/abc"), b'a["a"]\n')

    def test_other_session(self) -> None:
        """The session's name means all."""
        server = Server()
        self.assertEqual(server.poll("/0/a"), b"o\n")
        self.assertEqual(server.poll("/0/b"), b"o\n")
        self.assertEqual(server.resource.session_count, 2)

    def test_names(self) -> None:
        """A name may be anything that is a segment without a dot."""
        for name in ("_", "1", "abcdefg_i-j%20", "%2f", "%ff"):
            self.assertEqual(Server().poll(f"/{name}/{name}"), b"o\n")

    def test_write_in_connection_made(self) -> None:
        """What the protocol writes first comes after ``o``."""

        class Talker(Recorder):
            def connectionMade(self) -> None:
                self.transport.write(b"hi")

        server = Server(Talker)
        self.assertEqual(server.poll(), b"o\n")
        self.assertEqual(server.poll(), b'a["hi"]\n')

    def test_not_utf8(self) -> None:
        """A message that is no text is refused when it is written."""
        server = Server(Recorder)
        server.poll()
        self.assertRaises(InvalidData, server.protocols[0].transport.write, b"\xff")

    def test_refused_by_the_factory(self) -> None:
        """No protocol, no session."""
        server = Server()
        server.factory.buildProtocol = lambda address: None
        self.assertEqual(server.request("POST", "/0/a/xhr").status, 403)
        self.assertEqual(server.resource.session_count, 0)

    def test_request_info(self) -> None:
        """The protocol sees the request that opened the session."""
        server = Server()
        server.open("POST", "/0/a/xhr", {"User-Agent": "test"}, peer="10.1.2.3")
        transport = server.protocols[0].transport
        info = transport.request_info
        self.assertEqual((info.transport, info.path), ("xhr-polling", "/echo/0/a/xhr"))
        self.assertEqual(info.headers.getRawHeaders("user-agent"), ["test"])
        self.assertEqual(transport.getPeer().host, "10.1.2.3")
        self.assertEqual(transport.getHost(), info.host)
        self.assertFalse(info.secure)

    def test_pipelined(self) -> None:
        """One connection serves a session, request after request."""
        server = Server()
        connection = server.connect()
        connection.request("POST", "/echo/0/a/xhr")
        connection.take()
        connection.request("POST", "/echo/0/a/xhr_send", body=b'["a"]')
        self.assertEqual(connection.response().status, 204)
        connection.take()
        self.assertEqual(connection.request("POST", "/echo/0/a/xhr").body, b'a["a"]\n')


class SendTests(SynchronousTestCase):
    """``/xhr_send``."""

    def test_answer(self) -> None:
        """204 with a type, because Firefox asks for one, and CORS."""
        server = Server()
        server.poll()
        response = server.request("POST", "/000/abc/xhr_send", {"Origin": "test"}, b'["a","b"]')
        self.assertEqual(response.status, 204)
        self.assertEqual(response.headers["content-type"], "text/plain; charset=UTF-8")
        self.assertNotIn("content-length", response.headers)
        self.assertEqual(response.headers["access-control-allow-origin"], "test")
        self.assertEqual(response.headers["cache-control"], NOT_CACHED)
        self.assertEqual(server.protocols[0].received, [b"a", b"b"])

    def test_no_session(self) -> None:
        """404 for a session that is not there."""
        self.assertEqual(Server().send('["a"]'), 404)

    def test_broken(self) -> None:
        """What is no frame gets 500 and the reason, and the session goes on."""
        server = Server()
        server.poll()
        for body, text in (
            (b"", b"Payload expected."),
            (b'["x', b"Broken JSON encoding."),
            (b"[{}]", b"Broken JSON encoding."),
            (b"{}", b"Broken JSON encoding."),
            (b'["\xff"]', b"Broken JSON encoding."),
            (b"[" * 100000, b"Broken JSON encoding."),
        ):
            response = server.request("POST", "/000/abc/xhr_send", body=body)
            self.assertEqual(response.status, 500)
            self.assertEqual(response.body, text)
        self.assertEqual(server.send('["a"]'), 204)
        self.assertEqual(server.poll(), b'a["a"]\n')

    def test_nothing(self) -> None:
        """An empty array is a sign of life, and no message."""
        server = Server()
        server.poll()
        heard = server.protocols[0].transport.frames_received
        self.assertEqual(server.send("[]"), 204)
        self.assertEqual(server.protocols[0].received, [])
        self.assertGreater(server.protocols[0].transport.frames_received, heard)

    def test_content_types(self) -> None:
        """The content type means nothing, nor does a bare text instead of an array."""
        server = Server()
        server.poll()
        for content_type in ("text/plain", "T", "application/json", "", "text/xml; charset=utf-8"):
            response = server.request(
                "POST", "/000/abc/xhr_send", {"Content-Type": content_type}, b'"a"'
            )
            self.assertEqual(response.status, 204)
        self.assertEqual(server.poll(), b'a["a","a","a","a","a"]\n')

    def test_first_message_closes(self) -> None:
        """An array whose first message closes the session."""
        server = Server(Recorder)
        server.poll()
        protocol = server.protocols[0]
        protocol.dataReceived = lambda data: protocol.transport.loseConnection()
        self.assertEqual(server.send('["{}","{}"]'), 204)
        self.assertEqual(server.poll(), b'c[1000,"Normal closure"]\n')

    def test_protocol_raises(self) -> None:
        """A protocol that raises loses its session; the client hears of it."""
        server = Server(Recorder)
        server.poll()
        server.protocols[0].dataReceived = lambda data: 1 / 0
        self.assertEqual(server.send('["a"]'), 204)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(len(server.protocols[0].lost), 1)
        self.assertEqual(server.poll(), b'c[1002,"Connection interrupted"]\n')


class EncodingTests(SynchronousTestCase):
    """Characters that browsers mangle in HTTP responses are escaped."""

    mangled = "".join(
        chr(code)
        for first, last in ((0, 0x1F), (0x200C, 0x200F), (0x2028, 0x202F), (0x2060, 0x206F))
        for code in range(first, last + 1)
    ) + "".join(chr(code) for code in range(0xFFF0, 0x10000))

    def test_escaped(self) -> None:
        """They go as escapes, their neighbours as they are, and all arrives."""
        server = Server()
        server.poll()
        text = self.mangled + "\u200b\u2010\u2030\u2070\uffef\U00010000ä"
        server.send(json.dumps([text]))
        body = server.poll().decode()
        self.assertEqual(json.loads(body[1:]), [text])
        for character in self.mangled:
            self.assertNotIn(character, body[:-1])
        self.assertIn("\\u2028", body)
        self.assertIn("\u200b\u2010\u2030\u2070\uffef\U00010000ä", body)

    def test_half_pairs(self) -> None:
        """Half of a surrogate pair arrives as the replacement character."""
        server = Server()
        server.poll()
        server.send('["\\ud800"]')
        self.assertEqual(server.poll(), b'a["\\ufffd"]\n')


class PreflightTests(SynchronousTestCase):
    """OPTIONS on a session's URLs."""

    def test_options(self) -> None:
        """Any session, even none, is allowed to be asked."""
        for name in ("xhr", "xhr_send", "xhr_streaming"):
            server = Server()
            response = server.request(
                "OPTIONS",
                "/a/b/" + name,
                {"Origin": "test", "Access-Control-Request-Headers": ""},
            )
            self.assertEqual(response.status, 204)
            self.assertEqual(response.headers["access-control-allow-methods"], "OPTIONS, POST")
            self.assertNotIn("access-control-allow-headers", response.headers)
            self.assertEqual(server.protocols, [])


class CookieTests(SynchronousTestCase):
    """``JSESSIONID``, for load balancers."""

    paths = (
        ("POST", "/a/a/xhr"),
        ("POST", "/a/a/xhr_streaming"),
        ("GET", "/a/a/eventsource"),
        ("GET", "/a/a/htmlfile?c=a"),
        ("GET", "/a/a/jsonp?c=a"),
    )

    def test_set(self) -> None:
        """Sessions set it, or send back the one they get; info does not."""
        for method, path in self.paths:
            server = Server(cookie_needed=True)
            response = server.request(method, path)
            self.assertEqual(response.headers["set-cookie"], "JSESSIONID=dummy; path=/")
            path = path.replace("/a/a", "/a/b")
            echoed = server.request(method, path, {"Cookie": "a=b; JSESSIONID=abcdef"})
            self.assertEqual(echoed.headers["set-cookie"], "JSESSIONID=abcdef; path=/")
            info = server.request("GET", "/info")
            self.assertNotIn("set-cookie", info.headers)
            self.assertIn(b'"cookie_needed":true', info.body)

    def test_sending(self) -> None:
        """Requests with messages set it too."""
        server = Server(cookie_needed=True)
        server.poll()
        response = server.request("POST", "/000/abc/xhr_send", body=b"[]")
        self.assertEqual(response.headers["set-cookie"], "JSESSIONID=dummy; path=/")

    def test_not_set(self) -> None:
        """By default there is none."""
        for method, path in self.paths:
            self.assertNotIn("set-cookie", Server().request(method, path).headers)


class CloseTests(SynchronousTestCase):
    """A protocol that closes."""

    def test_close(self) -> None:
        """Every later poll hears how, for a while."""
        server = Server(Closer)
        self.assertEqual(server.poll(), b"o\n")
        for _ in range(3):
            self.assertEqual(server.poll(), b'c[3000,"Go away!"]\n')
        (reason,) = server.protocols[0].lost
        self.assertEqual(reason.value.code, 3000)
        server.clock.advance(5)
        self.assertEqual(server.poll(), b"o\n")

    def test_messages_first(self) -> None:
        """What was written before the close is sent before it."""
        server = Server(Recorder)
        server.poll()
        transport = server.protocols[0].transport
        transport.write(b"a")
        transport.loseConnection()
        transport.write(b"too late")
        self.assertEqual(server.poll(), b'a["a"]\n')
        self.assertEqual(server.poll(), b'c[1000,"Normal closure"]\n')
