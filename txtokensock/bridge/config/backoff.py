"""
``backoff``: how long a side waits between attempts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import random

from msgspec import structs

from ...config.numbers import numbers, seconds
from ...config.section import Problem, Section
from ...support.backoff import Backoff, check_factor

__all__ = ["BackoffConfig", "backoff_problems"]


class BackoffConfig(Section, frozen=True):
    """
    The first fields of :class:`~txtokensock.Backoff`, which explains them.  Each side has
    defaults of its own.
    """

    first: float = 0.1
    factor: float = 2.0
    cap: float = 30.0

    def build(self, *, jitter: Callable[[], float] = random) -> Backoff:
        """
        :param jitter: a number from 0 to 1, for tests.
        """
        return Backoff(**structs.asdict(self), jitter=jitter)


def backoff_problems(section: BackoffConfig, path: str) -> Iterator[Problem]:
    """
    The problems of a table ``backoff``.

    :param path: its path, such as ``wamp.backoff``.
    """
    names = [name for name in section.__struct_fields__ if name != "factor"]
    yield from seconds(section, path, *names)
    yield from numbers(check_factor, section, path, "factor")
