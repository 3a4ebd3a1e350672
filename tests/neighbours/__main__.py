"""
``python -m tests.neighbours``: see ``docs/security.rst``.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from .attack import Attack
from .attacks import ATTACKS
from .selection import CI
from .stage import MEMORY, STAGES, Stage
from .verdict import MOST, Verdict, heading

AGAIN = 2
"""
How often an attack is repeated during which somebody waited too long: the median counts.  One
that left too much in memory is repeated once: the target was started again, and has no past.
"""


def stage_of(attack: Attack) -> str:
    """The key of its stage."""
    return f"{attack.target}-tls" if attack.tls else attack.target


async def attacked(stage: Stage, attack: Attack) -> Verdict:
    """Do it, and again where the first time could have been bad luck."""
    runs = [await stage.attack(attack)]
    if runs[0].waited > stage.quiet + MOST:
        runs += [await stage.attack(attack) for _ in range(AGAIN)]
    elif runs[0].memory > MEMORY:
        runs.append(await stage.attack(attack))
    return Verdict(attack, stage_of(attack), stage.quiet, runs)


def chosen(wanted: Sequence[str], *, ci: bool) -> list[Attack]:
    """
    The attacks whose names or targets hold one of these texts, or all.

    :param ci: only of those in :data:`~tests.neighbours.selection.CI`.
    """
    return [
        attack
        for attack in ATTACKS
        if (attack.name in CI or not ci)
        and (not wanted or any(text in f"{attack.name} {stage_of(attack)}" for text in wanted))
    ]


async def neighbours(attacks: Sequence[Attack], log: str) -> int:
    """
    Run these attacks.

    :param log: a file for what the targets print, or empty.
    :return: how many broke a rule.
    """
    broken: list[Verdict] = []
    print(heading(), flush=True)
    for name, kind in STAGES.items():
        mine = [attack for attack in attacks if stage_of(attack) == name]
        if not mine:
            continue
        with tempfile.TemporaryDirectory(prefix="txtokensock-neighbours-") as directory:
            stage = kind(Path(directory))
            try:
                await stage.start()
                for attack in mine:
                    verdict = await attacked(stage, attack)
                    print(verdict, flush=True)
                    for rule in verdict.broken():
                        print(f"    {rule}", flush=True)
                    if verdict.broken():
                        broken.append(verdict)
            finally:
                await stage.close()
                if log:
                    with open(log, "a") as file:
                        file.write(stage.log())
    print(f"{len(attacks)} attacks, {len(broken)} of them felt by others")
    return len(broken)


def main(reactor: Any) -> Deferred[None]:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="make neighbours")
    parser.add_argument("--log", default="", help="a file for what the targets print")
    parser.add_argument("--ci", action="store_true", help="some of each kind, in a few minutes")
    parser.add_argument("wanted", nargs="*", help="parts of names; by default, all")
    found = parser.parse_args(sys.argv[1:])

    async def run() -> None:
        if await neighbours(chosen(found.wanted, ci=found.ci), found.log):
            raise SystemExit(1)

    return Deferred.fromCoroutine(run())


if __name__ == "__main__":
    react(main)
