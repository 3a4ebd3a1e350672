"""
The soak's judges find what is wrong: a soak that cannot fail shows nothing.
"""

from __future__ import annotations

import random

from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.internet.error import ConnectionLost as SocketLost
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import (
    CallTimeout,
    ConnectFailed,
    ConnectionLost,
    FunctionNotFound,
    InvalidData,
    PeerSilent,
    QueueFull,
    RemoteError,
)

from .faults import NETWORK, PROCESSES, every_fault, faults
from .ledger import LATEST, LEAVING, Calls, Connections
from .order import Increasing, Iterated, Turns, Unbroken
from .verdict import Verdict


class JudgeTestCase(SynchronousTestCase):
    """With a verdict."""

    def setUp(self) -> None:
        self.told: list[str] = []
        self.verdict = Verdict(lambda rule, details: self.told.append(f"{rule}: {details}"))

    def found(self) -> list[str]:
        """The rules that were broken since this was asked before."""
        rules = sorted(self.verdict.broken)
        self.verdict.broken.clear()
        return rules


class VerdictTests(JudgeTestCase):
    """:class:`Verdict`"""

    def test_told_and_counted(self) -> None:
        """The first cases of each rule are told, all are counted."""
        for number in range(100):
            self.verdict.against("a rule", str(number))
        self.verdict.against("another", "once")
        self.assertEqual(self.told, [*(f"a rule: {n}" for n in range(5)), "another: once"])
        self.assertEqual(self.verdict.broken, {"a rule": 100, "another": 1})


class CallsTests(JudgeTestCase):
    """:class:`Calls`"""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.calls = Calls(self.verdict, self.clock)

    def test_well(self) -> None:
        """Answers, failures by the network and those that were expected are all there is."""
        self.calls.watch("echo", succeed(1), right=lambda answer: answer == 1)
        for problem in (
            ConnectionLost("lost"),
            CallTimeout("late", may_have_run=True),
            QueueFull("full"),
            RemoteError(LEAVING),
        ):
            self.calls.watch("echo", fail(problem))
        self.calls.watch("missing", fail(FunctionNotFound("?")), may_fail=(FunctionNotFound,))
        self.calls.settle()
        self.assertEqual(self.found(), [])
        self.assertEqual((self.calls.made, self.calls.answered), (6, 1))
        self.assertEqual(self.calls.failed[f"RemoteError ({LEAVING})"], 1)

    def test_lost_answer(self) -> None:
        """A call without an outcome is found, and named."""
        self.calls.watch("the lost one", Deferred())
        self.calls.settle()
        unfinished = ["calls are left without an outcome", "calls are not answers and failures"]
        self.assertEqual(self.found(), unfinished)
        self.assertIn("the lost one", self.told[0])

    def test_wrong_answer(self) -> None:
        """The answer to another call is found."""
        self.calls.watch("echo", succeed(2), right=lambda answer: answer == 1)
        self.assertEqual(self.found(), ["a call got the wrong answer"])

    def test_failures_without_a_name(self) -> None:
        """A failure that cannot be the network's is found, in the one call and in the other."""
        for problem in (ValueError("?"), RemoteError("no"), CancelledError(), InvalidData("NaN")):
            self.calls.watch("echo", fail(problem))
            self.assertEqual(self.found(), ["a call failed as it must not"])

    def test_sent_again(self) -> None:
        """A call that is sent again by itself does not fail with the connection."""
        self.calls.watch("echo", fail(CallTimeout("late", may_have_run=True)), again=True)
        self.assertEqual(self.found(), [])
        self.calls.watch("echo", fail(ConnectionLost("lost")), again=True)
        self.assertEqual(self.found(), ["a call failed as it must not"])

    def test_late(self) -> None:
        """An outcome that takes far too long is found."""
        for seconds, found in [(LATEST, []), (LATEST + 1, ["an outcome came too late"])]:
            waiting: Deferred[None] = Deferred()
            self.calls.watch("echo", waiting)
            self.clock.advance(seconds)
            waiting.callback(None)
            self.assertEqual((self.calls.longest, self.found()), (seconds, found))

    def test_two_outcomes(self) -> None:
        """A second outcome of a call is found."""
        number = self.calls.make("echo")
        self.calls.answer(number)
        self.calls.fail(number, ConnectionLost("lost"), (ConnectionLost,))
        self.assertEqual(self.found(), ["a call had two outcomes"])
        self.calls.settle()
        self.assertEqual(self.found(), ["calls are not answers and failures"])


