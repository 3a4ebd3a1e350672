"""An attack that others feel is found: a table that cannot turn red shows nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from .attack import Attack, Ground
from .attacks import ATTACKS
from .selection import CI
from .stage import MEMORY, Run
from .verdict import GOAL, MOST, Verdict

QUIET = 0.004

CALM = Run(
    waited=QUIET,
    newcomers=0.01,
    failures=[],
    answers={"4429": 3, "open": 1},
    memory=MEMORY,
    logged=[],
    died=[],
)


async def nothing(ground: Ground) -> None:
    """Not run here."""


class VerdictTests(SynchronousTestCase):
    """What is said of runs."""

    def verdict(self, *runs: Run, expected: str = "") -> Verdict:
        """What is said of these."""
        return Verdict(Attack("a", "b", nothing, expected=expected), "server", QUIET, runs)

    def broken(self, **changes: object) -> str:
        """The only rule that a run breaks which differs so from a calm one."""
        [rule] = self.verdict(replace(CALM, **changes)).broken()  # type: ignore[arg-type]
        return rule

    def test_calm(self) -> None:
        """What stays within every bound breaks no rule, and the table says so."""
        verdict = self.verdict(CALM, expected="4429|1009")
        self.assertEqual(verdict.broken(), [])
        self.assertIn(" ok ", str(verdict))
        self.assertIn("3x 4429, 1x open", str(verdict))

    def test_slow(self) -> None:
        """What is over the goal is said, and what is over the bound is broken."""
        slow = replace(CALM, waited=QUIET + GOAL + 0.01)
        self.assertEqual(self.verdict(slow).broken(), [])
        self.assertIn(" slow ", str(self.verdict(slow)))
        self.assertIn("waited 0.264 s", self.broken(waited=QUIET + MOST + 0.01))

    def test_median(self) -> None:
        """One wait that is too long of three can be bad luck, two cannot."""
        slow = replace(CALM, waited=1.0)
        self.assertEqual(self.verdict(slow, CALM, CALM).broken(), [])
        self.assertTrue(self.verdict(slow, CALM, slow).broken())

    def test_memory(self) -> None:
        """What is left of a process that was just started is not what others left."""
        much = replace(CALM, memory=MEMORY + 1)
        self.assertEqual(self.verdict(much, CALM).broken(), [])
        self.assertTrue(self.verdict(much, much).broken())

    def test_everything_else(self) -> None:
        """A failed call, a traceback, memory, and a process that ended break a rule each time."""
        self.assertIn("failed: 503", self.broken(failures=["503"]))
        self.assertIn("logged: Traceback", self.broken(logged=["Traceback"]))
        self.assertIn("33 MiB", self.broken(memory=MEMORY + (1 << 20)))
        self.assertIn("ended: serve", self.broken(died=["serve"]))
        self.assertTrue(self.verdict(replace(CALM, failures=["503"]), CALM, CALM).broken())

    def test_answers(self) -> None:
        """An attack that is not answered as it should be was none, or was not noticed."""
        self.assertIn("not 4403", self.verdict(CALM, expected="4403").broken()[0])


class TableTests(SynchronousTestCase):
    """The table of attacks."""

    def test_names(self) -> None:
        """Each attack has a name of its own, by which it can be run alone."""
        names = Counter(attack.name for attack in ATTACKS)
        self.assertEqual([name for name, count in names.items() if count > 1], [])

    def test_number(self) -> None:
        """There are many, of every kind, some of them over TLS."""
        self.assertGreaterEqual(len(ATTACKS), 60)
        self.assertGreaterEqual(sum(attack.tls for attack in ATTACKS), 10)

    def test_ci(self) -> None:
        """What CI runs are at least 60 of them, of every kind, on every target."""
        in_ci = [attack for attack in ATTACKS if attack.name in CI]
        self.assertEqual({attack.name for attack in in_ci}, CI)
        self.assertGreaterEqual(len(in_ci), 60)
        self.assertGreaterEqual(sum(attack.tls for attack in in_ci), 8)
        for field in ("kind", "target"):
            all_of_them = {getattr(attack, field) for attack in ATTACKS}
            self.assertEqual({getattr(attack, field) for attack in in_ci}, all_of_them)
