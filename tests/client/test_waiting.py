"""
The reconnect machine between two attempts.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import (
    ClientClosed,
)

from ..common import ServerTestCase


class WaitingTests(ServerTestCase):
    """Waiting for the next attempt."""

    def waiting(self) -> Any:
        """A client that waits for a tenth of a second."""
        self.server.script(connect="refuse")
        client = self.started()
        self.advance(0.05)
        self.assertEqual(self.server.attempts, 1)
        return client

    def test_end(self) -> None:
        """end() stops the wait at once; the running timer does not connect."""
        client = self.waiting()
        self.successResultOf(client.end())
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.server.script()
        self.advance(100)
        self.assertEqual(self.server.attempts, 1)

    def test_restart(self) -> None:
        """Stopped and started, it connects at once."""
        client = self.waiting()
        self.server.script()
        client.end()
        client.startService()
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(self.server.attempts, 2)

    def test_start_again(self) -> None:
        """Starting what runs does not shorten the wait, nor add an attempt."""
        client = self.waiting()
        self.server.script()
        client.startService()
        self.settle()
        self.assertFalse(client.connected)
        self.advance(0.05)
        self.assertTrue(client.connected)
        self.assertEqual(self.server.attempts, 2)

    def test_calls_fail_at_the_end(self) -> None:
        """What waits fails with ClientClosed."""
        client = self.waiting()
        call = client.rpc("a")
        client.end()
        self.failure(call, ClientClosed)
