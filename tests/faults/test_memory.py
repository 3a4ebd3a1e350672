"""
Every fault of the table, in memory: what is seen of it, that the client recovers, and that
nothing is left.
"""

from __future__ import annotations

from collections import Counter

from tests.common import collect_garbage
from tests.kit.objects import count_objects, keep_early_events, keep_no_early_events
from tests.kit.tables import each

from .checks import FaultTestCase, named
from .choice import chosen
from .misbehaviour import KINDS
from .outcomes import Outcome
from .scenario import CONNECTING_STEPS, staged
from .stage import Stage
from .table import PAIRS, Pair


@each(
    {
        f"{transport} {' '.join(pair)}": (pair, transport, outcome, again)
        for number, (pair, outcomes) in enumerate(PAIRS.items())
        for again in [list(outcomes)[number % len(outcomes)]]
        for transport, outcome in outcomes.items()
        if (pair, transport) in chosen()
    }
)
class FaultTests(FaultTestCase):
    """The faults that are chosen; over one of its transports each comes again and again."""

    @classmethod
    def setUpClass(cls) -> None:
        keep_no_early_events()

    @classmethod
    def tearDownClass(cls) -> None:
        keep_early_events()

    def run_case(self, pair: Pair, transport: str, outcome: Outcome, again: str) -> None:
        """What the table says is what is seen, and then all is well, and nothing is left."""
        with named(pair, transport):
            self.meet(pair, transport, outcome, again)

    def meet(self, pair: Pair, transport: str, outcome: Outcome, again: str) -> None:
        step, kind, name = pair
        fault = KINDS[kind][name]
        stage = staged(pair, transport)
        if step in CONNECTING_STEPS:
            self.attempt(stage, step, fault, outcome, failures=2)
        stage.client.startService()
        stage.subscribe("c")
        stage.settle()
        self.play(stage, step, fault, outcome)
        if transport == again:
            counts = [self.census(stage)]
            for _ in range(2):
                self.play(stage, step, fault, outcome)
                counts.append(self.census(stage))
            # A response more or less that is just being read is no growth: what grows, grows
            # each time.
            first, second, third = counts
            self.assertEqual((second - first) & (third - second), Counter())
        self.end(stage)
        del stage
        collect_garbage()

    def census(self, stage: Stage) -> Counter[str]:
        """
        How many objects there are of each class of ours, and of those that ours are made of,
        when every deadline has passed.
        """
        stage.rest()
        self.assert_true(stage)
        stage.forget()
        return count_objects(
            ("txtokensock.", "twisted.", "autobahn.", "treq."),
            (
                *("txtokensock.testing.", "twisted.logger.", "twisted.trial."),
                "twisted.python.modules.",
            ),
        )
