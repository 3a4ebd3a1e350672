"""
Errors say what is behind them: the attempt that failed, the loss, the missing start.
"""

from __future__ import annotations

from txtokensock import Backoff
from txtokensock.errors import (
    CallTimeout,
    ConnectionLost,
    InvalidOption,
    SockJSClosed,
    TokenRefused,
)

from ..common import ServerTestCase


class CauseTests(ServerTestCase):
    """What a user reads when nothing works."""

    def test_refused(self) -> None:
        """A call that waited in vain names the last failed attempt, as its cause too."""
        self.server.script(token=lambda request: request.respond(403, {"error": "Forbidden"}))
        client = self.started(backoff=Backoff(jitter=lambda: 1.0))
        calls = [client.rpc("f", timeout=2), client.subscribe("c")]
        self.advance(2)
        error = self.failure(calls[0], CallTimeout)
        self.assertIn("refused us: 403", str(error))
        self.assertIsInstance(error.__cause__, TokenRefused)
        self.advance(60)
        error = self.failure(calls[1], CallTimeout)
        self.assertIn("refused us: 403", str(error))
        self.assertNotIn("without publish/subscribe", str(error))
        self.assertIsInstance(error.__cause__, TokenRefused)

    def test_not_started(self) -> None:
        """A client that nobody started says so; JavaScript knows no such step."""
        client = self.client()
        call = client.rpc("f", timeout=2)
        self.advance(2)
        self.assertIn("not started", str(self.failure(call, CallTimeout)))

    def test_silent(self) -> None:
        """While connected there is nothing else to blame."""
        client = self.ready()
        call = client.rpc("f", timeout=2)
        self.settle()
        self.advance(2)
        error = self.failure(call, CallTimeout)
        self.assertEqual(str(error), "rpc 'f': no answer within 2 seconds")
        self.assertIsNone(error.__cause__)

    def test_lost(self) -> None:
        """A call whose connection was lost says why."""
        client = self.ready()
        call = client.rpc("f")
        self.settle()
        self.session.close(4000, "kicked")
        self.settle()
        error = self.failure(call, ConnectionLost)
        self.assertIn("4000 kicked", str(error))
        self.assertIsInstance(error.__cause__, SockJSClosed)

    def test_ready_after_a_loss(self) -> None:
        """Who hears of the loss by a call and waits for ``when_ready`` waits for the next."""
        client = self.ready()
        waits = []
        client.rpc("f").addErrback(lambda _: waits.append(client.when_ready()))
        self.settle()
        self.session.close(4000, "kicked")
        self.settle()
        self.pending(waits[0])
        self.advance(0.1)
        self.successResultOf(waits[0])


class OptionTests(ServerTestCase):
    """Options of the wrong type are refused when the client is made."""

    def test_types(self) -> None:
        """Each names the option."""
        for option, value in (
            ("backoff", 5),
            ("timeouts", 5),
            ("reconnect", "no"),
        ):
            error = self.assertRaises(InvalidOption, self.server.client, **{option: value})
            self.assertIn(option, str(error))
