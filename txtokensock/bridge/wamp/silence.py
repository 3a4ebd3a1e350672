"""
When a router that owes an answer is silent.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ...support.timer import Timer

__all__ = ["Silence"]


class Silence:
    """
    A router answers in order: an answer may wait behind thousands of events.  While they come,
    the router is not silent, and its time begins anew.

    :param reactor: for the time.
    :param received: how many messages have come so far.
    :param seconds: for which none may come.
    :param silent: called when none did; or when messages came, and the answer did not for so
        many times as long.
    :param times: None to wait for the answer as long as messages come.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        received: Callable[[], int],
        seconds: float,
        silent: Callable[[], object],
        times: int | None = None,
    ) -> None:
        self._received = received
        self._seconds = seconds
        self._silent = silent
        self._left = times
        self._before = received()
        self._deadline = Timer(reactor, self._over)
        # Where something kept this process from reading, what came meanwhile has to be read
        # before anybody is judged: that is done between this turn and the next.
        self._judgement = Timer(reactor, self._judge)
        self._deadline.start(seconds)

    def stop(self) -> None:
        """The answer is there, or is not waited for any more."""
        self._deadline.stop()
        self._judgement.stop()

    def _over(self) -> None:
        self._judgement.start(0)

    def _judge(self) -> None:
        received = self._received()
        if self._left is not None:
            self._left -= 1
        if received == self._before or self._left == 0:
            self._silent()
        else:
            self._before = received
            self._deadline.start(self._seconds)
