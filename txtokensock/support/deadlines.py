"""
Many deadlines on one timer.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import takewhile
from typing import Generic, Protocol, TypeVar

from twisted.internet.interfaces import IReactorTime

from .timer import Deadline, Timer

__all__ = ["Deadlines", "Late"]

T = TypeVar("T")

_FEW = 64
"""Empty lines that are not worth tidying up."""


class Late(Protocol):
    """Something that knows what to do when its time is over."""

    def late(self) -> None:
        """End, unless it was done before; it must not raise."""


class Deadlines(Generic[T]):
    """
    Notices what has taken too long.

    What may take equally long is due in the order in which it was added: each such line is a
    dictionary, and one timer waits for the earliest of all.  To add something to a line, or to
    remove it, sets no timer: that is left to wait for what was the first of the line once, and
    looks for the next one then.

    :param reactor: for the timer.
    :param expired: called with what is over, in the order of deadlines; it was removed.
    :param timer: of which kind: what no peer has to do in time needs no :class:`Deadline`.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        expired: Callable[[list[T]], object],
        timer: type[Timer] = Deadline,
    ) -> None:
        self._reactor = reactor
        self._expired = expired
        self._lines: dict[float, dict[T, float]] = {}  # when each is due, in that order
        self._firsts: list[tuple[float, float]] = []  # a heap: when to look at each line, its key
        self._tidy_at = _FEW
        self._due = math.inf  # when the timer was set to be over
        self._timer = timer(reactor, self._look)

    def __len__(self) -> int:
        """How many deadlines are waited for."""
        return sum(map(len, self._lines.values()))

    def add(self, item: T, seconds: float, begun: float) -> None:
        """
        :param item: what has so much time, unless it is removed before.
        :param seconds: the time.
        :param begun: since when, in seconds of the reactor's clock: now, or shortly before.
        """
        due = begun + seconds
        line = self._lines.get(seconds)
        if line is None:
            line = self._begin(seconds, due)
        line[item] = due

    def remove(self, item: T, seconds: float) -> None:
        """
        It is done; nothing happens if it is not there.

        :param seconds: with which it was added.
        """
        line = self._lines.get(seconds)
        if line is not None:
            line.pop(item, None)

    def stop(self) -> None:
        """Forget all; no timer is left."""
        self._lines.clear()
        self._firsts.clear()
        self._due = math.inf
        self._timer.stop()

    def _begin(self, seconds: float, due: float) -> dict[T, float]:
        if len(self._lines) >= self._tidy_at:
            self._tidy()
        line = self._lines[seconds] = {}
        heappush(self._firsts, (due, seconds))
        self._wait()
        return line

    def _tidy(self) -> None:
        """Forget the lines that are empty, which come of many times that are all different."""
        self._lines = {seconds: line for seconds, line in self._lines.items() if line}
        self._firsts = [first for first in self._firsts if first[1] in self._lines]
        heapify(self._firsts)
        self._tidy_at = max(_FEW, 2 * len(self._lines))

    def _wait(self) -> None:
        if self._firsts and self._firsts[0][0] < self._due:
            self._due = self._firsts[0][0]
            self._timer.start(max(0.0, self._due - self._reactor.seconds()))

    def _look(self) -> None:
        now = self._timer.noticed
        self._due = math.inf
        late: list[tuple[T, float]] = []
        while self._firsts and self._firsts[0][0] <= now:
            seconds = heappop(self._firsts)[1]
            line = self._lines[seconds]
            over = [*takewhile(lambda entry: entry[1] <= now, line.items())]
            for item, _ in over:
                del line[item]
            late += over
            if line:
                heappush(self._firsts, (next(iter(line.values())), seconds))
            else:
                del self._lines[seconds]
        self._wait()
        if late:
            late.sort(key=lambda entry: entry[1])
            self._expired([item for item, _ in late])
