"""
Deferreds that wait for the same event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Waiters"]

T = TypeVar("T")


class Waiters(Generic[T]):
    """
    Gives out Deferreds, and fires all of them when what they wait for happens.

    Each fires at most once, in the order in which they were asked for, whatever the callbacks
    of others do: a Deferred that is cancelled meanwhile is left out, and one that is asked
    for meanwhile waits for the next time.
    """

    def __init__(self) -> None:
        self._waiting: dict[Deferred[T], None] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self) -> Deferred[T]:
        """
        :return: fires when :meth:`fire` is called.  Cancelling it ends this wait, and
            changes nothing else.
        """
        waiter: Deferred[T] = Deferred(self._forget)
        self._waiting[waiter] = None
        return waiter

    def take(self, which: Callable[[Deferred[T]], bool] = lambda _: True) -> Waiters[T]:
        """
        Move those who wait now into a new :class:`Waiters`, which can be fired later.

        :param which: returns whether to take a Deferred; by default all are taken.
        """
        taken: Waiters[T] = Waiters()
        taken._waiting = {waiter: None for waiter in self._waiting if which(waiter)}
        for waiter in taken._waiting:
            del self._waiting[waiter]
        return taken

    def fire(self, outcome: Any = None) -> None:
        """
        Fire all Deferreds that wait now.

        :param outcome: the result, or a :class:`~twisted.python.failure.Failure`.
        """
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            if not waiter.called:  # a callback of an earlier one cancelled it
                waiter.callback(outcome)

    def fire_first(self, outcome: Any = None) -> bool:
        """
        Fire only the Deferred that has waited longest.

        :param outcome: as for :meth:`fire`.
        :return: whether there was one.
        """
        for waiter in self._waiting:
            del self._waiting[waiter]
            waiter.callback(outcome)
            return True
        return False

    def _forget(self, waiter: Deferred[T]) -> None:
        self._waiting.pop(waiter, None)
