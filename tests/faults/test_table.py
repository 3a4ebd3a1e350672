"""
The table of faults itself.
"""

from __future__ import annotations

from collections import Counter
from inspect import signature

from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Timeouts, TokenSocket

from .misbehaviour import KINDS
from .table import PAIRS, TRANSPORTS

STEPS = {
    *("token-connect", "token", "info", "connect", "handshake", "open", "auth"),
    *("call", "subscribe", "publish", "action", "acting", "receive", "again", "send", "ping"),
    *("replay", "close", "sending-close"),
}


class TableTests(SynchronousTestCase):
    """That it holds what it is to hold."""

    def test_size(self) -> None:
        """120 pairs of a step and a fault for each transport, by far."""
        self.assertGreaterEqual(len(PAIRS), 800)
        over = Counter(transport for outcomes in PAIRS.values() for transport in outcomes)
        self.assertEqual(set(over), set(TRANSPORTS))
        self.assertGreaterEqual(min(over.values()), 450)
        self.assertEqual({step for step, _, _ in PAIRS}, STEPS)

    def test_every_fault(self) -> None:
        """Each that there is happens somewhere, and each that is in it is one."""
        played = {(kind, name) for _, kind, name in PAIRS}
        known = {(kind, name) for kind, faults in KINDS.items() for name in faults}
        self.assertEqual(played, known)

    def test_every_way_of_misbehaving(self) -> None:
        """The ways that any server can go wrong, at every step that answers."""
        for step in STEPS - {"token-connect", "connect"}:
            names = {name for other, kind, name in PAIRS if other == step and kind == "connection"}
            for name in ("resets", "stalls", "truncates", "closes", "half-opens", "floods"):
                self.assertIn(name, names, step)
            if step != "acting":
                self.assertLessEqual({"answers late", "answers twice"}, names, step)

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
