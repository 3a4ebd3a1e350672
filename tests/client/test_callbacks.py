"""
What the functions that a user hands in may do: ``authentication`` and a back-off policy.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock import Backoff, TokenSocket
from txtokensock.errors import AttemptTimeout

from ..common import ServerTestCase


class AuthenticationTests(ServerTestCase):
    """``authentication`` is called in the middle of an attempt."""

    def authenticating(self, *acts: Any) -> TokenSocket:
        """A started client whose ``authentication`` does these, one after the other."""
        rest = list(acts)

        def authenticate() -> dict[str, str]:
            if rest:
                rest.pop(0)(client)
            return {}

        client = self.client(authentication=authenticate)
        client.startService()
        self.settle()
        return client

    def test_end(self) -> None:
        """It may end the client, at the first attempt and at a later one."""
        for before in ([], [lambda _: self.server.script(token="refuse")]):
            ends: list[Deferred[None]] = []
            self.server.script()
            self.authenticating(*before, lambda client, ends=ends: ends.append(client.end()))
            self.advance(60)
            self.successResultOf(ends[0])
            self.assertEqual(len(self.server.tokens), len(before))
            self.assertEqual((self.server.sessions, self.server.open_connections), ([], 0))

    def test_restart(self) -> None:
        """It may restart the client: there is one connection, that of the new start."""

        def restart(client: TokenSocket) -> None:
            client.end()
            client.startService()

        client = self.authenticating(restart)
        self.assertTrue(client.connected)
        self.assertEqual(len(self.server.sessions), 1)

    def test_keeps_on(self) -> None:
        """A coroutine that catches what cancels it does not keep the attempt from ending."""

        async def authenticate() -> dict[str, str]:
            try:
                await Deferred()
            except Exception:
                return {"user": "cached"}
            raise AssertionError

        self.server.script(token="ignore")
        client = self.started(authentication=authenticate)
        ready = client.when_ready(fail_after=1)
        self.advance(10)
        self.assertEqual(self.failure(ready, AttemptTimeout).phase, "token")
        self.server.script()
        self.advance(0.1)
        self.successResultOf(client.end())
        self.assertEqual(self.server.open_connections, 0)
        self.assertEqual(self.server.tokens, [])


class Policy(Backoff):
    """Asks ``does`` how long to wait."""

    does: Any = None

    def delay(self, retry: int) -> float:
        return self.does()  # type: ignore[no-any-return]


class PolicyTests(ServerTestCase):
    """A back-off policy is asked between attempts."""

    def asking(self, does: Any) -> TokenSocket:
        """A started client that asks it."""
        policy = type("Asking", (Policy,), {"does": staticmethod(does)})(cap=5.0)
        self.socket = self.client(backoff=policy)
        self.socket.startService()
        self.settle()
        return self.socket

    def test_end(self) -> None:
        """It may end the client, after a failed attempt and after a loss."""
        for step in ("refuse", "accept"):
            ends: list[Deferred[None]] = []

            def end(ends: list[Deferred[None]] = ends) -> float:
                ends.append(self.socket.end())
                return 1.0

            self.server.script(token=step)
            self.asking(end)
            if step == "accept":
                self.session.drop()
            tokens = len(self.server.tokens)
            self.advance(60)
            self.successResultOf(ends[0])
            self.assertEqual(len(self.server.tokens), tokens)

    def test_restart(self) -> None:
        """It may restart the client, which then does not wait."""

        def restart() -> float:
            self.socket.end()
            self.socket.startService()
            return 1.0

        client = self.asking(restart)
        self.session.drop()
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(len(self.server.sessions), 2)

    def test_no_number(self) -> None:
        """What cannot be waited is logged, and the cap is waited instead."""
        for delay in (-1.0, float("nan"), float("inf"), None, "1", True, Deferred()):
            self.server.script(token="refuse")
            client = self.asking(lambda delay=delay: delay)
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1, delay)
            self.server.script()
            self.advance(4.9)
            self.assertFalse(client.connected)
            self.advance(0.2)
            self.assertTrue(client.connected, delay)
