"""
How much somebody may have in hand at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from twisted.internet.defer import Deferred, succeed

from ...support.waiters import Waiters
from ..error_table import ErrorKind
from .responses import Refusal

__all__ = ["Slots"]


class Slots:
    """
    Counts what each key has in hand.

    :param what: for people, such as ``requests``.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._taken: Counter[str] = Counter()
        self._idle: Waiters[None] = Waiters()

    @property
    def total(self) -> int:
        """All that is in hand."""
        return self._taken.total()

    @contextmanager
    def one(self, key: str, limit: int) -> Iterator[None]:
        """
        Take a slot for a while.

        :raises Refusal: 429, where ``limit`` are taken.
        """
        if self._taken[key] >= limit:
            raise Refusal(
                ErrorKind.TOO_MANY_REQUESTS,
                f"{limit} {self._what} of this key are under way",
                headers=(("retry-after", "1"),),
            )
        self._taken[key] += 1
        try:
            yield
        finally:
            self._taken[key] -= 1
            if not self._taken[key]:
                del self._taken[key]
            if not self._taken:
                self._idle.fire()

    def free(self) -> Deferred[None]:
        """:return: fires when nothing is in hand."""
        return self._idle.wait() if self._taken else succeed(None)
