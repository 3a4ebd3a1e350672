"""
Names that a key may use: exact ones, and all that begin alike.
"""

from __future__ import annotations

from collections.abc import Iterator

from .section import Problem

__all__ = ["Patterns", "pattern_problems"]


class Patterns:
    """
    A set of names.

    :param patterns: names; a ``*`` at the end stands for anything, nothing included.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._exact = frozenset(pattern for pattern in patterns if not pattern.endswith("*"))
        self._prefixes = tuple(
            pattern.removesuffix("*") for pattern in patterns if pattern.endswith("*")
        )

    def __contains__(self, name: str) -> bool:
        return name in self._exact or name.startswith(self._prefixes)


def pattern_problems(patterns: tuple[str, ...], path: str) -> Iterator[Problem]:
    """The patterns that mean nothing, or not what they look like."""
    for number, pattern in enumerate(patterns):
        if not pattern:
            yield Problem(f"{path}[{number}]", "is empty")
        elif "*" in pattern[:-1]:
            yield Problem(f"{path}[{number}]", f"is {pattern!r}: a * can stand at the end alone")
