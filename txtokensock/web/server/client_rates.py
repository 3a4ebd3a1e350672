"""
How often the clients of each address may do something.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from twisted.internet.interfaces import IAddress

from ...support.rate_limit import RateLimit
from .admissions import client_key

__all__ = ["ClientRates"]

_MOST_ADDRESSES = 10_000
"""So many are remembered; those that were not seen for longest are forgotten."""


class ClientRates:
    """
    A rate for each address, as :class:`.admissions.Admissions` tells them apart.

    :param per_second: how often in the long run.
    :param burst: how often at once after a silence.
    :param seconds: the clock.
    """

    def __init__(self, per_second: float, burst: int, seconds: Callable[[], float]) -> None:
        self._per_second = per_second
        self._burst = burst
        self._seconds = seconds
        self._rates: OrderedDict[str, RateLimit] = OrderedDict()

    def take(self, address: IAddress) -> bool:
        """Whether a client of that address may do it once more now."""
        host = client_key(address)
        if host is None:
            return True
        now = self._seconds()
        rate = self._rates.get(host)
        if rate is None:
            rate = self._rates[host] = RateLimit(self._per_second, self._burst, now)
            if len(self._rates) > _MOST_ADDRESSES:
                self._rates.popitem(last=False)
        else:
            self._rates.move_to_end(host)
        return rate.take(now)
