"""The soak notices where a client is not subscribed to what was asked for."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.server import Peer, TokenSocketServer, query
from txtokensock.testing import MemoryServer

from .ledger import Calls
from .listening import Listening
from .verdict import Verdict


class ListeningTests(SynchronousTestCase):
    """:class:`Listening`, with a real client and a real server, in memory"""

    def setUp(self) -> None:
        self.verdict = Verdict(lambda rule, details: None)
        memory = self.memory = MemoryServer(
            lambda clock: TokenSocketServer(query, actions={"probe": self.answer}, reactor=clock)
        )
        self.socket = memory.client()
        self.calls = Calls(self.verdict, memory.clock)
        self.listening = Listening(
            "ada", self.socket, self.calls, self.verdict, random.Random(1), memory.clock
        )
        self.socket.startService()
        self.listening.keep()
        memory.settle()
        self.addCleanup(self._end)

    def _end(self) -> None:
        ends = [self.socket.stopService(), self.memory.server.stopService()]
        self.memory.advance(30)
        for end in ends:
            self.successResultOf(end)

    async def answer(self, data: Any, peer: Peer) -> None:
        """What the soak's server does."""
        for channel in data["channels"]:
            await self.memory.server.publish(channel, {"probe": data["probe"]})

    def found(self) -> set[str]:
        """The rules that are broken now, after a look and a probe."""
        self.listening.compare()
        probe = Deferred.fromCoroutine(self.listening.probe("probe"))
        self.memory.settle()
        for _ in range(100):
            self.memory.advance(0.2)
        self.successResultOf(probe)
        rules = set(self.verdict.broken)
        self.verdict.broken.clear()
        return rules

    def test_well(self) -> None:
        """All is as asked, however often subscriptions change."""
        for _ in range(100):
            self.listening.change()
        self.memory.settle()
        self.assertEqual(self.found(), set())
        self.calls.settle()
        self.assertEqual(self.verdict.broken, {})

    def test_ended(self) -> None:
        """A subscription that is gone is found."""
        self.socket.unsubscribe(self.listening.own)
        self.memory.settle()
        self.assertEqual(
            self.found(),
            {
                "subscriptions are not as asked",
                "a subscription is dead",
                "a subscription does not hear its channel once",
                "other channels are heard than asked for",
            },
        )

    def test_too_much(self) -> None:
        """So is one that was not asked for."""
        self.socket.subscribe(self.listening.channels[-1], lambda message: None)
        self.memory.settle()
        self.assertEqual(
            self.found(),
            {"subscriptions are not as asked", "other channels are heard than asked for"},
        )

    def test_not_told(self) -> None:
        """So is one that the server knows nothing of."""
        (peer,) = self.memory.server.peers()
        self.memory.server._hub.unsubscribe(peer, self.listening.own)
        self.assertEqual(
            self.found(),
            {
                "a subscription does not hear its channel once",
                "other channels are heard than asked for",
            },
        )

    def test_heard_twice(self) -> None:
        """So is one that hears everything twice."""
        ear = self.listening.ears[0]
        assert ear.subscription is not None
        deliver = ear.subscription.deliver

        def twice(message: Any) -> None:
            deliver(message)
            deliver(message)

        ear.subscription.deliver = twice  # type: ignore[method-assign]
        self.assertEqual(self.found(), {"a subscription does not hear its channel once"})
