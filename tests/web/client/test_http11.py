"""
HTTP/1.1 as the client reads it: whatever it is, however it is cut, and within which bounds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import pairwise

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.web.client.http11 import HTTP11, LONGEST_HEAD, BadResponse, HeadTooLong

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

RESPONSES = [
    OK + b"Content-Length: 5\r\n\r\n12345",
    CHUNKED + b"5\r\n12345\r\n3;x=y\r\nabc\r\n0\r\nTrailer: x\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + CHUNKED + b"0\r\n\r\n",
    b"HTTP/1.0 200\r\n\r\nuntil the end",
    b"HTTP/1.1 204 None\nX: \xe9\n  folded\n\n",
    OK + b"Content-Length: 3\r\n\r\n123" + b"behind",
    OK + b"no colon\r\n\r\n",
    CHUNKED + b"zz\r\n",
    CHUNKED + b"5\r\n12345no\r\n",
    b"HTTP/1.1 2",
    b"\x15\x03\x01\x00\x02",
]


def asked() -> HTTP11:
    """A connection on which a request was sent."""
    http = HTTP11()
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "a.test")]))
    http.send(h11.EndOfMessage())
    return http


def ask_again(http: HTTP11) -> None:
    """Send another request on it."""
    http.start_next_cycle()
    http.send(h11.Request(method="GET", target="/", headers=[("Host", "a.test")]))
    http.send(h11.EndOfMessage())


def read(http: HTTP11, pieces: Iterable[bytes]) -> tuple[list[int], bytes, str]:
    """The statuses, the body, and how it ended or what it waits for."""
    statuses: list[int] = []
    body = b""
    pending = iter(pieces)
    while True:
        try:
            event = http.next_event()
        except BadResponse:
            return statuses, body, "bad"
        if isinstance(event, h11.InformationalResponse | h11.Response):
            statuses.append(event.status_code)
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage):
            return statuses, body, "by close" if http.ended_by_close else "end"
        else:
            piece = next(pending, None)
            if piece is None:
                return statuses, body, "waits"
            if piece:
                http.receive_data(piece)
            else:
                http.receive_eof()


class ReadingTests(SynchronousTestCase):
    """Responses, in pieces."""

    def test_whole(self) -> None:
        """What the responses of this test are."""
        self.assertEqual(
            [read(asked(), [response]) for response in RESPONSES],
            [
                ([200], b"12345", "end"),
                ([200], b"12345abc", "end"),
                ([100, 103, 200], b"", "end"),
                ([200], b"until the end", "waits"),
                ([204], b"", "end"),
                ([200], b"123", "end"),
                ([], b"", "bad"),
                ([200], b"", "bad"),
                ([200], b"12345", "bad"),
                ([], b"", "waits"),
                ([], b"", "bad"),
            ],
        )

    @given(st.sampled_from(RESPONSES), st.lists(st.integers(0, 120)))
    def test_pieces(self, response: bytes, cuts: list[int]) -> None:
        """They make no difference."""
        places = sorted({min(cut, len(response)) for cut in cuts} | {0, len(response)})
        pieces = [response[a:b] for a, b in pairwise(places)]
        expected = read(asked(), [response])
        self.assertEqual(read(asked(), pieces), expected)
        self.assertEqual(read(asked(), [bytes([byte]) for byte in response]), expected)

    @given(st.sampled_from([b"", OK, CHUNKED]), st.lists(st.binary(max_size=30), max_size=5))
    def test_anything(self, beginning: bytes, pieces: list[bytes]) -> None:
        """Whatever comes is read, or refused; nothing else is raised."""
        read(asked(), [beginning, *pieces])

    def test_end_of_the_connection(self) -> None:
        """It ends a body without a length, and breaks off any other."""
        for response, expected in (
            (b"HTTP/1.0 200\r\n\r\nabc", ([200], b"abc", "by close")),
            (OK + b"Content-Length: 5\r\n\r\nabc", ([200], b"abc", "bad")),
            (CHUNKED + b"5\r\nabc", ([200], b"abc", "bad")),
            (OK + b"Content-Length: 3\r\n\r\nabc", ([200], b"abc", "end")),
        ):
            self.assertEqual(read(asked(), [response, b""]), expected)

    def test_not_http(self) -> None:
        """The first byte tells, where nothing more may ever come."""
        for data in (b"\0", b"<", b"HTTQ", b"GET / HTTP/1.1\r\n"):
            self.assertEqual(read(asked(), [data])[2], "bad")

    def test_secrets(self) -> None:
        """What came may be our own request, sent back: no error quotes it."""
        for data in (
            b"GET /?s3cret HTTP/1.1\r\n\r\n",
            OK + b"s3cret\r\n\r\n",
            OK + b"Transfer-Encoding: s3cret\r\n\r\n",
            CHUNKED + b"s3cret\r\n",
        ):
            http = asked()
            http.receive_data(data)
            with self.assertRaises(BadResponse) as raised:
                while True:
                    http.next_event()
            self.assertNotIn("s3cret", str(raised.exception))

    def test_nothing_can_be_switched_to(self) -> None:
        """101 is refused, also where the user's headers asked for it."""
        http = HTTP11()
        headers = [("Host", "a.test"), ("Upgrade", "h2c")]
        http.send(h11.Request(method="GET", target="/", headers=headers))
        http.send(h11.EndOfMessage())
        switched = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n"
        self.assertEqual(read(http, [switched])[2], "bad")


