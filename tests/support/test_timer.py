"""
``support.timer``: what is done later, and the timers that it leaves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.defer import CancelledError
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.timer import Deadline, NextTurn, Pause, Timer


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


class TurnByTurn(Clock):
    """
    A reactor whose clock stands still within a turn, and goes on however long one took.

    :ivar reads: what is called once in each turn, as sockets are read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: Callable[[], object] = lambda: None

    def turn(self, seconds: float = 0) -> None:
        """What was due before, and then what can be read, which takes so long."""
        due = [call for call in self.getDelayedCalls() if call.getTime() <= self.seconds()]
        for call in sorted(due, key=lambda call: call.getTime()):
            if call.active():
                self.calls.remove(call)  # type: ignore[arg-type]
                call.called = 1  # type: ignore[attr-defined]
                call.func(*call.args, **call.kw)  # type: ignore[attr-defined]
        self.reads()
        self.rightNow += seconds


class DeadlineTests(SynchronousTestCase):
    """What has arrived in time counts, even if nobody has looked."""

    def setUp(self) -> None:
        self.reactor = TurnByTurn()
        self.over: list[float] = []
        self.deadline = Deadline(self.reactor, lambda: self.over.append(self.reactor.seconds()))

    def test_read_before_it_is_judged(self) -> None:
        """What is read in the turn in which the time is over stops it."""
        self.deadline.start(2)
        self.reactor.turn(2)
        self.reactor.reads = self.deadline.stop
        for _ in range(3):
            self.reactor.turn()
        self.assertEqual(self.over, [])
        self.assertFalse(self.deadline.running)

    def test_nothing_came(self) -> None:
        """If nothing was read, it is over in the turn after."""
        self.deadline.start(2)
        self.reactor.turn(2)
        self.reactor.turn()
        self.assertEqual(self.over, [])
        self.assertTrue(self.deadline.running)
        self.reactor.turn()
        self.assertEqual(self.over, [2])
        self.assertFalse(self.deadline.running)

    def test_held_up(self) -> None:
        """After a turn that took long, as much is read as the kernel may have gathered."""
        self.deadline.start(2)
        self.reactor.turn(60)
        arrived = [b""] * 90
        self.reactor.reads = lambda: arrived.pop() if arrived else self.deadline.stop()
        for _ in range(120):
            self.reactor.turn()
        self.assertEqual((self.over, arrived), ([], []))

    def test_held_up_for_nothing(self) -> None:
        """It is over all the same, and soon."""
        self.deadline.start(2)
        self.reactor.turn(60)
        for _ in range(101):
            self.reactor.turn()
        self.assertEqual(self.over, [60])
        self.assertEqual(self.deadline.noticed, 60)

    def test_started_again_while_it_is_judged(self) -> None:
        """Then the new time counts, and is judged as the first."""
        self.deadline.start(2)
        self.reactor.turn(2)
        self.reactor.turn()
        self.deadline.start(3)
        self.reactor.turn(2.9)
        self.reactor.turn(0.1)
        self.reactor.turn()
        self.assertEqual(self.over, [])
        self.reactor.turn()
        self.assertEqual(self.over, [5])


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
