"""
Which faults of the table are played.

``make test`` plays one of each group over each of its transports, ``make faults`` all of them.
Which one it is goes round with the commits: the same checkout always plays the same, and each
commit the next, so that none is left out for long.

``FAULTS=all`` in the environment is all of them, ``FAULTS=312`` the choice of that turn.
"""

from __future__ import annotations

import functools
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from .table import TABLE, Group, Pair

__all__ = ["chosen", "described", "selection", "turn"]


@functools.cache
def turn() -> int | None:
    """
    :return: the number of the turn; None for all.  It is the number of commits by default, and
        0 where git cannot tell that.
    """
    wanted = os.environ.get("FAULTS", "")
    if wanted == "all":
        return None
    if wanted:
        return int(wanted)
    command = ["git", "-C", str(Path(__file__).parent), "rev-list", "--count", "HEAD"]
    try:
        counted = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    return int(counted.stdout)


def selection(groups: Iterable[Group], number: int | None) -> set[tuple[Pair, str]]:
    """
    The faults of a turn, each with a transport.  Transports do not play the same one of a
    group, if it has others.

    :param number: of the turn; None for all.
    """
    found: set[tuple[Pair, str]] = set()
    for group in groups:
        for place, transport in enumerate(group.transports):
            faults = group.faults
            if number is not None:
                faults = [faults[(number + place) % len(faults)]]
            found |= {((group.step, group.kind, fault), transport) for fault in faults}
    return found


@functools.cache
def chosen() -> set[tuple[Pair, str]]:
    """The faults that are played now, each with a transport."""
    return selection(TABLE, turn())


def described() -> str:
    """What is played, for whoever runs the tests."""
    if turn() is None:
        return "faults: all of the table"
    return (
        "faults: one of each step, group and transport; "
        f"FAULTS={turn()} plays these again, `make faults` all"
    )
