"""
What the soak found to be wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

__all__ = ["Verdict"]

_TOLD = 5


class Verdict:
    """
    Collects broken rules.

    :param tell: called with the rule, and with what broke it, for each of the first cases
        of a rule; after some, the rest are counted only, for what goes wrong once may go
        wrong a thousand times.
    :ivar broken: how often each rule was broken.
    """

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self.broken: Counter[str] = Counter()
        self._tell = tell

    def against(self, rule: str, details: str) -> None:
        """``rule`` is broken; ``details`` say by what."""
        self.broken[rule] += 1
        if self.broken[rule] <= _TOLD:
            self._tell(rule, details)
