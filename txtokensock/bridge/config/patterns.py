"""
Names in a configuration that may be patterns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ...config.section import Problem
from ...support.patterns import pattern_problem

__all__ = ["pattern_problems"]


def pattern_problems(patterns: Iterable[str], path: str) -> Iterator[Problem]:
    """
    Each pattern that means nothing.

    :param path: where the list is.
    """
    for number, pattern in enumerate(patterns):
        problem = pattern_problem(pattern) if pattern else "is empty"
        if problem is not None:
            yield Problem(f"{path}[{number}]", problem)
