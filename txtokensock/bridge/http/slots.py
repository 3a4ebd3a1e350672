"""
How many requests, or event streams, each key may have under way.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..capacity import Capacity
from ..error_table import ErrorKind
from .responses import Refusal

__all__ = ["Slots"]


class Slots:
    """
    A capacity for each key, and one for all of them together.

    :param what: for people, such as ``requests``.
    :ivar all: counts those of all keys, without a limit.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._by_key: dict[str, Capacity] = {}
        self.all = Capacity()

    @contextmanager
    def one(self, key: str, limit: int) -> Iterator[None]:
        """
        Take a slot for a while.

        :raises Refusal: 429, where ``limit`` are taken.
        """
        capacity = self._by_key.setdefault(key, Capacity())
        capacity.limit = limit
        if not capacity.take():
            raise Refusal(
                ErrorKind.TOO_MANY_REQUESTS,
                f"{limit} {self._what} of this key are under way",
                headers=(("retry-after", "1"),),
            )
        self.all.take()
        try:
            yield
        finally:
            capacity.give()
            if not capacity.taken:
                del self._by_key[key]
            self.all.give()
