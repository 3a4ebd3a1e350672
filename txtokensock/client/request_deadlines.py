"""
Many deadlines on one timer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from twisted.internet.interfaces import IReactorTime

from ..support.timer import Deadline
from .request import Request

__all__ = ["RequestDeadlines"]

_FEW = 64
"""Requests that are not worth tidying up."""


class RequestDeadlines:
    """
    Notices when requests have taken too long.

    Requests that may take equally long are due in the order in which they were added, as most
    of them are: each such line is a queue, and one timer waits for the earliest of all.  To
    forget a request costs nothing: it is left where it is when it is done, and swept out when
    those that are done are more than half.

    :param reactor: for the timer.
    :param expired: called with each request whose time is over.
    """

    def __init__(self, reactor: IReactorTime, expired: Callable[[Request], None]) -> None:
        self._reactor = reactor
        self._expired = expired
        self._lines: dict[float, deque[Request]] = {}
        self._firsts: list[tuple[float, float]] = []  # a heap: when each line is due, and its key
        self._overdue: list[Request] = []
        self._count = 0
        self._sweep_at = _FEW
        self._due = math.inf
        self._timer = Deadline(reactor, self._look)

    def __len__(self) -> int:
        """How many it remembers, those included that are done and were not swept out."""
        return self._count

    def add(self, request: Request) -> None:
        """``request`` has :attr:`~.Request.timeout` seconds from now, unless it is done before."""
        timeout = request.timeout
        request.deadline = self._reactor.seconds() + timeout
        line = self._lines.get(timeout)
        if line is None:
            line = self._lines[timeout] = deque()
            heappush(self._firsts, (request.deadline, timeout))
        line.append(request)
        self._count += 1
        if self._count > self._sweep_at:
            self._sweep()
        if request.deadline < self._due:
            self._start(timeout, request.deadline)

    def stop(self) -> None:
        """Forget all; no timer is left."""
        self._lines.clear()
        self._firsts.clear()
        self._overdue.clear()
        self._count = 0
        self._due = math.inf
        self._timer.stop()

    def _start(self, seconds: float, due: float) -> None:
        self._due = due
        self._timer.start(seconds)

    def _sweep(self) -> None:
        for timeout, line in [*self._lines.items()]:
            left = deque(request for request in line if not request.done)
            self._count += len(left) - len(line)
            if left:
                self._lines[timeout] = left
            else:
                del self._lines[timeout]
        self._firsts = [(line[0].deadline, timeout) for timeout, line in self._lines.items()]
        heapify(self._firsts)
        self._sweep_at = max(_FEW, 2 * self._count)

    def _look(self) -> None:
        now = self._timer.noticed
        self._due = math.inf
        while self._firsts and self._firsts[0][0] <= now:
            _, timeout = heappop(self._firsts)
            line = self._lines[timeout]
            while line and (line[0].done or line[0].deadline <= now):
                self._overdue.append(line.popleft())
                self._count -= 1
            if line:
                heappush(self._firsts, (line[0].deadline, timeout))
            else:
                del self._lines[timeout]
        self._overdue.sort(key=lambda request: request.deadline)
        self._overdue.reverse()
        while self._overdue:
            request = self._overdue.pop()
            if not request.done:
                self._expired(request)
        # A callback may have added others, and set the timer for the first of
        # them, which need not be the next of all.
        if self._firsts and self._firsts[0][0] < self._due:
            due = self._firsts[0][0]
            self._start(max(0.0, due - self._reactor.seconds()), due)
