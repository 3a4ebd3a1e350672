"""
Counters of messages and calls, by side and rule.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

__all__ = ["Counters", "Outcome"]

Outcome: TypeAlias = Literal["in", "out", "refused", "retried", "dropped"]
"""
``in``: taken from where the rule listens. ``out``: handed over, and accepted where
that is answered. ``refused``: answered with an error. ``retried``: tried once more.
``dropped``: lost, which is also logged.
"""


class Counters:
    """Counts outcomes, by side and rule; and knows how much waits in each spool."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, Outcome]] = Counter()
        self._spooled: dict[tuple[str, str], int] = {}

    def count(self, side: str, rule: str, outcome: Outcome, by: int = 1) -> None:
        """
        :param side: the side's name.
        :param rule: the rule's, as the configuration has it.
        """
        self._counts[side, rule, outcome] += by

    def spooled(self, side: str, rule: str, messages: int) -> None:
        """So many messages wait in the spool of the rule."""
        self._spooled[side, rule] = messages

    def get(self, side: str, rule: str, outcome: Outcome) -> int:
        """How often it happened."""
        return self._counts[side, rule, outcome]

    def counts(self) -> list[tuple[str, str, Outcome, int]]:
        """All of them: side, rule, outcome, count."""
        return [(*what, count) for what, count in sorted(self._counts.items())]

    def spools(self) -> list[tuple[str, str, int]]:
        """All of them: side, rule, messages."""
        return [(*whose, messages) for whose, messages in sorted(self._spooled.items())]
