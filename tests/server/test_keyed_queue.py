"""
Work in order, key by key.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.server.keyed_queue import KeyedQueue, Place


class KeyedQueueTests(SynchronousTestCase):
    """``KeyedQueue``."""

    def setUp(self) -> None:
        self.queue = KeyedQueue()
        self.begun: list[str] = []

    def enter(self, key: str, name: str) -> tuple[Place, Deferred[None]]:
        """Work that notes when it begins."""
        place = self.queue.enter(key)
        waiting = Deferred.fromCoroutine(place.wait())
        waiting.addCallback(lambda _: self.begun.append(name))
        return place, waiting

    def test_order(self) -> None:
        """One key's work is done one after the other; another's does not wait for it."""
        first, _ = self.enter("a", "a1")
        second, _ = self.enter("a", "a2")
        self.enter("a", "a3")
        self.enter("b", "b1")
        self.assertEqual(self.begun, ["a1", "b1"])
        first.leave()
        self.assertEqual(self.begun, ["a1", "b1", "a2"])
        second.leave()
        self.assertEqual(self.begun, ["a1", "b1", "a2", "a3"])

    def test_given_up(self) -> None:
        """What is given up before it begins is passed over."""
        first, _ = self.enter("a", "a1")
        second, waiting = self.enter("a", "a2")
        self.enter("a", "a3")
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        second.leave()
        self.assertEqual(self.begun, ["a1"])
        first.leave()
        self.assertEqual(self.begun, ["a1", "a3"])

    def test_many(self) -> None:
        """Any number that are done as soon as they begin need no more stack than one."""
        first, _ = self.enter("a", "first")
        for _ in range(10_000):
            place, waiting = self.enter("a", "more")
            waiting.addCallback(lambda _, place=place: place.leave())
        first.leave()
        self.assertEqual(len(self.begun), 10_001)

    def test_forgotten(self) -> None:
        """A key is new again once everything of it is done."""
        for name in ("1", "2"):
            place, _ = self.enter("a", name)
            place.leave()
        self.assertEqual(self.begun, ["1", "2"])
