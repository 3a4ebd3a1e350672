"""
The names that a key may use.
"""

from __future__ import annotations

from collections.abc import Sequence

from twisted.logger import Logger

from ...support.deprecation import deprecate
from ...support.patterns import Patterns

__all__ = ["KeyPatterns"]

_NOTHING = deprecate('[[http.keys]] "a*" for "a" itself', '"a", "a*"', ends="0.3.0")


class KeyPatterns:
    """
    Patterns, of which a ``*`` at the end still stands for nothing as well, as it did once.
    Where that lets somebody in, the log says so, once for each pattern.

    :param texts: see :mod:`txtokensock.support.patterns`.
    """

    _log = Logger()

    def __init__(self, texts: Sequence[str]) -> None:
        self._patterns = Patterns(texts)
        self._untold = set(texts)
        self._texts = frozenset(texts)

    def __contains__(self, name: str) -> bool:
        if name in self._patterns:
            return True
        pattern = f"{name}*"
        if pattern not in self._texts:
            return False
        if pattern in self._untold:
            self._untold.discard(pattern)
            self._log.warn(
                "a key uses {name}, which {pattern} allows until txtokensock {ends}: then a * "
                "stands for one or more characters, and {name} must be named as well",
                event="http.old_pattern",
                name=repr(name),
                pattern=repr(pattern),
                ends=_NOTHING.ends,
            )
        return True
