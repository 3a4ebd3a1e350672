"""
Whether a client came through a fault as it must.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from twisted.internet.error import ConnectionLost as TCPLost
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import AttemptTimeout, CallTimeout, ConnectionLost, SessionLost

from .functions import HOOKS
from .outcomes import AT_ONCE, Outcome
from .scenario import CONNECTING_STEPS, Seen, attempted, dropped, recovered, spoilt
from .scene import Fault
from .stage import Handed, Stage
from .table import Pair

__all__ = ["FaultTestCase", "named"]

CALL_TIMEOUT = 60.0
CLOSE_TIMEOUT = 5.0
ENDS = ("close", "sending-close")
"""The steps in which the client is ended."""

SECRETS = ("5ec2-4e70", "secret=1", "user=ada")
"""Parts of tokens, of URLs and of credentials, which no text may hold."""


@contextmanager
def named(pair: Pair, transport: str) -> Iterator[None]:
    """Whatever fails within this says which fault it was."""
    step, kind, name = pair
    try:
        yield
    except Exception as error:
        error.add_note(f"This was step {step!r}, fault {name!r} ({kind}), over {transport}.")
        raise


class FaultTestCase(SynchronousTestCase):
    """Plays faults, and looks at all that a user can see of them."""

    # -- one fault, from its beginning to the client's recovery

    def play(self, stage: Stage, step: str, fault: Fault, outcome: Outcome) -> None:
        """The client is connected, meets the fault, and recovers."""
        if step in CONNECTING_STEPS:
            in_flight = dropped(stage)
            self.attempt(stage, step, fault, outcome, failures=1)
            self.assert_lost(in_flight, ended=outcome.what == "gives up")
        else:
            self.spoil(stage, step, fault, outcome)

    def attempt(
        self, stage: Stage, step: str, fault: Fault, outcome: Outcome, *, failures: int
    ) -> None:
        """The client has no connection, and recovers."""
        subscribed = stage.client.channels()
        seen = attempted(stage, step, fault, failures=failures)
        self.assert_misbehaved(stage, step)
        expected = {"nothing": 0, "gives up": 1}.get(outcome.what, failures)
        self.assertEqual(len(seen.failures), expected, seen)
        self.assertEqual(stage.gave_up, outcome.what == "gives up")
        self.assertEqual(stage.client.connected, outcome.what == "nothing")
        wait = 0.0
        for seconds, error in seen.failures:
            self.assert_attempt(seconds, error, outcome)
            wait = getattr(error, "retry_in", None) or 0.0
        if outcome.what != "gives up":
            self.assertLessEqual(set(subscribed), set(stage.client.channels()))
        self.assertTrue(recovered(stage, wait + AT_ONCE), stage.events)
        self.unsubscribe(stage)

    def spoil(self, stage: Stage, step: str, fault: Fault, outcome: Outcome) -> None:
        """The client has a connection; it is the same one afterwards, or a new one."""
        seen = spoilt(stage, step, fault)
        self.assert_misbehaved(stage, step)
        if outcome.what == "lost":
            assert seen.lost is not None, seen
            seconds, reason = seen.lost
            self.assertIsInstance(reason, outcome.error or Exception)
            # Over HTTP all but what frames say has an HTTP status, or could have one.
            frame = re.search("broke the SockJS protocol|opened another one", str(reason))
            if outcome.error is TCPLost and "websocket" not in stage.transport and not frame:
                self.assertIsInstance(reason, SessionLost)
            self.assert_in_time(seconds, outcome, reason)
        else:
            self.assertIsNone(seen.lost)
        # A subscription that is not confirmed anew in time is told of before the silence.
        reported = set(map(type, seen.reported)) - ({CallTimeout} if step == "replay" else set())
        if outcome.what != "reported":
            self.assertEqual(reported, set())
        elif outcome.error is not CallTimeout:
            self.assertEqual(reported, {outcome.error})
        else:
            self.assertIn(CallTimeout, set(map(type, seen.reported)))
        if step == "receive" and seen.lost is None:
            self.assertIn(3, [*seen.heard, *([3] * (outcome.what == "reported"))])
        if step in ("message", "handler"):
            self.assertEqual(seen.heard, [2, 3])
        for handed in seen.waiting:
            self.assertEqual(handed.fired, 0, "it did not wait")
        self.assertTrue(recovered(stage, outcome.pause + AT_ONCE), stage.events)
        self.assert_asked(seen, outcome, ended=step in ENDS)
        self.unsubscribe(stage)

    def unsubscribe(self, stage: Stage) -> None:
        """From what was subscribed to around the fault."""
        stage.hand("unsubscribe", stage.client.unsubscribe("d"))
        stage.settle()

    # -- what is seen

    def assert_misbehaved(self, stage: Stage, step: str) -> None:
        """Functions that were to raise were called, and what they raised is told or logged."""
        if step in HOOKS:
            self.assertGreater(stage.misbehaved, 0)
            if step not in ("authentication", "headers"):
                self.assertTrue(self.flushLoggedErrors(), "nothing was logged")
        if step == "action function":
            self.assertEqual([list(answer) for answer in stage.answers], [["error"]])
            stage.answers.clear()

    def assert_attempt(self, seconds: float, error: Any, outcome: Outcome) -> None:
        """The error of one attempt."""
        self.assertIsInstance(error, outcome.error or Exception)
        self.assertEqual(getattr(error, "phase", ""), outcome.phase)
        self.assertEqual(error.retry_in is None, outcome.what == "gives up")
        self.assert_in_time(seconds, outcome, error)

    def assert_in_time(self, seconds: float, outcome: Outcome, error: Exception) -> None:
        """It was there by its deadline, and where the deadline made it, not before."""
        self.assertLess(seconds, outcome.seconds + outcome.transfer + AT_ONCE)
        if isinstance(error, AttemptTimeout):
            self.assertAlmostEqual(seconds, outcome.seconds, 6)
        for secret in SECRETS:
            self.assertNotIn(secret, f"{error} {error!r}")

    def assert_asked(self, seen: Seen, outcome: Outcome, *, ended: bool) -> None:
        """What became of all that was asked for around the fault."""
        if seen.asked is not None and outcome.asked is not ...:
            self.assert_outcome(seen.asked, outcome.asked)
            if outcome.what == "call fails":
                assert seen.asked.at is not None
                self.assertLess(seen.asked.at - seen.asked.since, outcome.seconds + AT_ONCE)
        if seen.in_flight and seen.lost is not None and seen.lost[0] < CALL_TIMEOUT:
            self.assert_lost(seen.in_flight, ended=ended)
        elif seen.in_flight:
            for handed in seen.in_flight:
                self.assert_outcome(handed, CallTimeout)
        for handed in (*seen.waiting, *seen.meanwhile, *seen.queued):
            self.assert_outcome(handed, None)

    def assert_lost(self, in_flight: list[Handed], *, ended: bool) -> None:
        """
        The first fails with its connection; the second is sent again, unless the client ended
        by itself or was ended, or there was no connection in time.
        """
        once, idempotent = in_flight
        self.assert_outcome(once, ConnectionLost)
        self.assertTrue(once.outcome.may_have_run)
        assert idempotent.at is not None
        if ended:
            self.assert_outcome(idempotent, ConnectionLost)
        elif idempotent.at - idempotent.since >= CALL_TIMEOUT:
            self.assert_outcome(idempotent, CallTimeout)
        else:
            self.assertEqual(idempotent.outcome, [None, idempotent.key])

    def assert_outcome(self, handed: Handed, error: type[Exception] | None) -> None:
        """It failed so, or did not."""
        if error is None:
            self.assertFalse(isinstance(handed.outcome, Exception), handed)
        else:
            self.assertIs(type(handed.outcome), error, handed)

    def assert_true(self, stage: Stage) -> None:
        """
        Each Deferred that the client handed out has fired once, in time, with an outcome that
        the peer's record confirms.
        """
        for handed in stage.handed:
            self.assertEqual(handed.fired, 1, handed)
            assert handed.at is not None
            self.assertLess(handed.at - handed.since, CALL_TIMEOUT + AT_ONCE, handed)
            if handed.key is not None:
                self.assertEqual(handed.untruth, "", handed)

    # -- the end

    def end(self, stage: Stage) -> None:
        """Nothing is left, and nothing was there twice."""
        ended = stage.hand("end", stage.client.end())
        stage.advance(CLOSE_TIMEOUT)
        self.assertEqual(ended.fired, 1)
        self.assertEqual(stage.client_connections, 0)
        stage.peer.stop()
        stage.settle()
        self.assertEqual(list(stage.clock.getDelayedCalls()), [])
        self.assert_true(stage)
        self.assertEqual(stage.peer.overlaps, [])
        self.assertLessEqual(stage.extra_connections, 0)
