"""
What a soak prints: a line a minute, what is broken when it breaks, and the figures at the end.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from typing import Any

from tests.kit.resources import Held

from .faults import Fault

__all__ = ["Report"]

_COLUMNS = (
    *("time", "calls", "answered", "failed", "pending", "messages", "connections", "lost"),
    *("guests", "faults", "MiB", "files", "processor"),
)


class Report:
    """
    :param say: prints a line.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._begun = time.monotonic()
        self._faults: deque[str] = deque(maxlen=4)
        self._happened: Counter[str] = Counter()
        self._headed = False

    @property
    def elapsed(self) -> str:
        """Time since the beginning, for people."""
        minutes, seconds = divmod(int(time.monotonic() - self._begun), 60)
        return f"{minutes}:{seconds:02}"

    def begin(self, again: str) -> None:
        """:param again: how to have the same faults again."""
        self._say(again)

    def fault(self, fault: Fault) -> None:
        """Something befalls the client; told only where something breaks."""
        self._happened[fault.name] += 1
        self._faults.append(f"{self.elapsed} {fault}")

    def broken(self, rule: str, details: str) -> None:
        """A rule is broken."""
        self._say(f"{self.elapsed} BROKEN {rule}: {details}")
        self._say(f"    faults before: {', '.join(self._faults) or 'none'}")

    def noise(self, line: str) -> None:
        """A child's line that is no event: a traceback, mostly."""
        self._say(f"    | {line}")

    def minute(self, figures: Mapping[str, Any], held: Held, processor: float) -> None:
        """
        A line of figures.

        :param processor: the share of one that all processes took.
        """
        if not self._headed:
            self._headed = True
            self._say(_row(_COLUMNS))
        self._say(
            _row(
                (
                    *(self.elapsed, figures["calls"], figures["answered"]),
                    *(sum(figures["failed"].values()), figures["pending"], figures["messages"]),
                    *(figures["connections"], figures["lost"], figures["guests"]),
                    *(self._happened.total(), f"{held.resident / 2**20:.1f}", held.files),
                    f"{processor:.0%}",
                )
            )
        )

    def quiet(self, when: str, held: Held, objects: int) -> None:
        """What is held at rest."""
        self._say(f"{self.elapsed} at rest, {when}: {held}, {objects} objects")

    def end(self, figures: Mapping[str, Any], rules: Counter[str], seconds: float) -> None:
        """
        The figures of all, and the verdict.

        :param seconds: in which calls were made and messages came.
        """
        if figures:
            self._say_figures(figures, seconds)
        for rule, count in rules.items():
            self._say(f"BROKEN, {count} times or more: {rule}")
        self._say("broken" if rules else "nothing is broken")

    def _say_figures(self, figures: Mapping[str, Any], seconds: float) -> None:
        failed = Counter(figures["failed"])
        calls, messages = figures["calls"], figures["messages"]
        self._say(f"calls: {calls} = {figures['answered']} answers + {failed.total()} failures")
        self._say(f"the longest took {figures['longest']:.1f} s")
        self._say(f"a second: {calls / seconds:.1f} calls, {messages / seconds:.1f} messages")
        self._say(f"connections: {figures['connections']}, lost: {figures['lost']}")
        for what, counts in (
            ("of each client", figures["each"]),
            ("losses", figures["ends"]),
            ("attempts that failed", figures["attempts"]),
            ("calls that failed", failed),
            ("errors that belong to no call", figures["errors"]),
            ("warnings in the client's log", figures["warnings"]),
            ("faults", self._happened),
        ):
            self._say(f"{what}: {_counts(counts)}")


def _row(cells: tuple[object, ...]) -> str:
    return " ".join(f"{cell!s:>11}" for cell in cells)


def _counts(counts: Mapping[str, int]) -> str:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return ", ".join(f"{count} {name}" for name, count in ordered) or "none"
