"""
One deadline that can be started again and again.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

__all__ = ["Timer"]


class Timer:
    """
    :param reactor: its clock.
    :param action: called when the time is over; the timer is idle again by then.
    """

    def __init__(self, reactor: IReactorTime, action: Callable[[], object]) -> None:
        self._reactor = reactor
        self._action = action
        self._call: IDelayedCall | None = None

    @property
    def running(self) -> bool:
        """Whether the action is going to be called."""
        return self._call is not None

    def start(self, seconds: float) -> None:
        """Call the action in ``seconds``, counted from now even if it was running."""
        if self._call is None:
            self._call = self._reactor.callLater(seconds, self._over)
        else:
            self._call.reset(seconds)

    def stop(self) -> None:
        """Do not call it; nothing happens if it is not running."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _over(self) -> None:
        self._call = None
        self._action()
