"""
``support.timeouts``: one list of deadlines, one for each phase.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import AttemptTimeout, InvalidOption, Phase
from txtokensock.support.timeouts import Timeouts, Unanswered, within_phase


class WithinPhaseTests(SynchronousTestCase):
    """A step has the time of its phase."""

    def setUp(self) -> None:
        self.clock = Clock()

    def test_each_phase_has_a_deadline(self) -> None:
        """Of its own name, so that a new phase is one line in the list."""
        self.assertLessEqual(set(get_args(Phase)), {field.name for field in fields(Timeouts)})

    def test_too_late(self) -> None:
        """The step is cancelled, and the error names the phase and its time."""
        for phase in get_args(Phase):
            cancelled: list[object] = []
            step: Deferred[Any] = Deferred(cancelled.append)
            within_phase(step, phase, Timeouts(**{phase: 3}), self.clock)
            self.clock.advance(2.9)
            self.assertEqual(cancelled, [])
            self.clock.advance(0.1)
            error = self.failureResultOf(step, AttemptTimeout).value
            self.assertEqual((error.phase, cancelled), (phase, [step]))
            self.assertIn("3 seconds", str(error))

    def test_hint(self) -> None:
        """Who is cancelled may say what had not been answered."""
        step: Deferred[Any] = Deferred(lambda step: step.errback(Unanswered("no proxy")))
        within_phase(step, "connect", Timeouts(connect=1), self.clock)
        self.clock.advance(1)
        self.assertTrue(str(self.failureResultOf(step).value).endswith(": no proxy"))

    def test_in_time(self) -> None:
        """The outcome is the step's, also where somebody else cancels it; no timer is left."""
        for fire, kind in (
            (lambda step: step.callback(None), None),
            (lambda step: step.errback(ValueError()), ValueError),
            (lambda step: step.cancel(), CancelledError),
        ):
            step: Deferred[Any] = Deferred()
            within_phase(step, "open", Timeouts(), self.clock)
            fire(step)
            if kind is None:
                self.successResultOf(step)
            else:
                self.failureResultOf(step, kind)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class TimeoutsTests(SynchronousTestCase):
    """The list."""

    def test_timeouts(self) -> None:
        """Every deadline is a positive number."""
        for name in ("token", "connect", "handshake", "open", "auth", "close"):
            for value in (0, -1, float("nan"), float("inf"), "1", None):
                error = self.assertRaises(InvalidOption, Timeouts, **{name: value})
                self.assertIn(f"timeouts.{name}", str(error))
