"""
The token request: answers that hold no token, and no answers.
"""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.defer import fail
from twisted.web.iweb import IAgent
from zope.interface import implementer

from txtokensock import Timeouts
from txtokensock.errors import (
    AttemptTimeout,
    TLSFailed,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenUnreachable,
)

from .support import SECRET, TokenTestCase


class RefusalTests(TokenTestCase):
    """Answers that hold no token."""

    def test_refused(self) -> None:
        """401 and 403 are refusals."""
        for status in (401, 403):
            error = self.fail_with(
                lambda r, status=status: r.respond(status, {"error": SECRET}), TokenRefused
            )
            self.assertEqual(error.status, status)
            self.assertIn(str(status), str(error))
            self.assertIn(", with authentication= (--auth), refused us: ", str(error))
        error = self.fail_with(lambda r: r.respond(401), TokenRefused, authentication={})
        self.assertIn(", without authentication= (--auth), refused us: 401", str(error))

    def test_reason(self) -> None:
        """What the route gives as its reason is the error's, and in its text, in one line."""
        for body, error, text in (
            ({"error": "wrong\npassword"}, "wrong\npassword", ": wrong password"),
            (
                {"error": {"code": 7, "message": "locked"}},
                {"code": 7, "message": "locked"},
                ": locked",
            ),
            ({"reason": "closed"}, {"reason": "closed"}, ": closed"),
            (["a"], ["a"], ": ['a']"),
            ({"error": None}, None, ""),
            (b"<h1>No</h1>", None, ""),
            (b"", None, ""),
            (b'{"error":1e999}', None, ""),
            (b"[" * 60_000, None, ""),
            ({"error": "x" * 70_000}, None, ""),
        ):
            for status, kind in ((403, TokenRefused), (500, TokenServerError)):
                raised = self.fail_with(lambda r, s=status, body=body: r.respond(s, body), kind)
                self.assertEqual(raised.error, error)
                self.assertTrue(str(raised).endswith(f" {status}{text}"), str(raised))
        self.assertLess(
            len(
                str(self.fail_with(lambda r: r.respond(403, {"error": "x" * 9000}), TokenRefused))
            ),
            300,
        )

    def test_reason_with_credentials(self) -> None:
        """What it repeats of the request's secrets is left out, also of the attribute."""
        password = "a b&c/ü"
        options: dict[str, Any] = {
            "authentication": {"password": password, "pin": 12, "list": [SECRET]},
            "headers": {"Authorization": "Basic aGVs==", "Cookie": "sid=c00kie; b=x"},
        }

        def refuse(request: Any) -> None:
            told = [
                request.query,
                f"no {password}!",
                {SECRET: 12},
                "pin 12 of 123",
                "c00kie aGVs==",
            ]
            request.respond(403, {"error": told})

        error = self.fail_with(refuse, TokenRefused, **options)
        self.assertEqual(
            error.error,
            [
                "<secret>",
                "no <secret>!",
                {"<secret>": "<secret>"},
                "pin <secret> of 123",
                "<secret> <secret>",
            ],
        )
        for text in (password, "c00kie", "aGVs", "a%20b"):
            self.assertNotIn(text, str(error))

    def test_credentials_in_other_forms(self) -> None:
        """They are left out as forms, other cases and decoders show them, too."""
        options: dict[str, Any] = {
            "authentication": {"password": "a b&c/ü"},
            "headers": {"Authorization": "Basic YWRhOnNlc2FtZQ=="},  # ada:sesame
        }
        told = ["a+b%26c%2F%C3%BC", "a%20b%26c%2f%c3%bc", "ada: wrong, sesame: wrong"]
        error = self.fail_with(lambda r: r.respond(403, {"error": told}), TokenRefused, **options)
        wrong = "<secret>: wrong, <secret>: wrong"
        self.assertEqual(error.error, ["<secret>", "<secret>", wrong])

    def test_reason_that_never_ends(self) -> None:
        """The status is a refusal whatever becomes of the body: broken off, or never over."""

        def begin(request: Any, *, end: bool) -> None:
            request.send_raw(b"HTTP/1.1 403 No\r\nContent-Length: 50\r\n\r\n{")
            if end:
                request.hang_up()

        self.fail_with(lambda r: begin(r, end=True), TokenRefused)
        self.server.script(token=lambda r: begin(r, end=False))
        client = self.started(timeouts=Timeouts(token=4))
        failed = client.when_ready(fail_after=1)
        self.advance(3.9)
        self.pending(failed)
        self.advance(0.1)
        self.assertIsNone(self.failure(failed, TokenRefused).error)
        client.end()

    def test_other_statuses(self) -> None:
        """Everything else but 200 is the server's fault."""
        for status in (201, 204, 400, 404, 429, 500, 502, 503):
            error = self.fail_with(
                lambda r, status=status: r.respond(status, {"token": "t"}), TokenServerError
            )
            self.assertEqual(error.status, status)

    def test_token_with_another_status(self) -> None:
        """It may be good: neither the text nor the reason has it."""
        for status in (201, 500):
            error = self.fail_with(
                lambda r, status=status: r.respond(status, {"token": SECRET, "detail": "x"}),
                TokenServerError,
            )
            self.assertEqual(error.error, {"detail": "x"})

    def test_wrong_scheme(self) -> None:
        """Servers that expect TLS answer 400, or nothing; the error asks for ``https``."""
        for step, error in (
            (lambda r: r.respond(400, b"", "text/html"), TokenServerError),
            ("drop", TokenUnreachable),
            ("hang up", TokenUnreachable),
        ):
            self.assertIn("(is it https:// there?)", str(self.fail_with(step, error)))
        for step, error in (
            (lambda r: r.respond(404, b""), TokenServerError),
            ("garbage", TokenUnreachable),
        ):
            self.assertNotIn("https", str(self.fail_with(step, error)))

    def test_redirect(self) -> None:
        """Redirects are not followed, credentials and all; the error says where to."""
        error = self.fail_with(
            lambda r: r.respond(
                302, b"", "", f"Location: https://other.test/token?password={SECRET}"
            ),
            TokenServerError,
        )
        self.assertIn("302 to https://other.test/token, which is not followed", str(error))
        self.assertEqual(len(self.server.tokens), 1)
        for target in (f"//ada:{SECRET}@other.test/", f"/login/{SECRET}", f"/#{SECRET}"):
            self.fail_with(
                lambda r, target=target: r.respond(302, b"", "", f"Location: {target}"),
                TokenServerError,
            )

    def test_advice(self) -> None:
        """What a status most likely means."""
        for status, header, advice in (
            (301, "Location: /new", "301 to /new: use that address"),
            (
                404,
                "X-A: b",
                "404: is a token-sockjs server at that host, port and path (token_path)?",
            ),
        ):
            error = self.fail_with(
                lambda r, status=status, header=header: r.respond(status, b"", "", header),
                TokenServerError,
            )
            self.assertIn(advice, str(error))

    def test_no_token(self) -> None:
        """200 with JSON that holds no token."""
        for body in ({}, [], None, "token", 5, {"token": None}, {"token": 5}, {"token": ""}):
            error = self.fail_with(lambda r, body=body: r.respond(200, body), TokenInvalid)
            self.assertIn("without a token", str(error))

    def test_broken_json(self) -> None:
        """200 with what calls itself JSON."""
        for body in (b"", b"{", b"\xff", b'{"token":"t"}x', b"[" * 10_000):
            self.fail_with(lambda r, body=body: r.respond(200, body), TokenInvalid)

    def test_no_json(self) -> None:
        """200 with a page: somebody else's server."""
        for kind, body in (
            ("text/html", {"token": "t"}),
            ("text/plain; charset=utf-8", b"hello"),
            ("", b"<h1>Hello</h1>"),
        ):
            error = self.fail_with(
                lambda r, kind=kind, body=body: r.respond(200, body, kind), TokenInvalid
            )
            self.assertIn("is this a token-sockjs server?", str(error))

    def test_kinds_of_json(self) -> None:
        """Any content type of JSON will do, in any case; so will none, and plain text."""
        for kind in (
            "application/json; charset=utf-8",
            "Application/JSON",
            "text/json",
            "Text/Plain; charset=utf-8",
            "",
        ):
            self.server.script(
                token=lambda r, kind=kind: r.respond(
                    200, {"token": self.server.issue_token()}, kind
                )
            )
            self.ready()

    def test_large_body(self) -> None:
        """More than 64 KiB is no token, however much follows."""
        error = self.fail_with(lambda r: r.respond(200, b" " * 200_000), TokenInvalid)
        self.assertIn("64 KiB", str(error))

    def test_compressed_refusal(self) -> None:
        """A refusal is one whatever its body is, and its headers count."""
        for coding in ("br", "deflate", "gzip"):
            error = self.fail_with(
                lambda r, coding=coding: r.respond(
                    503, b"x", "text/html", f"Content-Encoding: {coding}", "Retry-After: 7"
                ),
                TokenServerError,
            )
            self.assertEqual((error.status, error.retry_after, error.error), (503, 7, None))

    def test_byte_order_mark(self) -> None:
        """One before the JSON is passed over, as browsers do it."""
        mark = b"\xef\xbb\xbf"

        def accept(request: Any) -> None:
            request.respond(200, mark + b'{"token":"%s"}' % self.server.issue_token().encode())

        error = self.fail_with(lambda r: r.respond(403, mark + b'{"error":1}'), TokenRefused)
        self.assertEqual(error.error, 1)
        self.server.script(token=accept)
        self.ready()

    def test_compressed(self) -> None:
        """gzip is accepted; what only says that it is gzip is an error like any other."""

        def compressed(request: Any) -> None:
            body = gzip.compress(b'{"token":"%s"}' % self.server.issue_token().encode())
            request.respond(200, body, "application/json", "Content-Encoding: gzip")

        error = self.fail_with(
            lambda r: r.respond(200, b"no gzip", "application/json", "Content-Encoding: gzip"),
            TokenInvalid,
        )
        self.assertIn("cannot be decompressed", str(error))
        self.server.script(token=compressed)
        self.ready()


