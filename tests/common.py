"""
What the tests in memory share.
"""

from __future__ import annotations

import gc
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Backoff, TokenSocket
from txtokensock.testing import ScriptedServer, ScriptedSession

BACKOFF = Backoff(jitter=lambda: 1.0)
"""Without chance: the first retry comes after 0.1 seconds, the next after 0.2."""


def collect_garbage() -> None:
    """Failures of Deferreds that nobody looked at are logged now, and fail this test."""
    gc.collect()
    gc.freeze()  # what is left need not be looked at after every other test


class ServerTestCase(SynchronousTestCase):
    """
    With a scripted server.  After each test, every client is ended, and then neither a
    timer nor a connection may be left.

    :cvar clock_type: the time of the server and its clients.
    """

    clock_type = Clock

    def setUp(self) -> None:
        self.server = ScriptedServer(self.clock_type())
        self.addCleanup(collect_garbage)
        self.addCleanup(self.server.finish)

    def client(self, **options: Any) -> TokenSocket:
        """A client that is not started yet."""
        options.setdefault("backoff", BACKOFF)
        options.setdefault("silence_timeout", None)
        return self.server.client(**options)

    def started(self, **options: Any) -> TokenSocket:
        """A client that did all that it can without time passing."""
        client = self.client(**options)
        client.startService()
        self.server.settle()
        return client

    def ready(self, **options: Any) -> TokenSocket:
        """A client with an authenticated connection."""
        client = self.started(**options)
        self.assertTrue(client.connected)
        return client

    @property
    def session(self) -> ScriptedSession:
        """The newest session."""
        return self.server.session

    def settle(self) -> None:
        """Let everything happen that can happen without time passing."""
        self.server.settle()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.server.advance(seconds)

    def failure(self, deferred: Deferred[Any], *kinds: type[BaseException]) -> Any:
        """The exception that it failed with, which must be of one of these types."""
        return self.failureResultOf(deferred, *kinds).value

    def pending(self, deferred: Deferred[Any]) -> None:
        """It must not have fired."""
        self.assertNoResult(deferred)


class Calls(list[Any]):
    """A listener that notes what it is called with: its argument, or all of several."""

    def __call__(self, *arguments: Any) -> None:
        self.append(arguments[0] if len(arguments) == 1 else arguments)
