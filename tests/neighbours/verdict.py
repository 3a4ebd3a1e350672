"""
What is said of an attack: the rules, and a line of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from .attack import Attack
from .stage import MEMORY, MIB, Run

__all__ = ["GOAL", "MOST", "Verdict", "heading"]

GOAL = 0.1
"""Seconds by which the longest wait may exceed that of a quiet run."""

MOST = 0.25
"""The same where other processes run beside it."""

_COLUMNS = "{:<58} {:<10} {:>6} {:>8} {:>9} {:>7}  {:<8} {}"


def heading() -> str:
    """The table's first line."""
    return _COLUMNS.format(
        *("attack", "target", "quiet", "attacked", "newcomers", "memory", "verdict", "answers")
    )


@dataclass(frozen=True)
class Verdict:
    """
    :ivar attack: what was done.
    :ivar where: to what.
    :ivar quiet: seconds of the longest wait while nobody attacks.
    :ivar runs: what came of it, each time.
    """

    attack: Attack
    where: str
    quiet: float
    runs: Sequence[Run]

    @property
    def waited(self) -> float:
        """The longest wait: the median of all runs."""
        return median(run.waited for run in self.runs)

    @property
    def memory(self) -> int:
        """The bytes that are left: the least of all runs."""
        return min(run.memory for run in self.runs)

    def broken(self) -> list[str]:
        """The rules that are broken."""
        found = []
        if self.waited > self.quiet + MOST:
            found.append(f"the honest client waited {self.waited:.3f} s")
        if self.memory > MEMORY:
            found.append(f"{self.memory // MIB} MiB are left in memory")
        for run in self.runs:
            found += [f"somebody else's call failed: {each}" for each in run.failures]
            found += [f"logged: {line}" for line in run.logged[:5]]
            found += [f"ended: {name}" for name in run.died]
            if not self._expected(run.answers):
                found.append(f"answered {_told(run.answers)}, not {self.attack.expected}")
        return list(dict.fromkeys(found))

    def _expected(self, answers: Mapping[str, int]) -> bool:
        wanted = self.attack.expected
        return not wanted or any(
            answer.startswith(one) for one in wanted.split("|") for answer in answers
        )

    def __str__(self) -> str:
        word = "ok" if self.waited <= self.quiet + GOAL else "slow"
        return _COLUMNS.format(
            self.attack.name,
            self.where,
            f"{self.quiet * 1000:.0f}",
            f"{self.waited * 1000:.0f}",
            f"{max(run.newcomers for run in self.runs) * 1000:.0f}",
            f"{self.memory / MIB:+.0f}",
            "BROKEN" if self.broken() else word,
            _told(self.runs[-1].answers),
        )


def _told(answers: Mapping[str, int]) -> str:
    ordered = sorted(answers.items(), key=lambda each: -each[1])
    return ", ".join(f"{count}x {answer}" for answer, count in ordered[:4]) or "nothing"
