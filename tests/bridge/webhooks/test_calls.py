"""Calls of the server, answered by a webhook."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from tests.bridge.webhooks.support import WebhooksTestCase
from txtokensock.errors import FunctionNotFound, RemoteError


class CallTests(WebhooksTestCase):
    """One request, one answer."""

    def ask(self, name: str = "notify", data: Any = None) -> Deferred[Any]:
        """Call it from the server."""
        (peer,) = self.memory.server.peers()
        asked = peer.rpc(name, data, timeout=30)
        self.settle()
        return asked

    def error(self, name: str = "notify", data: Any = None) -> Any:
        """What it is answered with."""
        return self.failureResultOf(self.ask(name, data), RemoteError).value.error

    def test_answer(self) -> None:
        """JSON is what it says, other text is text, nothing is null."""
        self.start(self.call("user.notify"), spool=None)
        for kind, content, expected in (
            ("application/json", b'{"ok":[1]}', {"ok": [1]}),
            ("application/problem+json; charset=utf-8", b"5", 5),
            ("text/plain", "é".encode(), "é"),
            ("application/json", b"", None),
        ):
            self.webhook.answer = lambda _, kind=kind, content=content: (
                200,
                {"Content-Type": kind},
                content,
            )
            self.assertEqual(self.successResultOf(self.ask("user.notify", {"a": 1})), expected)
        self.assertEqual(self.webhook.bodies[0], {"action": "user.notify", "data": {"a": 1}})
        self.assertEqual(len(set(self.webhook.ids)), 4)
        self.assertEqual(
            (self.count("in", "user.notify"), self.count("out", "user.notify")), (4, 4)
        )
        self.failureResultOf(self.ask("user"), FunctionNotFound)

    def test_refused(self) -> None:
        """Any other status is an error, with what the webhook said; it is not tried again."""
        self.start(self.call())
        self.webhook.answer = lambda _: (422, {"Content-Type": "application/json"}, b'{"why":1}')
        self.assertEqual(
            self.error(),
            {
                "error": "tokensock.error.remote",
                "message": "the webhook answered 422",
                "status": 422,
                "data": {"why": 1},
            },
        )
        self.webhook.answer = lambda _: (503, {"Content-Type": "application/json"}, b"<html>")
        self.assertEqual(
            self.error(),
            {
                "error": "tokensock.error.remote",
                "message": "the webhook answered 503",
                "status": 503,
                "data": None,
            },
        )
        self.advance(60)
        self.assertEqual(len(self.webhook.requests), 2)
        self.assertEqual((self.count("refused", "notify"), self.count("out", "notify")), (2, 0))

    def test_nonsense(self) -> None:
        """What cannot be passed on is an error too."""
        self.start(self.call())
        for kind, content, problem in (
            ("application/json", b"{", "the webhook did not answer with valid JSON"),
            ("image/png", b"\xff\xfe", "neither JSON nor text"),
            ("text/plain", b"x" * (1024 * 1024 + 1), "more than 1 MiB"),
        ):
            self.webhook.answer = lambda _, kind=kind, content=content: (
                200,
                {"Content-Type": kind},
                content,
            )
            self.assertIn(problem, self.error()["message"])

    def test_more_than_the_server_takes(self) -> None:
        """An answer that fits in here, and not in a message: the caller alone is told."""
        self.start(self.call())
        deep = b"[" * 64 + b"]" * 64
        for kind, content, limit in (
            ("text/plain", b"x" * (1024 * 1024), "message_size"),
            ("application/json", deep, "json_depth"),
        ):
            self.webhook.answer = lambda _, kind=kind, content=content: (
                200,
                {"Content-Type": kind},
                content,
            )
            self.assertIn(limit, self.error())
            self.webhook.answer = lambda _: (200, {}, b"")
            self.assertIsNone(self.successResultOf(self.ask()))
        self.assertTrue(self.socket.connected)

    def test_no_answer(self) -> None:
        """The caller is answered in time, whatever the webhook does."""
        side = self.start(self.call(timeout=2.0))
        self.webhook.answer = lambda _: None
        asked = self.ask()
        self.advance(1.9)
        self.assertNoResult(asked)
        self.advance(0.1)
        error = self.failureResultOf(asked, RemoteError).value.error
        self.assertEqual(
            error,
            {
                "error": "wamp.error.unavailable",
                "message": "the webhook gave no answer: no answer within 2 seconds",
            },
        )
        self.assertFalse(side.state().up)
        self.webhook.held.clear()
        self.webhook.reachable = False
        self.assertIn("gave no answer: Connection was refused", self.error()["message"])

    def test_one_after_the_other(self) -> None:
        """A call that was answered, or failed, makes room for the next."""
        self.start(self.call(concurrency=1))
        for status in (200, 500, 200):
            self.webhook.answer = lambda _, status=status: (status, {}, b"")
            answered = self.ask()
            if status == 200:
                self.assertIsNone(self.successResultOf(answered))
            else:
                error = self.failureResultOf(answered, RemoteError).value.error
                self.assertEqual(error["status"], 500)

    def test_concurrency(self) -> None:
        """More than so many at once are answered with an error, at once."""
        self.start(self.call(concurrency=2))
        self.webhook.answer = lambda _: None
        asked = [self.ask(), self.ask()]
        self.assertEqual(
            self.error(),
            {
                "error": "tokensock.error.too_many_requests",
                "message": "too many calls at once",
            },
        )
        for request in self.webhook.held:
            request.finish()
        self.settle()
        self.assertEqual([self.successResultOf(each) for each in asked], [None, None])

    def test_allowed_headers(self) -> None:
        """As for messages: the data of the call sets what is on the list."""
        self.start(self.call(allow_headers=("Authorization",)))
        self.ask(data={"headers": {"authorization": "Bearer x", "Cookie": "a=1"}})
        ((_, _, headers, _),) = self.webhook.requests
        self.assertEqual(headers["authorization"], "Bearer x")
        self.assertNotIn("cookie", headers)

    def test_cookies(self) -> None:
        """Cookies that a webhook sets are not kept: callers have nothing to do with each other."""
        self.start(self.call())
        self.webhook.answer = lambda _: (200, {"Set-Cookie": "a=1"}, b"")
        self.ask()
        self.ask()
        self.assertNotIn("cookie", self.webhook.requests[1][2])

    def test_stop(self) -> None:
        """A stop waits for what is in flight, but not for ever."""
        for answered in (True, False):
            side = self.start(self.call(timeout=60.0))
            self.webhook.answer = lambda _: None
            asked = self.ask()
            stopped = side.stopService()
            self.settle()
            self.assertNoResult(stopped)
            self.failureResultOf(self.ask(), FunctionNotFound)
            if answered:
                self.webhook.held.pop().finish()
                self.settle()
                self.assertIsNone(self.successResultOf(asked))
            else:
                self.advance(5)
                error = self.failureResultOf(asked, RemoteError).value.error
                self.assertEqual(
                    error,
                    {
                        "error": "wamp.error.canceled",
                        "message": "the bridge stopped before the answer",
                    },
                )
            self.advance(5)
            self.successResultOf(stopped)

    def test_taken(self) -> None:
        """An action that somebody else registered stays; that is an error in the log."""
        self.socket.register({"notify": lambda data: "mine"})
        self.stop(self.start(self.call(), spool=None))
        self.start(self.call("notify.deep"), spool=None)
        self.assertEqual(self.successResultOf(self.ask()), "mine")
        self.failureResultOf(self.ask("notify.deep"), FunctionNotFound)
        self.assertEqual(self.webhook.requests, [])

    def test_given_up(self) -> None:
        """A name that is taken at first is registered when it is free."""
        self.socket.register({"notify": lambda data: "mine"})
        self.start(self.call(), spool=None)
        self.socket.unregister("notify")
        self.advance(1)
        self.assertIsNone(self.successResultOf(self.ask()))
        self.assertEqual(len(self.webhook.requests), 1)

    def test_reload(self) -> None:
        """Calls follow the rules of a reload; one that is gone is not found."""
        side = self.start(self.call("a.b"), self.call("a.c"))
        self.successResultOf(self.ask("a.b"))
        side.reload(self.section(self.call("a.c", url="http://hooks.test/new"), self.call("d")))
        self.failureResultOf(self.ask("a.b"), FunctionNotFound)
        self.successResultOf(self.ask("a.c"))
        self.successResultOf(self.ask("d"))
        self.assertEqual([path for _, path, _, _ in self.webhook.requests], ["/in", "/new", "/in"])
        side.reload(self.section())
        self.assertEqual(self.socket.actions, {})