class ReuseTests(SynchronousTestCase):
    """Whether another request may follow."""

    def test_next_request(self) -> None:
        """Servers of HTTP/1.0 say that they keep the connection; others that they do not."""
        length = b"Content-Length: 0\r\n"
        for response, reusable in (
            (OK + length + b"\r\n", True),
            (OK + length + b"Connection: Close\r\n\r\n", False),
            (OK + length + b"\r\nbehind", False),
            (CHUNKED + b"0\r\n\r\n", True),
            (CHUNKED + b"0\r\n\r\nbehind", False),
            (b"HTTP/1.0 200 OK\r\n" + length + b"\r\n", False),
            (b"HTTP/1.0 200 OK\r\nConnection: x, Keep-Alive\r\n" + length + b"\r\n", True),
            (b"HTTP/1.0 200 OK\r\nConnection: keep-alive, close\r\n" + length + b"\r\n", False),
        ):
            http = asked()
            self.assertFalse(http.reusable)
            read(http, [response])
            self.assertEqual(http.reusable, reusable, response)
            if reusable:
                ask_again(http)
                self.assertEqual(read(http, [OK + length + b"\r\n"]), ([200], b"", "end"))
                self.assertTrue(http.reusable)

    def test_heads_of_any_length(self) -> None:
        """However long those before were, and in how many pieces they came."""
        long = OK + b"X: " + b"x" * 60_000
        http = asked()
        for _ in range(6):
            pieces = [long, b"\r\nContent-Length: 0\r\n\r\n"]
            self.assertEqual(read(http, pieces), ([200], b"", "end"))
            ask_again(http)
        http.receive_data(b"HTTP/1.1 204 N\r\n\r\n")
        self.assertEqual(read(http, []), ([204], b"", "end"))


class BoundTests(SynchronousTestCase):
    """What is too long, and what would take too long."""

    def test_head(self) -> None:
        """64 KiB, in one piece or in many, complete or not."""
        padding = b"x" * (LONGEST_HEAD - len(OK) - len(b"X: \r\n\r\n"))
        longest = OK + b"X: " + padding + b"\r\n\r\n"
        self.assertEqual(read(asked(), [longest])[0], [200])
        for pieces in (
            [OK + b"X: x" + padding + b"\r\n\r\n"],
            [OK + b"X: x" + padding, b"\r\n\r\n"],
            [OK + b"X: ", *[b"x" * 1000] * 66],
        ):
            with self.assertRaises(HeadTooLong) as raised:
                self.raise_bad(pieces)
            self.assertIn("head of the response is over 64 KiB", str(raised.exception))

    def test_interim_heads(self) -> None:
        """256 KiB for all of them: they may go on for ever."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        many = 256 * 1024 // len(interim)
        self.assertEqual(read(asked(), [interim] * many)[2], "waits")
        with self.assertRaises(HeadTooLong) as raised:
            self.raise_bad([interim] * (many + 1))
        self.assertIn("256 KiB", str(raised.exception))

    def raise_bad(self, pieces: list[bytes]) -> None:
        http = asked()
        for piece in pieces:
            http.receive_data(piece)
            while http.next_event() is not h11.NEED_DATA:
                pass

    def test_between_chunks(self) -> None:
        """Neither a size nor trailers are collected for ever."""
        for pieces in (
            [CHUNKED, *[b"5"] * 2000],
            [CHUNKED + b"5;", *[b"x" * 100] * 20],
            [CHUNKED + b"0\r\n", *[b"X: y\r\n"] * 400],
        ):
            self.assertEqual(read(asked(), pieces), ([200], b"", "bad"))

    def test_blanks(self) -> None:
        """Many of them, where the line turns out to be wrong, would take a quarter of a
        minute."""
        blanks = b" \t" * 30_000
        before = time.process_time()
        for response in (
            OK + b"X:" + blanks + b"\0\r\n\r\n",
            OK + b"X: x" + blanks + b"\rx\r\n\r\n",
            CHUNKED + b"5;" + blanks + b"\n\r\n",
            CHUNKED + b"0\r\nX:" + blanks + b"\0\r\n\r\n",
        ):
            self.assertEqual(read(asked(), [response])[2], "bad")
            self.assertEqual(read(asked(), [response[:100], response[100:]])[2], "bad")
        self.assertLess(time.process_time() - before, 1)

    def test_blanks_in_a_body(self) -> None:
        """They are content like any other."""
        body = b" " * 10_000 + b"\n\r\n" + b"\t" * 10_000
        chunks = b"%x\r\n%b\r\n" % (len(body), body)
        chunked = CHUNKED + chunks * 2 + b"0\r\n\r\n"
        self.assertEqual(read(asked(), [chunked]), ([200], body * 2, "end"))
        counted = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
        self.assertEqual(read(asked(), [counted]), ([200], body, "end"))
