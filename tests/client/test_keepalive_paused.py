"""
A watched connection whose reading stops and goes on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, formatEvent, globalLogPublisher

from ..common import Calls
from .support import SubscriptionTestCase, take


class PausedTests(SubscriptionTestCase):
    """A slow loop takes turns with the network; the server is as well as ever."""

    def test_ping(self) -> None:
        """The answer to a ping has its whole time in which it can be read."""
        self.socket = self.ready(buffer_limit=2, ping_timeout=10, ping=20)
        lost = Calls()
        self.socket.on("disconnect", lost)
        iterator = aiter(self.subscribed())
        self.advance(20)
        self.publish(1, 2)
        for _ in range(5):
            self.advance(9.99)
            self.read(iterator, 2)
            self.advance(0.005)
            self.publish(1, 2)
            self.advance(0.005)
        self.assertEqual(lost, [])
        self.read(iterator, 2)
        # From now on all is read, and nothing comes.
        self.advance(20)
        self.assertEqual(len(lost), 1)

    def test_paused_for_a_while(self) -> None:
        """Where reading was stopped before the deadline, it begins again: the answer waits."""
        self.socket = self.ready(buffer_limit=2, ping_timeout=10, ping=20)
        lost = Calls()
        self.socket.on("disconnect", lost)
        iterator = aiter(self.subscribed())
        self.advance(20)
        self.publish(1, 2)
        self.advance(9.5)
        self.read(iterator, 2)
        self.advance(0.5)
        self.assertEqual(lost, [])
        self.advance(10)
        self.assertEqual(len(lost), 1)

    def test_it_is_told(self) -> None:
        """Where nothing is read for as long as a silence may last, the log says so."""
        self.socket = self.ready(buffer_limit=2, silence_timeout=60)
        lost = Calls()
        self.socket.on("disconnect", lost)
        warnings: list[str] = []

        def note(event: Any) -> None:
            if event["log_level"] is LogLevel.warn:
                warnings.append(formatEvent(event))

        globalLogPublisher.addObserver(note)
        self.addCleanup(globalLogPublisher.removeObserver, note)
        iterator = aiter(self.subscribed())
        self.advance(30)
        self.publish(1, 2)
        self.advance(60)
        self.assertEqual(warnings, [])
        self.advance(60)
        self.assertEqual(len(warnings), 1)
        self.assertIn("nothing was read for 60 seconds", warnings[0])
        self.read(iterator, 2)
        self.publish(3)
        self.advance(60)
        self.assertEqual((len(warnings), lost), (1, []))
        # Now everything is read, and nothing comes: the watch has gone on.
        self.advance(40)
        self.assertEqual((len(warnings), len(lost)), (1, 1))

    def read(self, iterator: AsyncIterator[Any], number: int) -> None:
        """Take messages, which are there."""
        self.successResultOf(Deferred.fromCoroutine(take(iterator, number)))
