"""What runs a command, on a reactor that only begins it."""

from __future__ import annotations

import gc
import signal
from typing import Any
from unittest.mock import patch

import twisted.internet
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.cli.run import run_reactor


class InterruptTests(SynchronousTestCase):
    """Who takes SIGINT while a command runs."""

    def setUp(self) -> None:
        reactor = MemoryReactorClock()
        # The attribute is there only where somebody has imported the reactor.
        patched = patch.object(twisted.internet, "reactor", reactor, create=True)
        patched.start()
        self.addCleanup(patched.stop)
        self.patch(gc, "freeze", lambda: None)
        self.addCleanup(signal.signal, signal.SIGINT, signal.getsignal(signal.SIGINT))

    def during(self, before: Any) -> Any:
        """What takes the signal while the command runs, in place of ``before``."""
        signal.signal(signal.SIGINT, before)
        during = []

        async def main(reactor: Any) -> int:
            during.append(signal.getsignal(signal.SIGINT))
            return 3

        self.assertEqual(run_reactor(main), 3)
        return during[0]

    def test_ignored(self) -> None:
        """It is ignored where it was, as a shell does for what runs in the background."""
        self.assertEqual(self.during(signal.SIG_IGN), signal.SIG_IGN)

    def test_taken(self) -> None:
        """Else the command takes it, whose end Python's own would cut short."""
        during = self.during(signal.default_int_handler)
        self.assertNotIn(during, (signal.SIG_IGN, signal.SIG_DFL, signal.default_int_handler))
