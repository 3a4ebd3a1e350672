"""
The check that every row goes through finds what is not true.
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.truth import untruth
from txtokensock.errors import CallTimeout, ClientClosed, ConnectionLost, Forbidden, QueueFull


class UntruthTests(SynchronousTestCase):
    """What the client says, and how often the peer has it."""

    def test_success(self) -> None:
        """It says that a request arrived, unless nobody acknowledges."""
        self.assertEqual(untruth("done", 1), "")
        self.assertIn("never arrived", untruth("done", 0))
        self.assertIn("never arrived", untruth(None, 0, wasted=1))
        self.assertEqual(untruth(None, 0, promised=False), "")

    def test_twice(self) -> None:
        """Only what is idempotent arrives twice."""
        self.assertIn("twice", untruth("done", 2))
        self.assertEqual(untruth("done", 2, again=True), "")

    def test_may_have_run(self) -> None:
        """What arrived, or came too late, may have run."""
        for error in (CallTimeout, ConnectionLost):
            self.assertEqual(untruth(error("late", may_have_run=True), 1), "")
            self.assertEqual(untruth(error("late", may_have_run=False), 0), "")
            for arrived, wasted in ((1, 0), (0, 1)):
                said = untruth(error("late", may_have_run=False), arrived, wasted=wasted)
                self.assertIn("never sent", said)

    def test_never_sent(self) -> None:
        """What the client refused by itself has not left it."""
        for error in (ClientClosed("ended"), QueueFull("full")):
            self.assertEqual(untruth(error, 0), "")
            self.assertIn("never sent", untruth(error, 1))

    def test_other_errors(self) -> None:
        """A refusal is that of a peer; a request fails with nothing else, but its cancelling."""
        self.assertEqual(untruth(Forbidden("no"), 1), "")
        self.assertIn("nobody", untruth(Forbidden("no"), 0))
        self.assertEqual(untruth(CancelledError(), 1), "")
        self.assertIn("no request", untruth(RuntimeError("oops"), 0))
