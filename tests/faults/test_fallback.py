"""
The same faults where there are other transports to fall back to.
"""

from __future__ import annotations

from tests.common import collect_garbage
from tests.kit.tables import each
from txtokensock.sockjs import DEFAULT_TRANSPORTS

from .checks import FaultTestCase, named
from .choice import chosen
from .misbehaviour import KINDS
from .outcomes import AT_ONCE, Outcome
from .scenario import attempted, recovered
from .stage import Stage
from .table import PAIRS, Pair

SAYS_NO = {("open", "frames", "refuses"), ("open", "frames", "says goodbye")}
"""A SockJS server that answers, and wants no session; it would not over another transport."""


@each(
    {
        " ".join(pair): (pair, outcomes["websocket"])
        for pair, outcomes in PAIRS.items()
        if pair[0] in ("handshake", "open")
        and outcomes.get("websocket", Outcome("nothing")).what == "fails"
        and (pair, "websocket") in chosen()
    }
)
class FallbackTests(FaultTestCase):
    """The WebSocket is spoilt, once; what comes next is not."""

    def run_case(self, pair: Pair, outcome: Outcome) -> None:
        """Nothing failed, but it took the time that the WebSocket did; and only one is left."""
        with named(pair, "websocket and what comes after it"):
            self.meet(pair, outcome)

    def meet(self, pair: Pair, outcome: Outcome) -> None:
        step, kind, name = pair
        stage = Stage("xhr-streaming", transports=DEFAULT_TRANSPORTS)
        began = stage.now
        seen = attempted(stage, step, KINDS[kind][name], failures=1, times=1)
        if pair in SAYS_NO or "says c" in name:
            ((_, error),) = seen.failures
            self.assert_attempt(0.0, error, outcome)
        elif outcome.phase in ("handshake", "open"):
            self.assertEqual(seen.failures, [])
            self.assertLess(stage.now - began, outcome.seconds + AT_ONCE)
        self.assertTrue(recovered(stage, AT_ONCE))
        self.end(stage)
        del stage
        collect_garbage()
