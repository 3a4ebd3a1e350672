"""
Lines in the log that come once a minute, however often there is a reason.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["OnceAMinute"]

_QUIET = 60.0
"""Seconds between two lines of the same kind."""


class OnceAMinute:
    """
    Counts events by kind, and says when the next line about a kind is due.

    :param seconds: the clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._told: dict[str, float] = {}
        self._untold: dict[str, int] = {}

    def count(self, kind: str) -> int:
        """
        Count one more.

        :return: how many there were since the last line, if a line is due now, and 0 if not.
        """
        count = self._untold[kind] = self._untold.get(kind, 0) + 1
        now = self._seconds()
        if now - self._told.get(kind, -_QUIET) < _QUIET:
            return 0
        self._told[kind] = now
        self._untold[kind] = 0
        return count
