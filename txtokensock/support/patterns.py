"""
One language for the names of channels, functions, topics and procedures (no I/O).

A pattern without ``*`` is one name.  A ``*`` stands for one or more characters of any kind; a
pattern has at most one.
"""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Pattern", "Patterns", "pattern_problem"]


class Pattern:
    """
    One pattern.

    :ivar text: the pattern as it was written.
    :ivar exact: whether it has no ``*``.
    :ivar prefix: the text before the ``*``; the whole text where there is none.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.prefix, star, self._suffix = text.partition("*")
        self.exact = not star

    def match(self, name: str) -> str | None:
        """What ``*`` stands for in ``name`` (``""`` without one); None if it does not match."""
        if self.exact:
            return "" if name == self.text else None
        if len(name) <= len(self.prefix) + len(self._suffix):
            return None
        if not (name.startswith(self.prefix) and name.endswith(self._suffix)):
            return None
        return name[len(self.prefix) : len(name) - len(self._suffix)]

    def fill(self, rest: str) -> str:
        """The name in which the ``*`` stands for ``rest``."""
        return self.text if self.exact else f"{self.prefix}{rest}{self._suffix}"

    def overlaps(self, other: Pattern) -> bool:
        """Whether there is a name that both patterns match."""
        if self.exact:
            return other.match(self.text) is not None
        if other.exact:
            return self.match(other.text) is not None
        prefixes = sorted((self.prefix, other.prefix), key=len)
        suffixes = sorted((self._suffix, other._suffix), key=len)
        return prefixes[1].startswith(prefixes[0]) and suffixes[1].endswith(suffixes[0])


class Patterns:
    """
    The names that one of several patterns matches.

    :param texts: the patterns.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        patterns = [Pattern(text) for text in texts]
        self._names = frozenset(pattern.text for pattern in patterns if pattern.exact)
        self._patterns = tuple(pattern for pattern in patterns if not pattern.exact)

    def __contains__(self, name: str) -> bool:
        return name in self._names or any(
            pattern.match(name) is not None for pattern in self._patterns
        )


def pattern_problem(text: str) -> str | None:
    """What is wrong with a pattern, in words that follow its place, or None."""
    return f"is {text!r}: it may have only one *" if text.count("*") > 1 else None
