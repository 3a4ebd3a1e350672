"""
Which faults are played, and when.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from .choice import selection, turn
from .table import PAIRS, TABLE

EVERYTHING = {(pair, transport) for pair, outcomes in PAIRS.items() for transport in outcomes}


class ChoiceTests(SynchronousTestCase):
    """``make test``, and ``make faults``."""

    def setUp(self) -> None:
        self.addCleanup(turn.cache_clear)

    def turn_of(self, faults: str, path: str = "") -> int | None:
        """The turn, with this in the environment."""
        self.patch(os, "environ", {"FAULTS": faults, "PATH": path})
        turn.cache_clear()
        return turn()

    def test_one_of_each(self) -> None:
        """In each turn, every group is there over each of its transports, once."""
        for number in (0, 312, 10**9):
            played = selection(TABLE, number)
            self.assertLessEqual(played, EVERYTHING)
            for group in TABLE:
                for transport in group.transports:
                    one = [
                        fault
                        for fault in group.faults
                        if ((group.step, group.kind, fault), transport) in played
                    ]
                    self.assertEqual(len(one), 1, (group, transport))

    def test_go_round(self) -> None:
        """After as many turns as the largest group has faults, every one was played."""
        turns = max(len(group.faults) for group in TABLE)
        played = set[object]().union(*(selection(TABLE, 312 + more) for more in range(turns)))
        self.assertEqual(played, EVERYTHING)

    def test_all(self) -> None:
        """``FAULTS=all`` leaves none out."""
        self.assertIsNone(self.turn_of("all"))
        self.assertEqual(selection(TABLE, None), EVERYTHING)

    def test_turn(self) -> None:
        """A number is that turn; anything else is a mistake."""
        self.assertEqual(self.turn_of("312"), 312)
        with self.assertRaises(ValueError):
            self.turn_of("al")

    def test_commits(self) -> None:
        """By default each commit has its turn; where there is no git, there is but one."""
        if shutil.which("git") is None:
            raise SkipTest("needs git, not found in PATH")
        log = subprocess.run(
            ["git", "log", "--format=%h"],
            cwd=Path(__file__).parent,
            capture_output=True,
            check=False,
        )
        path = os.environ["PATH"]
        self.assertEqual(self.turn_of("", path), len(log.stdout.split()))
        self.assertEqual(self.turn_of("", ""), 0)
