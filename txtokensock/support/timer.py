"""
Something to do later: once, in the next turn of the reactor, or after a pause.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["NextTurn", "Pause", "Timer"]


class Timer:
    """
    One deadline that can be started again and again.

    :param reactor: its clock.
    :param action: called when the time is over; the timer is idle again by then.
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
    def due(self) -> float:
        """When, in seconds by the reactor's clock; ``math.inf`` while it is not running."""
        return math.inf if self._call is None else self._call.getTime()

    def start(self, seconds: float) -> None:
        """Call the action in ``seconds``, counted from now even if it was running."""
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


class NextTurn:
    """
    Does something in the next turn of the reactor, once, however often that is asked for:
    what all of one turn gathers is then handled together.

    :param reactor: whose turns.
    :param action: what is done; it may ask for the turn after that.
    """

    __slots__ = ("_timer",)

    def __init__(self, reactor: IReactorTime, action: Callable[[], object]) -> None:
        self._timer = Timer(reactor, action)

    @property
    def scheduled(self) -> bool:
        """Whether the action is going to be called."""
        return self._timer.running

    def schedule(self) -> None:
        """Call the action in the next turn."""
        if not self._timer.running:
            self._timer.start(0)

    def cancel(self) -> None:
        """Do not call the action; nothing happens if it was not asked for."""
        self._timer.stop()


class Pause:
    """
    A wait that somebody can end early.

    :param reactor: its clock.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._timer = Timer(reactor, self.end)
        self._over: Deferred[None] | None = None

    def wait(self, seconds: float) -> Deferred[None]:
        """
        :return: fires with None after that time, or as soon as :meth:`end` is called.
            Cancelling it fails it with ``CancelledError``.  There is one wait at a time:
            the one before is ended.
        """
        self.end()
        self._timer.start(seconds)
        over: Deferred[None] = Deferred(lambda _: self._timer.stop())
        self._over = over
        return over

    def end(self) -> None:
        """Go on now; nothing happens if nobody waits."""
        self._timer.stop()
        over, self._over = self._over, None
        if over is not None and not over.called:
            over.callback(None)
