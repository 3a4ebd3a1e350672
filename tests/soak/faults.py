"""
Which fault comes when: left to chance, and the same for the same seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Fault", "every_fault", "faults"]

NETWORK: dict[str, list[dict[str, Any]]] = {
    "reset": [{}],
    "close": [{}],
    "hold": [{"lanes": lanes} for lanes in ("in", "out", "both")],
    "swallow": [{"lanes": lanes} for lanes in ("in", "out", "both")],
    "drip": [
        {"lanes": lanes, "rate": rate} for lanes in ("out", "both") for rate in (500, 20_000)
    ],
    "refuse": [{}],
    "stall": [{"share": share} for share in (0.5, 1.0)],
    "truncate": [
        {"most": most, "how": how, "share": share}
        for how in ("reset", "close", "silence")
        for most in (0, 300, 1_000, 10_000)
        for share in (0.5, 1.0)
    ],
}
"""What the proxy does, and its options."""

PROCESSES: dict[str, list[dict[str, Any]]] = {
    "kill": [{}],
    "stop": [{}],
    "terminate": [{}],
    "sleep": [{}],
}
"""
What is done to the server, SIGKILL, SIGSTOP and SIGCONT, SIGTERM; and to the client, which
sleeps as a laptop does: SIGSTOP and SIGCONT.
"""

_AT_ONCE = {"reset", "close"}
"""Faults that are over at once."""

_FILLING: dict[str, dict[str, Any]] = {"hold": {"lanes": "both"}, "refuse": {}}
"""Faults during which the most piles up, here and there."""

_SHORT = 3.0
_LONGEST = 12.0


@dataclass(frozen=True)
class Fault:
    """
    :ivar name: what happens.
    :ivar options: how.
    :ivar seconds: how long.
    """

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def __str__(self) -> str:
        options = "".join(f" {value}" for value in self.options.values())
        return f"{self.name}{options} for {self.seconds:.1f} s" if self.seconds else self.name

    @property
    def of_network(self) -> bool:
        """Whether it befalls the network, not a process."""
        return self.name in NETWORK


def faults(chance: random.Random) -> Iterator[tuple[float, list[Fault]]]:
    """
    :return: for ever: seconds without a fault, and the fault after that, or two at once, one
        of the network and one of a process.
    """
    while True:
        found = [_one(chance, chance.choice([*NETWORK, *PROCESSES]))]
        if chance.random() < 0.15:
            others = PROCESSES if found[0].of_network else NETWORK
            found.append(_one(chance, chance.choice(list(others))))
        yield chance.uniform(2.0, 12.0), found


def every_fault(chance: random.Random) -> Iterator[Fault]:
    """
    Each of the faults once, in any order, and few of them for long: those that fill what can
    fill, queues and buffers, as much as any later one will, so that what an allocator needs
    for that is there from the first minute on.
    """
    names = [name for name in [*NETWORK, *PROCESSES] if name not in _FILLING]
    found = [_one(chance, name, longest=_SHORT) for name in names]
    found += [Fault(name, options, _LONGEST) for name, options in _FILLING.items()]
    chance.shuffle(found)
    yield from found


def _one(chance: random.Random, name: str, longest: float = _LONGEST) -> Fault:
    options = chance.choice((NETWORK | PROCESSES)[name])
    # Most are short, some outlast all of the client's deadlines.
    seconds = 0.0 if name in _AT_ONCE else min(longest, 0.3 + chance.expovariate(1 / 3))
    return Fault(name, options, seconds)
