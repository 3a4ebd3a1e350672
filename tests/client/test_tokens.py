"""
The token request.
"""

from __future__ import annotations

import gzip
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txtokensock import Timeouts
from txtokensock.errors import (
    AttemptTimeout,
    CredentialsUnavailable,
    InvalidOption,
    TokenError,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenUnreachable,
)

from ..support import Calls, ServerTestCase

SECRET = "s3cret"


class TokenTestCase(ServerTestCase):
    """Asks for one token, as a client does."""

    def fail_with(self, respond: Any, *kinds: type[Exception], **options: Any) -> Any:
        """The error of an attempt where the token route does this."""
        self.server.script(token=respond)
        options.setdefault("authentication", {"password": SECRET})
        client = self.client(**options)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        error = self.failure(failed, *kinds)
        self.assertEqual(error.phase, "token")
        client.end()
        self.settle()
        self.assertEqual(self.server.open_connections, 0)
        for text in (str(error), repr(error)):
            self.assertNotIn(SECRET, text)
        return error


class RequestTests(TokenTestCase):
    """What is sent."""

    def test_target(self) -> None:
        """The path below the prefix, and the credentials as the originals encode them."""
        self.ready(
            host="https://server.test:8443/app",
            token_path="auth/token",
            authentication={"a": 1, "b": {"c": 2, "d": ["x", "ü&="]}, "e": "!~*'()-_. /", "f": ""},
        )
        (request,) = self.server.tokens
        self.assertEqual(
            request.target,
            "/app/auth/token?a=1&b%5Bc%5D=2&b%5Bd%5D%5B0%5D=x"
            "&b%5Bd%5D%5B1%5D=%C3%BC%26%3D&e=!~*'()-_.%20%2F&f=",
        )
        self.assertEqual(request.headers["host"], "server.test:8443")
        self.assertEqual(request.headers["accept"], "application/json")

    def test_headers(self) -> None:
        """Headers go with the request and with the handshake (C24)."""
        self.ready(headers={"Authorization": "Bearer x", "X-A": "1"})
        for headers in (self.server.tokens[0].headers, self.session.headers):
            self.assertEqual((headers["authorization"], headers["x-a"]), ("Bearer x", "1"))

    def test_authentication_kinds(self) -> None:
        """A mapping, a function, a Deferred or a coroutine of one."""

        async def coroutine() -> dict[str, str]:
            return await succeed({"k": "coroutine"})

        for authentication, query in (
            ({"k": "mapping"}, "k=mapping"),
            (lambda: {"k": "function"}, "k=function"),
            (lambda: succeed({"k": "deferred"}), "k=deferred"),
            (coroutine, "k=coroutine"),
            (None, ""),
            (dict, ""),
        ):
            self.ready(authentication=authentication)
            self.assertEqual(self.server.tokens[-1].query, query)


