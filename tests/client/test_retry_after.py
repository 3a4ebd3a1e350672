"""
What a server asks for when it has no time: 429 and 503, with ``Retry-After``.
"""

from __future__ import annotations

import time
from typing import Any

from txtokensock import Backoff
from txtokensock.errors import HandshakeRefused, TokenInvalid, TokenRefused, TokenServerError

from ..common import ServerTestCase


class RetryAfterTests(ServerTestCase):
    """``.status``, ``.retry_after``, and when the next attempt is."""

    def refused(self, *, seconds: float = 0.0, **steps: Any) -> Any:
        """The error of a client where the server does this and takes so long; it goes on."""
        self.server.script(**steps)
        self.socket = self.client()
        failed = self.socket.when_ready(fail_after=1)
        self.socket.startService()
        self.advance(seconds)
        self.assertEqual(self.server.open_connections, 0)
        return self.failure(failed, HandshakeRefused, TokenRefused, TokenServerError)

    def test_token_route(self) -> None:
        """It is waited for, and a fault's wait on top."""
        for status in (403, 429, 503):
            error = self.refused(
                token=lambda request, status=status: request.respond(
                    status, b"", "", "Retry-After: 7"
                )
            )
            self.assertEqual((error.status, error.retry_after), (status, 7.0))
            self.assertEqual(error.retry_in, 7.1)
            self.server.script()
            self.advance(7)
            self.assertFalse(self.socket.connected)
            self.advance(0.2)
            self.assertTrue(self.socket.connected)
            self.socket.end()
            self.settle()

    def test_handshake(self) -> None:
        """The same where the socket is answered so, by HTTP/1.0 as well."""
        for version, status in (("1.1", 503), ("1.0", 503), ("1.1", 429)):
            head = f"HTTP/{version} {status} Busy\r\nRetry-After: 7\r\n\r\n".encode()
            error = self.refused(handshake=lambda session, head=head: session.send_raw(head))
            self.assertEqual((error.status, error.retry_after), (status, 7.0))
            self.assertEqual((error.phase, error.retry_in), ("handshake", 7.1))

    def test_handshake_without(self) -> None:
        """A refusal has a status; an answer that is broken has none."""
        error = self.refused(handshake="refuse")
        self.assertEqual((error.status, error.retry_after, error.retry_in), (403, None, 60.0))
        for head in ("HTTP/1.1 101 Yes", "HTTP/1.1 9000 No", "HTTP/1.1", "SSH-2.0", "\xff"):
            answer = f"{head}\r\n\r\n".encode()
            error = self.refused(handshake=lambda session, answer=answer: session.send_raw(answer))
            self.assertEqual((error.status, error.retry_after, error.retry_in), (None, None, 0.1))

    def test_date(self) -> None:
        """A date is compared with the wall clock."""
        then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
        error = self.refused(
            token=lambda request: request.respond(503, b"", "", f"Retry-After: {then}")
        )
        self.assertTrue(95 < error.retry_after <= 100, error.retry_after)

    def test_nonsense(self) -> None:
        """What makes no sense is as if it were not there; what is too much is cut."""
        for value, expected in (("soon", None), ("-5", None), ("9" * 100, 86_400.0)):
            error = self.refused(
                token=lambda request, value=value: request.respond(
                    503, b"", "", f"Retry-After: {value}"
                )
            )
            self.assertEqual(error.retry_after, expected)
        self.assertEqual(error.retry_in, Backoff().longest_retry_after + 0.1)

    def test_body_does_not_matter(self) -> None:
        """The head of a refusal says it all, however long the body is, or takes."""
        for body, seconds in ((b"x" * 200_000, 0), (b"x", 10), (b"", 10)):
            error = self.refused(
                seconds=seconds,
                token=lambda request, body=body: request.send_raw(
                    b"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 200000\r\n\r\n" + body
                ),
            )
            self.assertEqual((error.status, error.retry_after), (503, 7.0))
            self.socket.end()

    def test_success(self) -> None:
        """It means nothing where there is no refusal."""
        self.server.script(
            token=lambda request: request.respond(200, {}, "text/plain", "Retry-After: 7")
        )
        client = self.client()
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        error = self.failure(failed, TokenInvalid)
        self.assertEqual((error.retry_after, error.retry_in), (None, 0.1))
