"""
How many files and connections this process may still open.
"""

from __future__ import annotations

import os
import sys

if sys.platform != "win32":
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

__all__ = ["Descriptors"]

_SHARE = 8
_LARGEST_RESERVE = 64


class Descriptors:
    """
    The process's descriptors, some of which are kept for more important connections.

    :param reserve: which part of it is kept: 1 for a site of strangers, less for one that must
        be there then, such as that of the health checks.
    """

    def __init__(self, reserve: float = 1.0) -> None:
        self._reserve = reserve

    @property
    def limit(self) -> int:
        """How many the process may have open; it may change while the process runs."""
        if sys.platform == "win32":
            return sys.maxsize
        soft, _ = getrlimit(RLIMIT_NOFILE)
        return sys.maxsize if soft == RLIM_INFINITY else soft

    def are_few(self) -> bool:
        """Whether a newcomer would take one of those that are kept."""
        limit = self.limit
        if limit == sys.maxsize:
            return False
        kept = min(limit // _SHARE, _LARGEST_RESERVE) * self._reserve
        return self._lowest_free(limit) >= limit - kept

    def _lowest_free(self, limit: int) -> int:
        # POSIX gives a new descriptor the lowest number that is free.
        try:
            descriptor = os.open(os.devnull, os.O_RDONLY)
        except OSError:
            return limit
        os.close(descriptor)
        return descriptor
