"""
Errors in the words of each neighbour.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.error_table import ErrorKind, classify
from txtokensock.bridge.http.responses import refusal_of
from txtokensock.bridge.wamp.realm import RealmLost, RequestTimeout, WampError
from txtokensock.bridge.wamp.wamp_errors import answer_error, call_error
from txtokensock.bridge.webhooks.webhook_requests import WebhookUnreachable
from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidChannel,
    InvalidData,
    QueueFull,
    RemoteError,
    SubscriptionEnded,
    TokenSocketError,
)
from txtokensock.jsontext import loads

UPSTREAM: list[tuple[TokenSocketError, str, int, dict[str, bool], bool]] = [
    (FunctionNotFound("n"), "tokensock.error.function_not_found", 404, {}, False),
    (Forbidden("n"), "tokensock.error.forbidden", 403, {}, False),
    (RemoteError({"n": 1}), "tokensock.error.remote", 502, {}, True),
    (
        CallTimeout("n", may_have_run=True),
        "tokensock.error.timeout",
        504,
        {"may_have_run": True},
        True,
    ),
    (
        ConnectionLost("n", may_have_run=False),
        "tokensock.error.disconnected",
        503,
        {"may_have_run": False},
        False,
    ),
    (InvalidData("n"), "wamp.error.invalid_argument", 400, {}, False),
    (InvalidChannel("n"), "wamp.error.invalid_argument", 400, {}, False),
    (QueueFull("n"), "wamp.error.unavailable", 503, {}, False),
    (ClientClosed("n"), "wamp.error.unavailable", 503, {}, False),
    (SubscriptionEnded("n"), "wamp.error.unavailable", 503, {}, False),
]
"""What can fail upstream: URI, status, further data, whether asking again could do it twice."""


class TableTests(SynchronousTestCase):
    """Each row, in each column."""

    def test_upstream(self) -> None:
        """HTTP and WAMP callers get the same URI, text and doubts."""
        for problem, uri, status, kwargs, final in UPSTREAM:
            detail = getattr(problem, "error", str(problem))
            answer = refusal_of(problem).answer
            self.assertEqual((answer.status, answer.final), (status, final), problem)
            body = loads(answer.body)
            self.assertEqual(body, {"error": uri, "args": [detail], "kwargs": kwargs})
            error = call_error(problem)
            self.assertEqual((error.uri, error.args_, error.kwargs), (uri, [detail], kwargs))

    def test_neighbours(self) -> None:
        """Those of routers and webhooks have their URIs, and a status if HTTP asks for one."""
        for problem, kind in (
            (RequestTimeout("n"), ErrorKind.TIMEOUT),
            (RealmLost("n"), ErrorKind.UNAVAILABLE),
            (WebhookUnreachable("n"), ErrorKind.UNAVAILABLE),
            (CancelledError(), ErrorKind.CANCELED),
        ):
            self.assertIs(classify(problem).kind, kind)
            self.assertEqual(answer_error(problem)["error"], kind.uri)

    def test_ours(self) -> None:
        """Of an error of ours, only its type is told."""
        for error in (classify(KeyError("secret")), classify(None)):
            self.assertIs(error.kind, ErrorKind.RUNTIME_ERROR)
            self.assertNotIn("secret", str(error))

    def test_procedure(self) -> None:
        """What a procedure fails with is passed on as it is."""
        error = answer_error(WampError("com.example.no", ["why"], {"a": 1}))
        self.assertEqual(
            error,
            {"error": "com.example.no", "message": "why", "args": ["why"], "kwargs": {"a": 1}},
        )
