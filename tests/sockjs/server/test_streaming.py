"""
Responses of many frames: the suite's ``XhrStreaming``, ``EventSource`` and ``HtmlFile``.
"""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import Request

from txtokensock.sockjs.server.framing import XHR_POLLING
from txtokensock.sockjs.server.stream import FrameStream

from .support import Closer, Recorder, Server
from .test_pages import NOT_CACHED


class BufferingTests(SynchronousTestCase):
    """What answers say to proxies that buffer."""

    def test_not_buffered(self) -> None:
        """What streams asks nginx not to keep it; a poll, which is whole at once, does not."""
        server = Server()
        for method, path, asked in (
            ("POST", "/000/a/xhr_streaming", "no"),
            ("GET", "/000/b/eventsource", "no"),
            ("GET", "/000/c/htmlfile?c=f", "no"),
            ("POST", "/000/d/xhr", None),
            ("GET", "/000/e/jsonp?c=f", None),
        ):
            headers = server.open(method, path).response().headers
            self.assertEqual(headers.get("x-accel-buffering"), asked, path)


class Stream:
    """What HTTP/2 gives a request for a channel: it has no transport, and can be aborted."""

    transport = None
    aborted = False

    def getPeer(self) -> None:
        return None

    getHost = getPeer

    def abortConnection(self) -> None:
        self.aborted = True


class AbortTests(SynchronousTestCase):
    """The end of a response that nobody waits for."""

    def test_over_http_2(self) -> None:
        """A response that has no transport of its own is aborted as a stream of its connection."""
        channel = Stream()
        FrameStream(Request(channel), XHR_POLLING, 1000).abort()
        self.assertTrue(channel.aborted)


class XhrStreamingTests(SynchronousTestCase):
    """``/xhr_streaming``."""

    def test_echo(self) -> None:
        """Two kilobytes of prelude, then a frame a line, each in a chunk of its own."""
        server = Server()
        stream = server.open("POST", "/000/abc/xhr_streaming", {"Origin": "test"})
        headers = stream.response().headers
        self.assertEqual(headers["content-type"], "application/javascript; charset=UTF-8")
        self.assertEqual(headers["access-control-allow-origin"], "test")
        self.assertEqual(headers["cache-control"], NOT_CACHED)
        server.send('["x"]')
        server.send('["y"]')
        self.assertEqual(stream.chunks(), [b"h" * 2048 + b"\n", b"o\n", b'a["x"]\n', b'a["y"]\n'])

    def test_response_limit(self) -> None:
        """The response ends with the frame that fills it, and the next one goes on."""
        server = Server(response_limit=4096)
        stream = server.open("POST", "/000/abc/xhr_streaming")
        message = '["' + "x" * 128 + '"]'
        for _ in range(31):
            self.assertEqual(server.send(message), 204)
        self.assertEqual(stream.chunks()[2:], [f"a{message}\n".encode()] * 31 + [b""])
        server.send('["y"]')
        stream = server.open("POST", "/000/abc/xhr_streaming")
        self.assertEqual(stream.chunks()[1:], [b'a["y"]\n'])
        self.assertEqual(len(server.protocols), 1)

    def test_http_10(self) -> None:
        """HTTP/1.0 has no chunks: the end of the connection is the end."""
        server = Server(Closer)
        stream = server.open("POST", "/000/abc/xhr_streaming", version="1.0")
        response = stream.response()
        self.assertNotIn("transfer-encoding", response.headers)
        self.assertNotIn("content-length", response.headers)
        self.assertEqual(response.body[2049:], b'o\nc[3000,"Go away!"]\n')
        self.assertTrue(stream.tcp.lost)

    def test_close(self) -> None:
        """The close frame ends the response, and later ones."""
        server = Server(Closer)
        first = server.open("POST", "/000/abc/xhr_streaming")
        self.assertEqual(first.chunks()[1:], [b"o\n", b'c[3000,"Go away!"]\n', b""])
        second = server.open("POST", "/000/abc/xhr_streaming")
        self.assertEqual(second.chunks()[1:], [b'c[3000,"Go away!"]\n', b""])

    def test_another_connection(self) -> None:
        """A second request while one is open is told so, and the first goes on."""
        server = Server()
        first = server.open("POST", "/000/abc/xhr_streaming")
        second = server.open("POST", "/000/abc/xhr_streaming")
        self.assertEqual(second.chunks()[1:], [b'c[2010,"Another connection still open"]\n', b""])
        second.drop()
        server.send('["x"]')
        self.assertEqual(first.chunks()[2:], [b'a["x"]\n'])

    def test_broken_off(self) -> None:
        """A response that breaks ends the session: nobody knows what has arrived."""
        server = Server()
        server.open("POST", "/000/abc/xhr_streaming").drop()
        (reason,) = server.protocols[0].lost
        self.assertIn("connection of a response was lost", str(reason.value))
        self.assertEqual(server.resource.session_count, 0)
        again = server.open("POST", "/000/abc/xhr_streaming")
        self.assertEqual(again.chunks()[1:], [b'c[1002,"Connection interrupted"]\n', b""])
        self.assertEqual(server.send('["x"]'), 204)
        server.clock.advance(5)
        self.assertEqual(server.clock.getDelayedCalls(), [])
        self.assertEqual(server.send('["x"]'), 404)


