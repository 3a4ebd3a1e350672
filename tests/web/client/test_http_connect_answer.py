"""The answer to CONNECT: how it is read, whatever it is and however it is cut."""

from __future__ import annotations

import base64
import time
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import ProxyRefused
from txtokensock.web.client.http_connect import _Connect

from .proxy import NAME, OK, ProxyTestCase

LIMIT = 64 * 1024


def head(size: int) -> bytes:
    """An answer of success whose head has that many bytes."""
    start, end = b"HTTP/1.1 200 OK\r\nX: ", b"\r\n\r\n"
    return start + b"x" * (size - len(start) - len(end)) + end


class AnswerTests(SynchronousTestCase):
    """How the answer is read, however it is cut into pieces."""

    def outcome(self, pieces: list[bytes]) -> Any:
        """The rest behind the answer, the error, or None where it is not complete."""
        connect = _Connect("server.test:443", NAME, None)
        connect.start(lambda _: None)
        for number, piece in enumerate(pieces):
            try:
                rest = connect.received(piece)
            except ProxyRefused as refused:
                return type(refused), refused.status, str(refused)
            if rest is not None:
                return rest + b"".join(pieces[number + 1 :])
        return None

    @given(
        st.sampled_from(
            [
                OK + b"behind",
                b"HTTP/1.0 204\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nbehind",
                b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + OK,
                b"HTTP/1.1 200 OK\nX: y\n\nbehind",
                b"HTTP/1.1 407 Authenticate\r\nContent-Length: 3\r\n\r\nabc",
                b"HTTP/1.1 502 No\r\n\r\n",
                b"HTTP/1.1 403 \xe9\r\n\r\n",
                b"HTTP/1.1 200 OK\r\nX: y\r\n",
            ]
        ),
        st.lists(st.integers(0, 120)),
    )
    def test_pieces(self, answer: bytes, cuts: list[int]) -> None:
        """The pieces make no difference."""
        places = sorted({min(cut, len(answer)) for cut in cuts} | {0, len(answer)})
        pieces = [answer[a:b] for a, b in pairwise(places)]
        self.assertEqual(self.outcome(pieces), self.outcome([answer]))
        singles = [bytes([byte]) for byte in answer]
        self.assertEqual(self.outcome(singles), self.outcome([answer]))

    def test_success(self) -> None:
        """Every 2xx opens; a length and an encoding mean nothing there."""
        self.assertEqual(self.outcome([OK]), b"")
        self.assertEqual(self.outcome([OK + b"\0\xff"]), b"\0\xff")
        for fields in (b"Content-Length: 2", b"Transfer-Encoding: chunked", b"Connection: close"):
            answer = b"HTTP/1.1 299 Fine\r\n" + fields + b"\r\n\r\nbehind"
            self.assertEqual(self.outcome([answer]), b"behind")

    def test_interim(self) -> None:
        """Interim answers are passed over, and are no end of it."""
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        self.assertIsNone(self.outcome([interim] * 3))
        self.assertEqual(self.outcome([interim * 3 + OK + b"x"]), b"x")

    def test_refusals(self) -> None:
        """Everything else says no, with its status; the body is not waited for."""
        for status, line, said in (
            (407, b"407 Proxy Authentication Required", "407 Proxy Authentication Required: give"),
            (403, b"403 Filtered", "403 Filtered"),
            (502, b"502", "502"),
            (302, b"302 Found", "302 Found"),
            (500, b"500 " + b"x" * 1000, "500 xxx"),
        ):
            answer = b"HTTP/1.1 " + line + b"\r\nContent-Length: 99\r\n\r\n"
            kind, told, text = self.outcome([answer])
            self.assertEqual((kind, told), (ProxyRefused, status))
            start = f"the proxy {NAME} refused to connect us to server.test:443: {said}"
            self.assertTrue(text.startswith(start), text)
            self.assertLess(len(text), 400)

    def test_garbage(self) -> None:
        """What is no HTTP is told to be none, and raises nothing else."""
        for answer in (
            b"SSH-2.0-OpenSSH\r\n\r\n",
            b"\x05\x00",
            b"\x16\x03\x01\x02\x00" * 3,
            b"\r\n\r\n",
            b"HTTP/2 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            b"HTTP/1.1 101 Switching\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 407 No\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
            b"<html>nothing here</html>\r\n\r\n",
        ):
            kind, status, text = self.outcome([answer])
            self.assertEqual((kind, status), (ProxyRefused, None), answer[:40])
            self.assertEqual(text, f"the proxy {NAME} did not answer as HTTP proxies do")

    @given(st.lists(st.binary(max_size=30), max_size=5))
    def test_anything(self, pieces: list[bytes]) -> None:
        """Whatever comes is an answer, a refusal, or incomplete."""
        self.outcome(pieces)
        self.outcome([b"HTTP/1.1 200 OK\r\n", *pieces])

    def test_too_long(self) -> None:
        """64 KiB for all heads together, in one piece or in many."""
        self.assertEqual(self.outcome([head(LIMIT) + b"x" * LIMIT]), b"x" * LIMIT)
        long = head(LIMIT + 1)
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        for pieces in (
            [long],
            [long[:1000], long[1000:]],
            [b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 1000] * 66],
            [interim] * (LIMIT // len(interim) + 1),
            [interim + head(LIMIT)],
            [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 3 * LIMIT],
        ):
            kind, _, text = self.outcome(pieces)
            self.assertIs(kind, ProxyRefused)
            self.assertIn("64 KiB", text)

    def test_blanks(self) -> None:
        """So many of them in a line that is wrong would take h11 a quarter of a minute."""
        before = time.process_time()
        kind, _, _ = self.outcome([b"HTTP/1.1 200 OK\r\nX:" + b" " * 60_000 + b"\0\r\n\r\n"])
        self.assertIs(kind, ProxyRefused)
        self.assertLess(time.process_time() - before, 1)


class SecretTests(ProxyTestCase):
    """What the proxy is given as a password stays between us."""

    def test_not_repeated(self) -> None:
        """Not even where the proxy repeats it, in either form."""
        encoded = base64.b64encode(b"ada:s3cret").decode()
        for said in ("s3cret is wrong", f"not {encoded}", "no"):
            answer = f"HTTP/1.1 407 {said}\r\n\r\n".encode()
            connecting = self.connecting(None, answer, authorization=f"Basic {encoded}")
            text = str(self.failure(connecting, ProxyRefused))
            self.assertNotIn("s3cret", text)
            self.assertNotIn(encoded, text)
            self.assertIn("407", text)
            self.assertIn("it does not accept the user and the password", text)

    def test_no_secret_to_keep(self) -> None:
        """Where the password is empty, the proxy's own words are told."""
        connecting = self.connecting(
            None, b"HTTP/1.1 403 Filtered\r\n\r\n", authorization="Basic YWRhOg=="
        )
        self.assertIn(": 403 Filtered", str(self.failure(connecting, ProxyRefused)))

    def test_unusual_authorization(self) -> None:
        """What is no Basic is kept, too."""
        for authorization in ("Bearer \x7e\x7e", "Bearer abc", "Basic gA=="):
            answer = b"HTTP/1.1 403 " + authorization.partition(" ")[2].encode() + b"\r\n\r\n"
            connecting = self.connecting(None, answer, authorization=authorization)
            self.assertIn(": 403 Forbidden", str(self.failure(connecting, ProxyRefused)))