class ConnectionsTests(JudgeTestCase):
    """:class:`Connections`"""

    def setUp(self) -> None:
        super().setUp()
        self.connections = Connections("ada", self.verdict)

    def test_well(self) -> None:
        """Attempts fail, connections come and go in turn; the last one may be there."""
        self.connections.heard(ConnectFailed("refused", "connect"))
        self.connections.heard(None)
        self.connections.gone(PeerSilent("silent"))
        self.connections.settle(connected=False)
        # One that was lost before it was told of is a failed attempt.
        self.connections.heard(SocketLost())
        self.connections.heard(None)
        self.connections.settle(connected=True)
        self.assertEqual(self.found(), [])
        self.assertEqual(
            self.connections.failed, {"ConnectFailed (connect)": 1, "ConnectionLost": 1}
        )
        self.assertEqual(self.connections.ends, {"PeerSilent": 1})

    def test_second_connection(self) -> None:
        """A connection beside another one is found."""
        self.connections.heard(None)
        self.connections.heard(None)
        self.assertEqual(self.found(), ["a second connection was made"])

    def test_lost_twice(self) -> None:
        """A loss that is told again is found."""
        self.connections.heard(None)
        self.connections.gone(SocketLost())
        self.connections.gone(SocketLost())
        self.assertEqual(self.found(), ["a loss was told twice"])

    def test_unknown_loss(self) -> None:
        """A client that is connected, and did not say so, is found; and the opposite."""
        self.connections.settle(connected=True)
        self.assertEqual(self.found(), ["losses and returns differ"])
        self.connections.heard(None)
        self.connections.settle(connected=False)
        self.assertEqual(self.found(), ["losses and returns differ"])

    def test_nameless(self) -> None:
        """Errors that are none of ours, or without a known phase, are found."""
        for problem in (ValueError("?"), ConnectFailed("?", "elsewhere")):  # type: ignore[arg-type]
            self.connections.heard(problem)
            self.assertEqual(self.found(), ["an attempt failed without a name"])
        self.connections.heard(None)
        self.connections.gone(ValueError("?"))
        self.assertEqual(self.found(), ["a loss has no name"])


