"""
Errors that many hear of do not collect what they passed on the way.
"""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred

from txtokensock import TokenSocket
from txtokensock.errors import TokenSocketError

from ..common import ServerTestCase

ASK: list[Callable[[TokenSocket], Deferred[Any]]] = [
    lambda client: client.rpc("f"),
    lambda client: client.subscribe("a"),
    lambda client: client.subscribe("b"),
    lambda client: client.when_ready(),
]


class TracebackTests(ServerTestCase):
    """Coroutines that wait for a client that ends, and that ask it again and again."""

    def setUp(self) -> None:
        super().setUp()
        self.depths: list[int] = []

    async def wait(self, asked: Awaitable[Any]) -> None:
        """Wait, and note how many frames the error shows."""
        try:
            await asked
        except TokenSocketError as problem:
            self.depths.append(len(traceback.extract_tb(problem.__traceback__)))

    def ask(self, client: TokenSocket) -> None:
        """Everything, often."""
        for _ in range(10):
            for ask in ASK:
                Deferred.fromCoroutine(self.wait(ask(client)))

    def test_end(self) -> None:
        """Each sees its own frames: of the end, and of calls after it."""
        client = self.client()
        self.ask(client)
        client.end()
        self.ask(client)
        self.assertEqual(len(self.depths), 20 * len(ASK))
        self.assertLess(max(self.depths), 20)

    def test_gave_up(self) -> None:
        """So it is where the client gave up, and the reason is still at hand."""
        self.server.script(connect="refuse")
        client = self.client(reconnect=False)
        self.ask(client)
        client.startService()
        self.settle()
        self.ask(client)
        self.assertEqual(len(self.depths), 20 * len(ASK))
        self.assertLess(max(self.depths), 20)
        problem = self.failure(client.rpc("f"), TokenSocketError)
        self.assertEqual(problem.__cause__.phase, "connect")
        self.assertIn("gave up", str(problem))

    def test_subscription_ended(self) -> None:
        """Loops over a subscription that the server ended all get the same error."""
        client = self.ready()
        subscribing = client.subscribe("a")
        self.settle()
        self.session.subscribed("a")
        self.settle()
        subscription = self.successResultOf(subscribing)
        self.session.unsubscribed("a")
        self.settle()
        for _ in range(20):
            Deferred.fromCoroutine(self.wait(anext(aiter(subscription))))
        self.assertEqual(len(self.depths), 20)
        self.assertLess(max(self.depths), 10)
