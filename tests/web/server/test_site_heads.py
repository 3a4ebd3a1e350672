"""
A head in one piece, which is taken at once, and the same in pieces, which twisted.web takes line
by line; and what of a request is logged.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, UNIXAddress
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import combinedLogFormatter
from twisted.web.resource import Resource
from twisted.web.test.requesthelper import DummyRequest

from tests.kit.examples import examples
from tests.kit.site_client import Connection
from txtokensock.web.server.access_log import access_log_line
from txtokensock.web.server.site import BoundedSite
from txtokensock.web.server.site_limits import SiteLimits

FIRST_LINES = (
    *(b"GET / HTTP/1.1", b"POST /a?b=c HTTP/1.1", b"PUT * HTTP/1.1", b"GET / HTTP/1.0"),
    *(b"GET /", b"GET  / HTTP/1.1", b"nonsense", b"", b"GET /\xff HTTP/1.1", b"GET / HTTP/1.1 x"),
)
HEADERS = (
    *(b"Host: a", b"host:b", b"X-A: \t a b \t", b"x-a:", b"X-A: \xff\x0b\x85", b"Cookie: a=b; c"),
    *(b"Content-Length: 3", b"content-length:0", b"Content-Length: +3", b"Content-Length: 3, 3"),
    *(b"Content-Length: " + b"9" * 5000, b"Transfer-Encoding: chunked"),
    *(b"TRANSFER-ENCODING: identity", b"Transfer-Encoding: gzip", b"Connection: close"),
    *(b"Expect: 100-continue", b" folded", b"\tfolded", b"none", b": a", b"a b: c", b"a : b"),
    *(
        b"X: a\nb",
        b"X: a\rb",
        b"X: \0",
        b"\xe4: b",
        b"X: " + b"x" * 16_000,
        b"!#$%&'*+-.^_`|~1: b",
    ),
)
BODIES = (b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"\r\n")


class Noting(Resource):
    """Notes the requests that come to it."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[Any] = []

    def render(self, request: Any) -> bytes:
        headers = list(request.requestHeaders.getAllRawHeaders())
        self.noted.append((request.method, request.uri, headers, request.content.read()))
        return b"x"


def heard(pieces: list[bytes], *, over_tls: bool = False) -> Any:
    """
    What a site makes of them: its requests, its answers, and whether it closes.

    :param over_tls: whether it is read while it is being closed.
    """
    page = Noting()
    site = BoundedSite(page, SiteLimits(max_body=1000), reactor=Clock())
    site.clock = site.reactor  # type: ignore[attr-defined]
    server: Any = type("Server", (), {"clock": site.reactor, "site": site})
    connection = Connection(server, "10.0.0.1")
    if over_tls:  # then the end waits for the client's
        connection.tcp.stop_reading()
    for piece in pieces:
        if over_tls or not (connection.tcp.disconnecting or connection.tcp.lost):
            connection.send(piece)
    answers = re.sub(rb"Date: [^\r]*", b"", connection.take())
    return page.noted, answers, connection.tcp.disconnecting, connection.tcp.lost


requests = st.builds(
    lambda first, headers, body: b"\r\n".join([first, *headers, b"", body]),
    st.sampled_from(FIRST_LINES[:2]) | st.sampled_from(FIRST_LINES),
    st.lists(st.sampled_from(HEADERS[:8]) | st.sampled_from(HEADERS), max_size=4),
    st.sampled_from(BODIES),
)


class HeadTests(SynchronousTestCase):
    """Whatever is in them."""

    @examples(300)
    @given(st.lists(requests, min_size=1, max_size=3), st.booleans())
    def test_in_pieces(self, sent: list[bytes], by_lines: bool) -> None:
        """It makes no difference in which pieces they come."""
        data = b"".join(sent)
        pieces = data.splitlines(keepends=True) if by_lines else [bytes([byte]) for byte in data]
        self.assertEqual(heard([data]), heard(pieces))

    def test_after_a_refusal(self) -> None:
        """What comes after it is not looked at, which over TLS may be much."""
        for refused, rest in (
            (b"nonsense\r\n", b"A: b\r\n\r\n"),
            (b"GET / HTTP/1.1\r\nA b: c\r\nD: e\r\n", b"\r\n"),
            (b"GET / HTTP/1.1\r\nContent-Length: x\r\nA: b\r\n\r\n", b"\r\n"),
            (b"POST / HTTP/1.1\r\nContent-Length: " + b"9" * 5000 + b"\r\nA: b\r\n", b"\r\n"),
        ):
            for more in ([rest], [rest, b"GET / HTTP/1.1\r\n\r\n"], [*map(bytes, zip(rest))]):
                noted, answers, disconnecting, _ = heard([refused, *more], over_tls=True)
                self.assertEqual((noted, answers[:12]), ([], b"HTTP/1.1 400"))
                self.assertEqual((answers.count(b"HTTP/"), disconnecting), (1, True))

    def test_wrong_and_too_long(self) -> None:
        """What is wrong first is what is answered, in whatever pieces a head comes."""
        length, long = b"Content-Length: x", b"X: " + b"x" * 16_384
        for lines, status in (
            ([b"nonsense", long], b"400"),
            ([b"GET / HTTP/1.1", length, b"A: b", long], b"400"),
            ([b"GET / HTTP/1.1", long, length], b"431"),
            ([b"nonsense", *[b"X: x"] * 130], b"400"),
        ):
            data = b"".join(line + b"\r\n" for line in [*lines, b""])
            for pieces in ([data], data.splitlines(keepends=True)):
                self.assertEqual(heard(pieces)[1][9:12], status)

    def test_most_lines(self) -> None:
        """One header more than there may be is refused, and one byte more of a head."""
        for head, status in (
            (b"GET / HTTP/1.1" + b"\r\nX: x" * 128, b"200"),
            (b"GET / HTTP/1.1" + b"\r\nX: x" * 129, b"431"),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * (16384 - 17), b"200"),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * (16384 - 16), b"431"),
        ):
            _, answers, *_ = heard([head + b"\r\n\r\n"])
            self.assertEqual(answers[9:12], status)
            self.assertEqual(answers[9:12], heard([head, b"\r\n\r\n"])[1][9:12])


class LineTests(SynchronousTestCase):
    """A line of the access log."""

    @examples(300)
    @given(st.binary(), st.binary(), st.none() | st.binary(), st.integers(0, 5))
    def test_like_twisted_web(
        self, method: bytes, agent: bytes, referrer: bytes | None, length: int
    ) -> None:
        """It is what twisted.web writes, where there is nothing to hide."""
        for address in (IPv4Address("TCP", "10.0.0.1", 1), UNIXAddress(None)):
            request: Any = DummyRequest([])
            request.client, request.method, request.uri = address, method, b"/a'\"\\\xff"
            request.clientproto, request.code, request.sentLength = b"HTTP/1.1", 200, length
            request.requestHeaders.setRawHeaders(b"User-Agent", [agent])
            if referrer is not None:
                referrer = re.sub(rb"[?#%/]", b"", referrer)
                request.requestHeaders.setRawHeaders(b"Referer", [referrer])
            self.assertEqual(
                access_log_line("[then]", request), combinedLogFormatter("[then]", request)
            )