class CookieTests(TokenTestCase):
    """Cookies that the token route sets."""

    def accept_with(self, *cookies: str) -> None:
        """Give tokens, and these cookies."""

        def accept(request: Any) -> None:
            lines = [f"Set-Cookie: {cookie}" for cookie in cookies]
            token = self.server.issue_token()
            request.respond(200, {"token": token}, "application/json", *lines)

        self.server.script(token=accept)

    def test_go_with_the_handshake(self) -> None:
        """They go with the WebSocket handshake, where their path allows."""
        self.accept_with(
            "sid=abc; Path=/", "own=1; Path=/sockets", "token=2; Path=/socket/token", "def=3"
        )
        self.ready()
        cookies = set(self.session.headers["cookie"].split("; "))
        self.assertEqual(cookies, {"sid=abc", "own=1"})

    def test_secure(self) -> None:
        """Secure cookies go over TLS alone."""
        self.accept_with("sid=abc; Path=/; Secure")
        self.ready()
        self.assertNotIn("cookie", self.session.headers)
        self.ready(host="https://server.test")
        self.assertEqual(self.session.headers["cookie"], "sid=abc")

    def test_go_with_the_next_request(self) -> None:
        """They go with the next token request, and can be replaced."""
        self.accept_with("sid=1; Path=/")
        self.ready()
        self.accept_with("sid=2; Path=/")
        self.session.drop()
        self.advance(0.1)
        self.assertEqual(self.server.tokens[1].headers["cookie"], "sid=1")
        self.assertEqual(self.session.headers["cookie"], "sid=2")

    def test_beside_those_of_the_caller(self) -> None:
        """A Cookie header of the caller's is not lost, whatever its case."""
        self.accept_with("sid=1; Path=/")
        for name in ("Cookie", "cookie"):
            self.ready(headers={name: "mine=2"})
            self.assertIn("mine=2", self.server.tokens[-1].headers["cookie"])
            self.assertEqual(self.session.headers["cookie"], "mine=2; sid=1")

    def test_of_a_refusal(self) -> None:
        """No cookie, no header."""
        self.ready()
        self.assertNotIn("cookie", self.session.headers)


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

    def test_other_statuses(self) -> None:
        """Everything else but 200 is the server's fault."""
        for status in (201, 204, 400, 404, 429, 500, 502, 503):
            error = self.fail_with(
                lambda r, status=status: r.respond(status, {"token": "t"}), TokenServerError
            )
            self.assertEqual(error.status, status)

    def test_redirect(self) -> None:
        """Redirects are not followed, credentials and all; the error says where to."""
        error = self.fail_with(
            lambda r: r.respond(
                302, b"", "", f"Location: https://other.test/token?password={SECRET}"
            ),
            TokenServerError,
        )
        self.assertIn("https://other.test/token", str(error))
        self.assertEqual(len(self.server.tokens), 1)

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
        for kind in ("text/html", "text/plain; charset=utf-8", ""):
            error = self.fail_with(
                lambda r, kind=kind: r.respond(200, {"token": "t"}, kind), TokenInvalid
            )
            self.assertIn("is this a token-sockjs server?", str(error))

    def test_kinds_of_json(self) -> None:
        """Any content type of JSON will do, in any case."""
        for kind in ("application/json; charset=utf-8", "Application/JSON", "text/json"):
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

    def test_compressed(self) -> None:
        """gzip is accepted; what only says that it is gzip is an error like any other."""

        def compressed(request: Any) -> None:
            body = gzip.compress(b'{"token":"%s"}' % self.server.issue_token().encode())
            request.respond(200, body, "application/json", "Content-Encoding: gzip")

        self.fail_with(
            lambda r: r.respond(200, b"no gzip", "application/json", "Content-Encoding: gzip"),
            TokenError,
        )
        self.server.script(token=compressed)
        self.ready()


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


class CredentialTests(TokenTestCase):
    """``authentication`` that gives none."""

    def unavailable(self, authentication: Any) -> Any:
        """The error of an attempt with it; there must be no request."""
        error = self.fail_with("accept", CredentialsUnavailable, authentication=authentication)
        self.assertEqual(self.server.tokens, [])
        return error

    def test_function_fails(self) -> None:
        """Its failure is an attempt's; its text, which may be secret, is only the cause."""

        def raising() -> Any:
            raise ValueError(SECRET)

        for authentication in (raising, lambda: fail(ValueError(SECRET))):
            error = self.unavailable(authentication)
            self.assertIn("ValueError", str(error))
            self.assertEqual(str(error.__cause__), SECRET)

    def test_function_gives_nonsense(self) -> None:
        """What has no query form is an attempt's failure, too."""
        for value in (None, 5, "user=ada", [("a", 1)], {"a": None}, {1: "a"}, {"a": {}}):
            self.unavailable(lambda value=value: value)

    def test_function_that_does_not_fire(self) -> None:
        """The deadline counts for it as well, and cancels it; so does end()."""
        cancelled = Calls()
        client = self.client(authentication=lambda: Deferred(lambda _: cancelled(1)))
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.advance(10)
        self.failure(failed, AttemptTimeout)
        self.assertEqual(len(cancelled), 1)
        self.advance(0.1)
        client.end()
        self.assertEqual(len(cancelled), 2)

    def test_mistakes_are_told_at_once(self) -> None:
        """A mapping that cannot be sent is refused by the constructor."""
        for value in ({"a": None}, {"a": float("nan")}, {"a": []}, {1: 2}, "a=b", 5):
            error = self.assertRaises(InvalidOption, self.client, authentication=value)
            self.assertIn("authentication", str(error))
