"""
The token request.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txtokensock.errors import (
    AttemptTimeout,
    CredentialsUnavailable,
    InvalidOption,
)

from ..common import Calls
from .support import SECRET, TokenTestCase


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
        """Headers go with the request and with the handshake."""
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

    def test_of_the_handshake(self) -> None:
        """What the answer to the handshake sets counts from then on."""
        cookies = ("a=1; Path=/; Expires=Wed, 01 Jan 2098 00:00:00 GMT", "b=2; Path=/")
        headers = [f"Set-Cookie: {cookie}" for cookie in cookies]
        self.server.script(handshake=lambda session: session.accept_handshake(*headers))
        self.ready()
        self.session.drop()
        self.advance(0.1)
        for request in (self.server.tokens[1], self.session):
            self.assertEqual(request.headers["cookie"], "a=1; b=2")

    def test_that_are_not_ascii(self) -> None:
        """They go back as they came, or not at all: none keeps the client from connecting."""

        def sent_to(request: Any) -> str:
            return str(request.headers["cookie"].encode("latin-1").decode())

        self.accept_with("name=José; Path=/", "bell=\a; Path=/")
        self.ready()
        self.assertEqual(sent_to(self.session), "name=José")
        headers = ["Set-Cookie: other=Zoë; Path=/", "Set-Cookie: cr=a\rX-Evil: b; Path=/"]
        self.server.script(handshake=lambda session: session.accept_handshake(*headers))
        for cookies in ("name=José", "name=José; other=Zoë"):
            self.session.drop()
            self.advance(0.2)
            self.assertEqual(sent_to(self.server.tokens[-1]), cookies)
            self.assertEqual(sent_to(self.session), cookies)

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
