"""
``support.timer``: what is done later, and the timers that it leaves.
"""

from __future__ import annotations

import math

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.timer import NextTurn, Pause, Timer


class ClockTestCase(SynchronousTestCase):
    """With a clock, on which no test leaves a timer."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.times: list[float] = []
        self.addCleanup(lambda: self.assertEqual(self.clock.getDelayedCalls(), []))

    def note(self) -> None:
        """An action: notes when it was called."""
        self.times.append(self.clock.seconds())


class TimerTests(ClockTestCase):
    """One deadline."""

    def setUp(self) -> None:
        super().setUp()
        self.timer = Timer(self.clock, self.note)

    def test_time(self) -> None:
        """The action is called once, when the time is over and not before."""
        self.timer.start(2)
        self.assertEqual((self.timer.running, self.timer.due), (True, 2))
        self.clock.advance(1.9)
        self.assertEqual(self.times, [])
        self.clock.advance(0.1)
        self.assertEqual((self.times, self.timer.running), ([2.0], False))
        self.clock.advance(9)
        self.assertEqual(len(self.times), 1)

    def test_start_again(self) -> None:
        """The time counts from the last start, whether that is later or earlier."""
        self.timer.start(2)
        self.clock.advance(1)
        self.timer.start(5)
        self.assertEqual(self.timer.due, 6)
        self.timer.start(1)
        self.clock.pump([0.5] * 20)
        self.assertEqual(self.times, [2.0])

    def test_stop(self) -> None:
        """A stopped timer calls nothing, and can be started again."""
        self.timer.stop()
        self.timer.start(1)
        self.timer.stop()
        self.assertEqual((self.timer.running, self.timer.due), (False, math.inf))
        self.clock.advance(2)
        self.timer.stop()
        self.timer.start(1)
        self.clock.advance(1)
        self.assertEqual(self.times, [3.0])

    def test_start_in_the_action(self) -> None:
        """The action finds it idle, and may start it again."""

        def action() -> None:
            self.note()
            if not timer.running and len(self.times) < 3:
                timer.start(1)

        timer = Timer(self.clock, action)
        timer.start(1)
        self.clock.pump([1] * 5)
        self.assertEqual(self.times, [1, 2, 3])

    def test_stop_in_the_action(self) -> None:
        """What clears everything up may be the action itself."""
        timer = Timer(self.clock, lambda: timer.stop())
        timer.start(1)
        self.clock.advance(1)
        self.assertFalse(timer.running)


class NextTurnTests(ClockTestCase):
    """What one turn gathers."""

    def test_once(self) -> None:
        """However often it is asked for, the action is called once, in a later turn."""
        turn = NextTurn(self.clock, self.note)
        for _ in range(3):
            turn.schedule()
        self.assertEqual((self.times, turn.scheduled), ([], True))
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(0)
        self.assertEqual((self.times, turn.scheduled), ([0], False))

    def test_asked_for_in_the_action(self) -> None:
        """It is called again."""

        def action() -> None:
            self.note()
            if len(self.times) < 2:
                turn.schedule()

        turn = NextTurn(self.clock, action)
        turn.schedule()
        self.clock.pump([1, 1])
        self.assertEqual(len(self.times), 2)

    def test_cancel(self) -> None:
        """Nothing is called, and it can be asked for again."""
        turn = NextTurn(self.clock, self.note)
        turn.cancel()
        turn.schedule()
        turn.cancel()
        self.clock.advance(1)
        self.assertEqual(self.times, [])
        turn.schedule()
        self.clock.advance(0)
        self.assertEqual(self.times, [1])


class PauseTests(ClockTestCase):
    """A wait that can be ended."""

    def setUp(self) -> None:
        super().setUp()
        self.pause = Pause(self.clock)

    def test_time(self) -> None:
        """It is over when its time is."""
        waiting = self.pause.wait(3)
        self.clock.advance(2)
        self.assertNoResult(waiting)
        self.clock.advance(1)
        self.assertIs(self.successResultOf(waiting), None)

    def test_end(self) -> None:
        """It can be ended early, and then begin anew."""
        self.pause.end()
        waiting = self.pause.wait(3)
        self.pause.end()
        self.successResultOf(waiting)
        again = self.pause.wait(3)
        self.clock.advance(2)
        self.assertNoResult(again)
        self.clock.advance(1)
        self.successResultOf(again)

    def test_wait_again(self) -> None:
        """Another wait ends the one before."""
        first, second = self.pause.wait(3), self.pause.wait(5)
        self.successResultOf(first)
        self.clock.advance(4)
        self.assertNoResult(second)
        self.clock.advance(1)
        self.successResultOf(second)

    def test_cancel(self) -> None:
        """Who waits no longer leaves no timer, and a later end does nothing."""
        waiting = self.pause.wait(3)
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.pause.end()