class EventSourceTests(SynchronousTestCase):
    """``/eventsource``."""

    def test_echo(self) -> None:
        """A line break first, then events."""
        server = Server()
        stream = server.open("GET", "/000/abc/eventsource")
        headers = stream.response().headers
        self.assertEqual(headers["content-type"], "text/event-stream")
        self.assertEqual(headers["cache-control"], NOT_CACHED)
        server.send(r'["  \u0000\n\r "]')
        self.assertEqual(
            stream.chunks(),
            [b"\r\n", b"data: o\r\n\r\n", b'data: a["  \\u0000\\n\\r "]\r\n\r\n'],
        )

    def test_percent(self) -> None:
        """Clients decode events with decodeURI, which a bare percent sign would break."""
        server = Server()
        stream = server.open("GET", "/000/abc/eventsource")
        server.send('["100 % %41"]')
        self.assertEqual(stream.chunks()[2:], [b'data: a["100 %25 %2541"]\r\n\r\n'])

    def test_response_limit(self) -> None:
        """The response ends when it is full."""
        server = Server(response_limit=4096)
        stream = server.open("GET", "/000/abc/eventsource")
        server.send(json.dumps(["x" * 4096]))
        self.assertEqual(stream.chunks()[-1], b"")


class HtmlFileTests(SynchronousTestCase):
    """``/htmlfile``."""

    def test_echo(self) -> None:
        """A page of more than a kilobyte, then scripts."""
        server = Server()
        stream = server.open("GET", "/000/abc/htmlfile?c=%63allback")
        headers = stream.response().headers
        self.assertEqual(headers["content-type"], "text/html; charset=UTF-8")
        self.assertEqual(headers["cache-control"], NOT_CACHED)
        server.send('["x"]')
        page, *scripts = stream.chunks()
        self.assertGreater(len(page), 1024)
        self.assertIn(b"var c = parent.callback;\n", page)
        self.assertEqual(
            scripts,
            [
                b'<script>\np("o");\n</script>\r\n',
                b'<script>\np("a[\\"x\\"]");\n</script>\r\n',
            ],
        )

    def test_no_way_out(self) -> None:
        """Nothing in a message ends the script or its string."""
        server = Server(Recorder)
        stream = server.open("GET", "/000/abc/htmlfile?c=a")
        server.protocols[0].transport.write('</script><!-- " \\ \u2028'.encode())
        server.clock.advance(0)
        script = stream.chunks()[-1]
        text = script.removeprefix(b"<script>\np(").removesuffix(b");\n</script>\r\n")
        self.assertNotIn(b"<", text)
        self.assertNotIn("\u2028".encode(), text)
        self.assertEqual(json.loads(json.loads(text)[1:]), ['</script><!-- " \\ \u2028'])

    def test_callback(self) -> None:
        """A callback is needed, and cannot be a script."""
        for path, text in (
            ("/a/a/htmlfile", b'"callback" parameter required'),
            ("/a/a/htmlfile?c=%20", b'invalid "callback" parameter'),
            ("/a/a/htmlfile?callback=abc(", b'invalid "callback" parameter'),
            ("/a/a/htmlfile?c=" + "a" * 33, b'invalid "callback" parameter'),
        ):
            server = Server()
            response = server.request("GET", path)
            self.assertEqual(response.status, 500)
            self.assertIn(text, response.body)
            self.assertEqual(server.protocols, [])

    def test_response_limit(self) -> None:
        """The response ends when it is full."""
        server = Server(response_limit=4096)
        stream = server.open("GET", "/000/abc/htmlfile?c=a")
        server.send(json.dumps(["x" * 4096]))
        self.assertEqual(stream.chunks()[-1], b"")
