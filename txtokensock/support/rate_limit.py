"""
A limit on how often something may happen.
"""

from __future__ import annotations

__all__ = ["RateLimit"]


class RateLimit:
    """
    A bucket that holds ``burst`` and fills by ``per_second``; what happens takes out of it.

    :param now: seconds, of the clock that :meth:`take` is told as well.
    """

    __slots__ = ("_burst", "_left", "_per_second", "_seen")

    def __init__(self, per_second: float, burst: float, now: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left = burst
        self._seen = now

    @property
    def left(self) -> float:
        """What was left when it was asked last."""
        return self._left

    def take(self, now: float, cost: float = 1.0) -> bool:
        """:return: whether so much is within the rate; otherwise nothing is taken."""
        left = self._left
        if left < self._burst:
            left = min(self._burst, left + (now - self._seen) * self._per_second)
        self._seen = now
        if left < cost:
            self._left = left
            return False
        self._left = left - cost
        return True

    def borrow(self, now: float, cost: float) -> bool:
        """
        Take as much, where that is within the rate or nothing of it is taken; then what is more
        than ``burst`` is paid back, before anything else is allowed.

        :return: whether it may happen; otherwise nothing is taken.
        """
        most = min(cost, self._burst)
        if not self.take(now, most):
            return False
        self._left -= cost - most
        return True

    def credit(self, cost: float) -> None:
        """
        Allow so much more, above ``burst`` and for as long as it takes, or, if it is negative,
        no more.
        """
        self._left += cost

    def change(self, per_second: float, burst: float) -> None:
        """Have another rate from now on; what was taken stays taken."""
        self._left += burst - self._burst
        self._per_second = per_second
        self._burst = burst
