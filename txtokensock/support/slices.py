"""
Work that is continued in later turns of the reactor, so that no turn is long.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import TypeVar

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from .timer import NextTurn

__all__ = ["LONGEST_SLICE", "Slices"]

T = TypeVar("T")

LONGEST_SLICE = 0.005
"""Seconds after which the rest waits for the next turn."""

_MOST_CALLS = 1_000  # for a clock that is set back, or one that does not move

_TURNS_BETWEEN = 4
"""Two long ones are so many turns apart: what others began in one may take some more to end."""

_UNITS = 128
_LEAST_SHARE = 8


class Slices:
    """
    Calls functions in later turns of the reactor, in order, for at most 5 ms a turn.  A function
    that has more to do asks to be called again, and is behind all others then.

    Those that take long, and cannot be divided, have an order of their own, in which one is
    called in some turns: so nobody else waits for more than one of them.

    What may be done at once, without waiting for a turn, is counted, since a clock costs more
    than a count: ``units`` for all callers together, which are given anew in each turn in
    which functions are called.  A unit is about what one small message costs.

    (Twisted's ``Cooperator`` has no such count, begins nothing at once, and takes longer to
    forget a finished task the more there are.)

    :param reactor: whose turns count.
    :ivar reactor: the same.
    :ivar units: what is left; who does work takes it off, and with none left asks to be called.
    """

    __slots__ = ("_due", "_long", "_turn", "_unfinished", "_waits", "reactor", "units")

    def __init__(self, reactor: IReactorTime) -> None:
        self.units = _UNITS
        self.reactor = reactor
        self._due: deque[Callable[[], object]] = deque()
        self._long: deque[Callable[[], object]] = deque()
        self._unfinished: dict[Callable[[int | None], None], None] = {}  # in order
        self._waits = 0  # turns since the last of these
        self._turn = NextTurn(reactor, self._run)

    def __len__(self) -> int:
        return len(self._due)

    @property
    def share(self) -> int:
        """Units for one caller, so that those who wait have some too; none if none is left."""
        return min(self.units, max(_LEAST_SHARE, _UNITS // (len(self._due) + 1)))

    def call(self, function: Callable[[], object], *, long: bool = False) -> None:
        """
        Call a function in a later turn.

        :param function: called without arguments; it must not raise.
        :param long: whether it may take longer than 5 ms.
        """
        if long:
            self._long.append(function)
            self._turn.schedule()
            return
        if not self._due:  # or else it is scheduled already, or will be at the end of this turn
            self._turn.schedule()
        self._due.append(function)

    def for_each(
        self, items: Iterable[T], function: Callable[[T], object], at_a_time: int = 16
    ) -> Deferred[None]:
        """
        Call a function with each of many items: with the first at once, with others in later
        turns.

        :param function: it must not raise.
        :param at_a_time: how many in one turn.
        :return: fires with None when it was called with all.
        """
        items = tuple(items)
        if len(items) <= at_a_time:  # as most are; a closure that names itself is garbage later
            for item in items:
                function(item)
            return succeed(None)
        left = iter(items)
        done: Deferred[None] = Deferred()

        def some(most: int | None = at_a_time) -> None:
            called = 0
            for item in islice(left, most):
                function(item)
                called += 1
            if called == most:
                self._unfinished[some] = None
                self.call(some)
            elif not done.called:
                self._unfinished.pop(some, None)
                done.callback(None)

        some()
        return done

    def stop(self) -> None:
        """
        Drop the functions that wait, and any timer.  What :meth:`for_each` has left is done at
        once.
        """
        for finish in tuple(self._unfinished):
            finish(None)
        self._due.clear()
        self._long.clear()
        self._turn.cancel()

    def _run(self) -> None:
        self.units = _UNITS
        due, seconds = self._due, self.reactor.seconds
        end = seconds() + LONGEST_SLICE
        try:
            # Those that are added meanwhile wait, so that the reactor can read and write first.
            for _ in range(min(len(due), _MOST_CALLS)):
                due.popleft()()
                if self.units <= 0 or seconds() >= end:
                    break
            if self._long:
                self._waits += 1
                if self._waits >= _TURNS_BETWEEN:
                    self._waits = 0
                    self._long.popleft()()
        finally:
            if due or self._long:
                self._turn.schedule()