class OrderTests(JudgeTestCase):
    """:class:`Increasing`, :class:`Unbroken`, :class:`Iterated`"""

    def confirmed(self, kind: type[Increasing]) -> Increasing:
        """A judge of a subscription, connected and confirmed."""
        order = kind("news", self.verdict)
        order.connected()
        order.confirmed()
        return order

    def test_well(self) -> None:
        """Everything in order; the next connection begins anywhere, as may another server."""
        for kind in (Increasing, Unbroken, Iterated):
            order = self.confirmed(kind)
            for message in [(1, 7), (1, 8), (1, 9)]:
                order.hear(*message)
            order.connected()
            for message in [(1, 20), (1, 21)]:
                order.hear(*message)
            order.connected()
            for message in [(3, 1), (3, 2)]:
                order.hear(*message)
            self.assertEqual(self.found(), [])
            self.assertEqual(order.heard, 7)

    def test_twice(self) -> None:
        """A duplicate is found, also one from an earlier connection."""
        for kind in (Increasing, Unbroken, Iterated):
            order = self.confirmed(kind)
            order.hear(1, 7)
            order.hear(1, 7)
            self.assertEqual(self.found(), ["a message came twice"])
            order.connected()
            order.hear(1, 7)
            self.assertEqual(self.found(), ["a message came twice"])

    def test_out_of_order(self) -> None:
        """What comes late is found, also what an earlier server had sent."""
        for kind in (Increasing, Unbroken, Iterated):
            order = self.confirmed(kind)
            order.hear(2, 7)
            for message in [(2, 6), (1, 99)]:
                order.hear(*message)
                self.assertEqual(self.found(), ["a message came out of order"])

    def test_gap(self) -> None:
        """What is missing within a connection is found; so is another server's message."""
        for message in [(1, 3), (2, 1), (2, 2)]:
            order = self.confirmed(Unbroken)
            order.hear(1, 1)
            order.hear(*message)
            self.assertEqual(self.found(), ["messages are missing"])

    def test_gap_before_confirmed(self) -> None:
        """
        What comes before the confirmation may be the rest of an earlier subscription:
        what comes after that need not follow it, but all that comes later must.
        """
        order = Unbroken("news", self.verdict)
        order.connected()
        order.hear(1, 1)
        order.confirmed()
        order.hear(1, 5)
        self.assertEqual(self.found(), [])
        order.hear(1, 7)
        self.assertEqual(self.found(), ["messages are missing"])

    def test_gaps_of_iterated(self) -> None:
        """Where messages wait in a buffer, each connection may have cost one gap."""
        order = self.confirmed(Iterated)
        order.connected()
        for message in [(1, 5), (1, 7), (2, 1)]:
            order.hear(*message)
        self.assertEqual(self.found(), [])
        order.hear(2, 3)
        self.assertEqual(self.found(), ["messages are missing"])


class TurnsTests(JudgeTestCase):
    """:class:`Turns`"""

    def setUp(self) -> None:
        super().setUp()
        self.turns = Turns("ada", self.verdict)
        for number in range(4):
            self.turns.made(number)

    def test_well(self) -> None:
        """Answers in turn, where others fail, and on another connection."""
        self.turns.failed(1)
        self.turns.answered(0)
        self.turns.answered(2)
        self.turns.connected()
        self.turns.made(4)
        self.turns.answered(4)
        self.turns.answered(3)
        self.assertEqual(self.found(), [])

    def test_missing(self) -> None:
        """An answer that does not come, while later ones do, is found."""
        self.turns.answered(0)
        self.turns.answered(2)
        self.assertEqual(self.found(), ["an answer is missing"])


class FaultsTests(SynchronousTestCase):
    """What befalls the client"""

    def test_same_seed(self) -> None:
        """The same seed gives the same faults, another one gives others."""

        def first(seed: int) -> list[object]:
            coming = faults(random.Random(seed))
            return [next(coming) for _ in range(50)]

        self.assertEqual(first(1), first(1))
        self.assertNotEqual(first(1), first(2))

    def test_every_fault(self) -> None:
        """The first minute has time for each of them, and two that last."""
        for seed in range(20):
            found = list(every_fault(random.Random(seed)))
            self.assertEqual(sorted(one.name for one in found), sorted([*NETWORK, *PROCESSES]))
            lasting = sorted(one.name for one in found if one.seconds > 6.0)
            self.assertEqual(lasting, ["hold", "refuse"])
            self.assertLess(sum(one.seconds for one in found), 55.0)

    def test_sooner_or_later(self) -> None:
        """All of them come, some outlast the client's patience, and some come in twos."""
        coming = faults(random.Random(1))
        found = [next(coming)[1] for _ in range(300)]
        self.assertEqual({one.name for both in found for one in both}, {*NETWORK, *PROCESSES})
        self.assertGreater(max(one.seconds for both in found for one in both), 6.0)
        twos = [both for both in found if len(both) == 2]
        self.assertTrue(twos)
        for one, other in twos:
            self.assertNotEqual(one.of_network, other.of_network)
