"""
Many deadlines on one timer.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from twisted.internet.interfaces import IReactorTime

from ..support.timer import Deadline
from .request import Request

__all__ = ["RequestDeadlines"]

_FEW = 64
"""Entries that are not worth tidying up."""


class RequestDeadlines:
    """
    Notices when requests have taken too long.

    A ``callLater`` of its own for each was a fifth of all that a call costs the client.
    Here a request is one entry in a heap, forgetting it costs nothing, and one timer
    waits for the earliest; entries of requests that are done are swept out when they
    are more than half.

    :param reactor: for the timer.
    :param expired: called with each request whose time is over.
    """

    def __init__(self, reactor: IReactorTime, expired: Callable[[Request], None]) -> None:
        self._reactor = reactor
        self._expired = expired
        self._heap: list[tuple[float, int, Request]] = []
        self._numbers = itertools.count()
        self._sweep_at = _FEW
        self._timer = Deadline(reactor, self._look)

    def add(self, request: Request, seconds: float) -> None:
        """``request`` has so many seconds from now, unless it is done before."""
        deadline = self._reactor.seconds() + seconds
        heappush(self._heap, (deadline, next(self._numbers), request))
        if len(self._heap) > self._sweep_at:
            self._sweep()
        if self._heap[0][2] is request or not self._timer.running:
            self._timer.start(seconds)

    def stop(self) -> None:
        """Forget all; no timer is left."""
        self._heap.clear()
        self._timer.stop()

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if not entry[2].done]
        heapify(self._heap)
        self._sweep_at = max(_FEW, 2 * len(self._heap))

    def _look(self) -> None:
        now = self._timer.noticed
        while self._heap and (self._heap[0][2].done or self._heap[0][0] <= now):
            request = heappop(self._heap)[2]
            if not request.done:
                self._expired(request)
        # A callback may have added others, and set the timer for the first of
        # them, which need not be the next of all.
        if self._heap and self._heap[0][0] < self._timer.due:
            self._timer.start(max(0.0, self._heap[0][0] - self._reactor.seconds()))
