"""
How much of something may be under way at once.
"""

from __future__ import annotations

import math

from twisted.internet.defer import Deferred, succeed

from ..support.waiters import Waiters

__all__ = ["Capacity"]


class Capacity:
    """
    Counts what is taken and given back.

    :param limit: so much may be taken; what is taken already stays where this is lowered.
    :ivar limit: the same.
    :ivar taken: what is under way.
    """

    def __init__(self, limit: float = math.inf) -> None:
        self.limit = limit
        self.taken = 0
        self._idle: Waiters[None] = Waiters()

    def take(self, amount: int = 1) -> bool:
        """
        Take some, if there is room for all of it.

        :return: whether there was; if so, :meth:`give` it back when it is done.
        """
        if self.taken + amount > self.limit:
            return False
        self.taken += amount
        return True

    def give(self, amount: int = 1) -> None:
        """Give back what was taken."""
        self.taken -= amount
        if not self.taken:
            self._idle.fire()

    def idle(self) -> Deferred[None]:
        """
        :return: fires when nothing is taken, and never fails.  Cancelling it ends the waiting.
        """
        return self._idle.wait() if self.taken else succeed(None)
