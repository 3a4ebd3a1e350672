"""
The table of faults itself.
"""

from __future__ import annotations

from inspect import signature
from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Timeouts, TokenSocket

from .closing import ENDS, SIGNS, closing
from .functions import FUNCTIONS, HOOKS, PLAIN
from .misbehaviour import KINDS
from .table import FRAMED, HTTP, INFORMED, PAIRS, POLL, RAW, TRANSPORTS, WEBSOCKETS, WS

ANSWERS = {
    *("token-connect", "token", "info", "connect", "handshake", "open", "auth"),
    *("call", "subscribe", "publish", "action", "acting", "receive", "again", "send", "ping"),
    *("replay", "close", "sending-close"),
}
"""Where the peer says something."""

POISONED = {"poison", "poison once", "poison alone"}
STEPS = {*ANSWERS, *POISONED, *HOOKS, "requests"}

CLOSES = {"auth", "call", "subscribe", "publish", "action", "acting", "receive", "replay"}
"""Where a peer begins to close, over every transport."""

SOME = {
    "info": INFORMED,
    "open": FRAMED,
    "again": HTTP,
    "close": WEBSOCKETS,
    "sending-close": HTTP,
}
"""The steps that not all transports come to."""


class TableTests(SynchronousTestCase):
    """That it holds what it is to hold."""

    def test_every_step(self) -> None:
        """Something happens at every step, and over every transport that comes to it."""
        over = {step: set[str]() for step in STEPS}
        for (step, _, _), outcomes in PAIRS.items():
            over[step] |= set(outcomes)
        self.assertEqual(over, {step: set(SOME.get(step, TRANSPORTS)) for step in STEPS})

    def test_every_fault(self) -> None:
        """Each that there is happens somewhere, and each that is in it is one."""
        played = {(kind, name) for _, kind, name in PAIRS}
        known = {(kind, name) for kind, faults in KINDS.items() for name in faults}
        self.assertEqual(played, known)

    def test_every_way_of_misbehaving(self) -> None:
        """The ways that any server can go wrong, at every step that answers."""
        for step in ANSWERS - {"token-connect", "connect"}:
            names = {name for other, kind, name in PAIRS if other == step and kind == "connection"}
            for name in ("resets", "stalls", "truncates", "closes", "half-opens", "floods"):
                self.assertIn(name, names, step)
            if step != "acting":
                self.assertLessEqual({"answers late", "answers twice"}, names, step)

    def test_every_close(self) -> None:
        """Every sign and every end of it, alone and with the answer."""
        for step, answers in product(CLOSES, (False, True)):
            if step == "acting" and answers:
                continue  # a heartbeat is no answer
            for sign, end in product(SIGNS, ENDS):
                over = set(PAIRS[step, "closing", closing(sign, end, answers=answers)])
                expected = {"c": {WS, *HTTP}, "a close frame": {WS, RAW}}.get(sign, {WS})
                self.assertEqual(over, expected - ({POLL} if answers else set()), (step, sign))

    def test_every_exception(self) -> None:
        """Each base of exceptions out of every function, at once or later where it may be."""
        for step in HOOKS:
            raised = {name for other, _, name in PAIRS if other == step}
            expected = PLAIN if step in ("retry", "retry_policy") else FUNCTIONS
            self.assertEqual(raised, set(expected), step)

    def test_defaults(self) -> None:
        """The seconds are those of the options that it names, as they are by default."""
        timeouts = Timeouts()
        options = signature(TokenSocket).parameters
        call, silence, ping = (
            options[name].default for name in ("call_timeout", "silence_timeout", "ping_timeout")
        )
        seconds = {
            **{f"timeouts.{name}": getattr(timeouts, name) for name in timeouts.__slots__},
            "call_timeout": call,
            "silence_timeout, ping_timeout": silence * 1.25 + ping,
        }
        for pair, outcomes in PAIRS.items():
            for outcome in outcomes.values():
                expected = seconds[outcome.option] if outcome.option else 0.0
                self.assertEqual(outcome.seconds, expected, pair)
