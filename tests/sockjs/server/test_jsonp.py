"""
Polling by scripts: the suite's ``JsonPolling``.
"""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

from twisted.trial.unittest import SynchronousTestCase

from tests.kit.http import Response
from tests.kit.turns import python_calls

from .support import Closer, Recorder, Server
from .test_pages import NOT_CACHED

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def poll(server: Server) -> bytes:
    """The script of one poll."""
    response = server.request("GET", "/000/abc/jsonp?c=x")
    assert response.complete
    return response.body


def send(server: Server, body: bytes, headers: dict[str, str] | None = None) -> Response:
    """A form with messages."""
    return server.request("POST", "/000/abc/jsonp_send", headers or FORM, body)


class JsonpTests(SynchronousTestCase):
    """``/jsonp`` and ``/jsonp_send``."""

    def test_echo(self) -> None:
        """A call of the callback for a frame; ``ok`` for a form."""
        server = Server()
        response = server.request("GET", "/000/abc/jsonp?c=%63allback")
        self.assertEqual(response.body, b'/**/callback("o");\r\n')
        self.assertEqual(response.headers["content-type"], "application/javascript; charset=UTF-8")
        self.assertEqual(response.headers["cache-control"], NOT_CACHED)
        self.assertEqual(response.headers["x-content-type-options"], "nosniff")
        response = send(server, b"d=%5B%22x%22%5D")
        self.assertEqual((response.status, response.body), (200, b"ok"))
        self.assertEqual(response.headers["content-type"], "text/plain; charset=UTF-8")
        self.assertEqual(response.headers["cache-control"], NOT_CACHED)
        self.assertEqual(poll(server), b'/**/x("a[\\"x\\"]");\r\n')

    def test_content_types(self) -> None:
        """A form is decoded, any other body is the frame itself."""
        server = Server()
        poll(server)
        send(server, b"d=%5B%22abc%22%5D", {"Content-Type": FORM["Content-Type"] + "; a=b"})
        send(server, b'["%61bc"]', {"Content-Type": "text/plain"})
        self.assertEqual(poll(server), b'/**/x("a[\\"abc\\",\\"%61bc\\"]");\r\n')

    def test_text(self) -> None:
        """Whatever text there is, in the form as browsers write it."""
        server = Server()
        poll(server)
        for body in (b"d=%5B%22%C3%A9%E2%82%AC%22%5D", 'd=["é€"]'.encode()):
            self.assertEqual(send(server, body).body, b"ok")
            self.assertEqual(poll(server), '/**/x("a[\\"é€\\"]");\r\n'.encode())

    def test_escapes(self) -> None:
        """Every byte in every form, and no function call for each of many."""
        server = Server()
        poll(server)
        text = "".join(map(chr, range(256))) + "\\x41\\u0041\\\\"
        for quoted in (
            quote(json.dumps([text])),
            quote_plus(json.dumps([text], ensure_ascii=False)),
        ):
            self.assertEqual(send(server, f"x=1&d={quoted}&d=2".encode()).body, b"ok")
            frame = json.loads(poll(server).decode()[len("/**/x(") : -len(");\r\n")])
            self.assertEqual(json.loads(frame[1:]), [text])
        many = b"d=%5B%22" + b"%61" * 50_000 + b"%22%5D"
        self.assertLess(python_calls(send, server, many), 5000)
        self.assertIn("a" * 50_000, poll(server).decode())

    def test_broken(self) -> None:
        """What is no frame gets 500 and the reason, and the session goes on."""
        server = Server()
        poll(server)
        for body, text in (
            (b"d=%5B%22x", b"Broken JSON encoding."),
            (b"", b"Payload expected."),
            (b"d=", b"Payload expected."),
            (b"p=p", b"Payload expected."),
            (b"a&" * 50, b"Payload expected."),
            (b"d=[\xff]", b"Payload expected."),
            (b"d=%5B%22%2%22%5D", b"Payload expected."),
            (b"d=%5B%22%g0%22%5D", b"Payload expected."),
            (b"d=%5B%22%FF", b"Broken JSON encoding."),
        ):
            response = send(server, body)
            self.assertEqual((response.status, response.body), (500, text))
        self.assertEqual(send(server, b"d=%5B%5D").body, b"ok")
        self.assertEqual(send(server, b"d=%5B%22b%22%5D").body, b"ok")
        self.assertEqual(poll(server), b'/**/x("a[\\"b\\"]");\r\n')

    def test_no_session(self) -> None:
        """404 for a session that is not there."""
        self.assertEqual(send(Server(), b"d=%5B%5D").status, 404)

    def test_callback(self) -> None:
        """A callback is needed, and cannot be a script."""
        for path, text in (
            ("/a/a/jsonp", b'"callback" parameter required'),
            ("/a/a/jsonp?c=%20", b'invalid "callback" parameter'),
            ("/a/a/jsonp?c=*", b'invalid "callback" parameter'),
            ("/a/a/jsonp?c=abc%28", b'invalid "callback" parameter'),
        ):
            response = Server().request("GET", path)
            self.assertEqual(response.status, 500)
            self.assertEqual(response.body, text)

    def test_no_way_out(self) -> None:
        """Nothing in a message ends the string."""
        server = Server(Recorder)
        poll(server)
        server.protocols[0].transport.write(b'");alert(1)//</script>')
        self.assertEqual(
            poll(server), b'/**/x("a[\\"\\\\\\");alert(1)//\\u003c/script>\\"]");\r\n'
        )

    def test_close(self) -> None:
        """Every later poll hears of the close."""
        server = Server(Closer)
        poll(server)
        for _ in range(2):
            self.assertEqual(poll(server), b'/**/x("c[3000,\\"Go away!\\"]");\r\n')