@implementer(IAgent)
class Failing:
    """Fails at once, with ``problem``."""

    def __init__(self, problem: Exception) -> None:
        self._problem = problem

    def request(self, *arguments: Any) -> Any:
        """No response."""
        return fail(self._problem)


class NetworkTests(TokenTestCase):
    """No answer, or half of one."""

    HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

    def test_unreachable(self) -> None:
        """Refused, dropped, closed, garbage."""
        for step in ("drop", "hang up", "garbage"):
            self.fail_with(step, TokenUnreachable)
        self.server.script(token_connect="refuse")
        failed = self.started().when_ready(fail_after=1)
        self.advance(0.1)
        self.assertIn(
            "http://server.test/socket/token", str(self.failure(failed, TokenUnreachable))
        )

    def test_tls_with_a_proxy(self) -> None:
        """It is told apart as TLS with the server is: nobody tries for ever what cannot be."""
        for forever in (True, False):
            problem = TLSFailed("cannot reach the proxy: TLS: bad", "connect", permanent=forever)
            agent = Failing(problem)
            error = self.fail_with(None, TLSFailed, agent=agent)
            self.assertIn("/socket/token: cannot reach the proxy: TLS: bad", str(error))
            self.assertEqual(error.permanent, forever)

    def test_what_sends_back_what_it_gets(self) -> None:
        """Errors do not quote it: it holds the credentials."""

        def echo(request: Any) -> None:
            line = f"GET {request.path}?{request.query} HTTP/1.1\r\n".encode()
            request.send_raw(line + b"Host: server.test\r\n\r\n")

        def as_coding(request: Any) -> None:
            coding = f"Transfer-Encoding: {request.query}\r\n\r\n".encode()
            request.send_raw(self.HEADERS + coding)

        for answer in (echo, as_coding):
            error = self.fail_with(answer, TokenUnreachable)
            self.assertIn("the response is not valid HTTP", str(error))

    def test_broken_off_in_the_headers(self) -> None:
        """The connection ends in the middle of the headers."""

        def half(request: Any) -> None:
            request.send_raw(self.HEADERS[:40])
            request.hang_up()

        self.fail_with(half, TokenUnreachable)

    def test_broken_off_in_the_body(self) -> None:
        """The connection ends in the middle of the body, counted or chunked."""

        def counted(request: Any) -> None:
            request.send_raw(self.HEADERS + b'Content-Length: 100\r\n\r\n{"token":')
            request.hang_up()

        def chunked(request: Any) -> None:
            request.send_raw(self.HEADERS + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"tok\r\n')
            request.hang_up()

        self.fail_with(counted, TokenUnreachable)
        self.fail_with(chunked, TokenUnreachable)

    def test_body_until_the_end(self) -> None:
        """A body without a length ends with the connection."""

        def until_end(request: Any) -> None:
            request.send_raw(
                self.HEADERS + b'\r\n{"token":"%s"}' % self.server.issue_token().encode()
            )
            request.hang_up()

        self.server.script(token=until_end)
        self.ready()

    def timed_out(self, step: Any) -> None:
        """It must end with the deadline, and leave nothing open."""
        self.server.script(**step)
        client = self.started(timeouts=Timeouts(token=4), authentication={"p": SECRET})
        failed = client.when_ready(fail_after=1)
        self.advance(3.9)
        self.pending(failed)
        self.server.script(token_connect="refuse")
        self.advance(0.1)
        error = self.failure(failed, AttemptTimeout)
        self.assertIn("within 4 seconds", str(error))
        self.assertEqual(self.server.open_connections, 0)
        client.end()

    def test_deadline_of_the_connection(self) -> None:
        """No TCP connection."""
        self.timed_out({"token_connect": "ignore"})

    def test_deadline_of_the_headers(self) -> None:
        """No answer."""
        self.timed_out({"token": "ignore"})

    def test_deadline_of_the_body(self) -> None:
        """A body that does not end: treq's own timeout ends with the headers."""
        self.timed_out(
            {"token": lambda r: r.send_raw(self.HEADERS + b"Content-Length: 50\r\n\r\n{")}
        )

    def test_end_in_the_body(self) -> None:
        """end() drops the request, wherever it is."""
        self.server.script(
            token=lambda r: r.send_raw(self.HEADERS + b"Content-Length: 50\r\n\r\n{")
        )
        client = self.started()
        self.successResultOf(client.end())
        self.settle()
        self.assertEqual(self.server.open_connections, 0)
