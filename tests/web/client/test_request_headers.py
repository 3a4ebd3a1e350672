"""
The headers of an attempt.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from txtokensock.errors import ConnectFailed, CredentialsUnavailable, InvalidOption

from ...common import Calls, ServerTestCase
from ...sockjs.client.support import EndpointTestCase


class FunctionTests(ServerTestCase):
    """``headers`` that is a function."""

    def test_asked_once_for_each_attempt(self) -> None:
        """The token request and the handshake of one attempt get the same headers."""
        asked: list[str] = []

        def headers() -> dict[str, str]:
            asked.append(f"{len(asked) + 1}")
            return {"X-Attempt": asked[-1]}

        self.ready(headers=headers)
        self.session.drop()
        self.advance(0.1)
        for requests in (self.server.tokens, self.server.sessions):
            self.assertEqual([one.headers["x-attempt"] for one in requests], ["1", "2"])
        self.assertEqual(asked, ["1", "2"])

    def test_kinds(self) -> None:
        """A Deferred or a coroutine of a mapping will do as well."""

        async def coroutine() -> dict[str, str]:
            return await succeed({"X-Kind": "coroutine"})

        for headers, kind in (
            (lambda: succeed({"X-Kind": "deferred"}), "deferred"),
            (coroutine, "coroutine"),
        ):
            self.ready(headers=headers)
            self.assertEqual(self.session.headers["x-kind"], kind)

    def test_that_give_none(self) -> None:
        """One that fails, or gives what no header can be, fails the attempt; not its text."""
        for headers in (
            lambda: fail(ValueError("s3cret")),
            lambda: {"X-A": "s3cret\r\nX-B: c"},
            lambda: None,
            lambda: {"X-A": 1},
        ):
            heard = Calls()
            client = self.client(headers=headers)
            client.on("ready", heard)
            client.startService()
            self.settle()
            (error,) = heard
            self.assertIsInstance(error, CredentialsUnavailable)
            self.assertNotIn("s3cret", str(error))
            client.end()
            self.settle()
        self.assertEqual(self.server.tokens, [])

    def test_that_never_give_any(self) -> None:
        """The deadline of the token request counts, and cancels them."""
        cancelled = Calls()
        waiting: Deferred[Any] = Deferred(lambda _: cancelled(True))
        client = self.client(headers=lambda: waiting)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.advance(10)
        self.assertEqual(self.failure(failed, Exception).phase, "token")
        self.assertEqual(len(cancelled), 1)

    def test_that_stop_the_client(self) -> None:
        """They may do anything."""

        def headers() -> dict[str, str]:
            client.end()
            return {}

        client = self.started(headers=headers)
        self.assertFalse(client.connected)


class UserAgentTests(ServerTestCase):
    """``User-Agent``."""

    def test_default(self) -> None:
        """It goes with everything."""
        self.ready()
        for request in (self.server.tokens[0], self.session):
            self.assertRegex(request.headers["user-agent"], r"^txtokensock/[0-9.]+$")

    def test_replaced(self) -> None:
        """Whatever its case."""
        self.ready(headers={"user-agent": "mine/1"})
        for request in (self.server.tokens[0], self.session):
            self.assertEqual(request.headers["user-agent"], "mine/1")


class SockJSTests(EndpointTestCase):
    """Without tokens."""

    def test_function(self) -> None:
        """The endpoint asks as well."""
        self.connected(headers=lambda: {"X-A": "b"})
        self.assertEqual(self.session.headers["x-a"], "b")

    def test_function_that_fails(self) -> None:
        """The attempt fails before anything is connected."""

        def headers() -> None:
            raise ValueError("s3cret")

        error = self.failureResultOf(self.connecting(headers=headers), ConnectFailed).value
        self.assertEqual(error.phase, "connect")
        self.assertIn("headers() raised ValueError", str(error))
        self.assertEqual(self.server.attempts, 0)

    def test_mistakes(self) -> None:
        """A mapping is checked at once."""
        names = ({"a b": "c"}, {"": "c"}, {"a(b)": "c"}, {"ä": "c"}, {"a": 1}, ["a"], 5)
        values = ({"a": f"b{mark}c"} for mark in "\0\r\n\v\f\ud800")
        for headers in (*names, *values):
            with self.assertRaises(InvalidOption):
                self.endpoint(headers=headers)
