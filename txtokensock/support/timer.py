"""
Timers: a time, a deadline of a peer's, the next turn of the reactor, and a wait that can be ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Deadline", "NextTurn", "Pause", "Timer"]

_HELD_UP = 0.5
"""Seconds by which a deadline must be noticed late for the reactor to have been held up."""

_TURNS = 100
"""
Turns that are waited for then.  One reads 64 KiB of a socket, and the kernel may have gathered
6 MiB.
"""


class Timer:
    """
    Calls a function when a time is over, and can be started again.

    :param reactor: its clock.
    :param action: called when the time is over; the timer is no longer running then.
    """

    __slots__ = ("_action", "_call", "_reactor")

    def __init__(self, reactor: IReactorTime, action: Callable[[], object]) -> None:
        self._reactor = reactor
        self._action = action
        self._call: IDelayedCall | None = None

    @property
    def running(self) -> bool:
        """Whether the action is going to be called."""
        return self._call is not None

    @property
    def noticed(self) -> float:
        """Up to when what is due is over, in seconds of the reactor's clock: now."""
        return self._reactor.seconds()

    @property
    def due(self) -> float:
        """When, in seconds of the reactor's clock; ``math.inf`` while it is not running."""
        return math.inf if self._call is None else self._call.getTime()

    def start(self, seconds: float) -> None:
        """Call the action in ``seconds`` from now; a deadline that was set before is dropped."""
        if self._call is None:
            self._call = self._reactor.callLater(seconds, self._over)
        else:
            self._call.reset(seconds)

    def stop(self) -> None:
        """Do not call the action; nothing happens if the timer is not running."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _over(self) -> None:
        self._call = None
        self._action()


class Deadline(Timer):
    """
    A timer for what a peer has to do in time.  It is over only after the network was read once
    more, and many times where the reactor was held up, by a function that took long or because
    the process was stopped: what has arrived meanwhile still counts.
    """

    __slots__ = ("_noticed", "_turns")

    def __init__(self, reactor: IReactorTime, action: Callable[[], object]) -> None:
        super().__init__(reactor, action)
        self._turns = 0
        self._noticed = 0.0

    @property
    def noticed(self) -> float:
        """When the time was over: what was due later has not been judged yet."""
        return self._noticed

    @property
    def held_up(self) -> bool:
        """Whether the time is over, which was noticed late, and the network is still read."""
        return self._turns > 1

    def start(self, seconds: float) -> None:
        self._turns = 0
        super().start(seconds)

    def _over(self) -> None:
        if self._turns == 1:
            self._turns = 0
            super()._over()
            return
        if self._turns:
            self._turns -= 1
        else:
            self._noticed = self._reactor.seconds()
            assert self._call is not None
            late = self._noticed - self._call.getTime()
            self._turns = _TURNS if late > _HELD_UP else 1
        # The reactor handles what is ready to be read before what is called later.
        self._call = self._reactor.callLater(0, self._over)


class NextTurn(Timer):
    """
    Calls a function in the next turn of the reactor, once, however often it is scheduled: so
    what one turn gathers is handled together.  The function may schedule itself for the turn
    after.
    """

    __slots__ = ()

    scheduled = Timer.running
    cancel = Timer.stop

    def schedule(self) -> None:
        """Call the action in the next turn."""
        if self._call is None:
            self._call = self._reactor.callLater(0, self._over)


class Pause:
    """
    A wait that can be ended early.

    :param reactor: its clock.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._timer = Timer(reactor, self.end)
        self._over: Deferred[None] | None = None

    def wait(self, seconds: float) -> Deferred[None]:
        """
        :return: fires with None after that time, or as soon as :meth:`end` is called.
            Cancelling it fails it with ``CancelledError``.  There is one wait at a time: an
            earlier one is ended.
        """
        self.end()
        self._timer.start(seconds)
        over: Deferred[None] = Deferred(lambda _: self._timer.stop())
        self._over = over
        return over

    def hasten(self, seconds: float) -> None:
        """End the wait in so many seconds, unless it ends before, or there is none."""
        if self._timer.running and self._timer.due > self._reactor.seconds() + seconds:
            self._timer.start(seconds)

    def end(self) -> None:
        """End the wait now; nothing happens if there is none."""
        self._timer.stop()
        over, self._over = self._over, None
        if over is not None and not over.called:
            over.callback(None)
