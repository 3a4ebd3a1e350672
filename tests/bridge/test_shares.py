"""
What each caller may use of the one connection upstream.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import AnnouncedLimits
from txtokensock.bridge.error_table import ErrorKind, ShareExceeded, classify
from txtokensock.bridge.shares import Shares
from txtokensock.errors import CallTimeout


class SharesTestCase(SynchronousTestCase):
    """With a server's limits, and a clock."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.limits: AnnouncedLimits | None = None
        self.shares = Shares(lambda: self.limits, self.clock.seconds)
        self.sent: list[Deferred[Any]] = []

    def announce(self, **limits: Any) -> None:
        """There is a connection, with these limits."""
        self.limits = AnnouncedLimits(**limits)

    def call(self, caller: str = "a") -> Deferred[Any]:
        """A call that is under way until ``sent`` fires."""
        return self.shares.of(caller).call(self._send)

    def _send(self) -> Deferred[Any]:
        self.sent.append(Deferred())
        return self.sent[-1]

    def ask(self, caller: str = "a", size: int = 0) -> bool:
        """Whether a call that is over at once is within the share."""
        called = self.shares.of(caller).call(lambda: succeed(None), size)
        failures: list[Any] = []
        called.addErrback(failures.append)
        return not failures

    def asked(self, caller: str = "a") -> int:
        """How many such calls are, until one is not."""
        count = 0
        while count < 1000 and self.ask(caller):
            count += 1
        return count

    def refused(self, called: Deferred[Any]) -> str:
        """Why a call was not sent."""
        return self.failureResultOf(called, ShareExceeded).getErrorMessage()


class CallTests(SharesTestCase):
    """Calls that are under way."""

    def test_one_caller(self) -> None:
        """One who is alone has them all; the next call is not sent."""
        self.announce(calls=2)
        self.call()
        self.call()
        self.assertEqual(
            self.refused(self.call()),
            "2 calls of this caller are under way: more than its share of the server's"
            " limit calls",
        )
        self.assertEqual(len(self.sent), 2)

    def test_several(self) -> None:
        """Each has an equal part, rounded down, from when another one comes."""
        self.announce(calls=5)
        for _ in range(3):
            self.call("a")
        self.call("b")
        self.refused(self.call("a"))  # it has three, and its share is two
        self.call("b")
        self.refused(self.call("b"))

    def test_at_least_one(self) -> None:
        """However many there are."""
        self.announce(calls=2)
        for caller in "abcd":
            self.call(caller)
        for caller in "abcd":
            self.refused(self.call(caller))

    def test_given_back(self) -> None:
        """With the answer or an error, time after time."""
        self.announce(calls=1)
        for _ in range(3):
            for end in (
                lambda: self.sent[-1].callback(5),
                lambda: self.sent[-1].errback(ValueError()),
            ):
                called = self.call()
                self.refused(self.call())
                end()
                called.addErrback(lambda failure: failure.trap(ValueError) and None)
        self.assertEqual(self.shares.of("a").calls, 0)

    def test_given_up(self) -> None:
        """
        A call that nobody waits for any more goes on at the server, as long as that may take,
        or until the connection is another; one that was not sent does not.
        """
        self.announce(calls=2)
        for wait in (True, False):
            self.call().cancel()
            self.clock.advance(1)
            self.call()
            self.sent[-1].errback(CallTimeout("late", may_have_run=True))
            self.refused(self.call())
            if wait:
                self.clock.advance(58)
                self.refused(self.call())
                self.clock.advance(1)
                self.call()
                self.refused(self.call())
                self.sent[-1].callback(None)
                self.clock.advance(1)
            else:
                self.announce(calls=2)
            for _ in range(3):
                self.call()
                self.sent[-1].errback(CallTimeout("not sent", may_have_run=False))
        self.flushCancelled()

    def flushCancelled(self) -> None:
        """What was given up has failed, which nobody looks at."""
        for sent in self.sent:
            sent.addErrback(lambda failure: failure.trap(CancelledError, CallTimeout) and None)

    def test_result(self) -> None:
        """The outcome is that of what was sent."""
        called = self.call()
        self.sent[0].callback(5)
        self.assertEqual(self.successResultOf(called), 5)

    def test_large_ones_in_turn(self) -> None:
        """Of what a caller publishes, one that is large is under way; what is small, at once."""
        self.announce(calls=100)
        large = [self.shares.of("a").call_in_turn(self._send, 100_000) for _ in range(3)]
        self.assertEqual(len(self.sent), 1)
        self.shares.of("a").call_in_turn(self._send, 1_000)
        self.shares.of("b").call_in_turn(self._send, 100_000)
        self.assertEqual(len(self.sent), 3)
        large[1].cancel()
        self.failureResultOf(large[1], CancelledError)
        self.sent[0].callback("answer")
        self.assertEqual(self.successResultOf(large[0]), "answer")
        self.assertEqual(len(self.sent), 4)
        self.sent[3].callback("the third's")
        self.assertEqual(self.successResultOf(large[2]), "the third's")

    def test_nothing_announced(self) -> None:
        """Without limits, or without a connection, nothing is shared."""
        for limits in (None, AnnouncedLimits()):
            self.limits = limits
            for _ in range(100):
                self.call()
            self.shares.of("a").take([f"{number}" for number in range(1000)])

    def test_kind(self) -> None:
        """It is too much for now, and nothing was done."""
        error = classify(ShareExceeded("why"))
        self.assertEqual((error.kind, error.detail), (ErrorKind.TOO_MANY_REQUESTS, "why"))
        self.assertFalse(error.final)


class ActivityTests(SharesTestCase):
    """Who counts."""

    def test_ten_seconds(self) -> None:
        """A caller counts for ten seconds after the last that it did."""
        self.announce(calls=8)
        self.ask("a")
        self.clock.advance(5)
        self.ask("b")
        self.assertEqual(len(self.shares), 2)
        self.clock.advance(4.9)
        self.assertEqual(len(self.shares), 2)
        self.clock.advance(0.1)
        self.assertEqual(len(self.shares), 1)
        self.ask("a")
        self.assertEqual(len(self.shares), 2)
        self.clock.advance(5)
        self.assertEqual(len(self.shares), 1)
        self.clock.advance(5)
        self.assertEqual(len(self.shares), 0)

    def test_a_call_under_way(self) -> None:
        """One with a call under way counts until ten seconds after its end, about."""
        self.announce(calls=8)
        self.call("a")
        for _ in range(5):
            self.clock.advance(10)
            self.assertEqual(len(self.shares), 1)
        self.sent[0].callback(None)
        self.clock.advance(10)
        self.assertEqual(len(self.shares), 0)

    def test_listening(self) -> None:
        """Who only listens does not take from the share of others, and keeps what it has."""
        self.announce(calls=4, channels=4, messages_per_second=1.0, message_burst=100)
        share = self.shares.of("a")
        share.take(["x", "y"])
        self.clock.advance(1000)
        self.assertEqual(len(self.shares), 0)
        self.assertIs(self.shares.of("a"), share)
        self.assertRaises(ShareExceeded, share.take, ["1", "2", "3"])

    def test_listeners_share_channels(self) -> None:
        """Who listens, however long, counts where channels are shared."""
        self.announce(channels=4)
        self.shares.of("a").take(["x", "y"])
        self.clock.advance(1000)
        other = self.shares.of("b")
        other.take(["1", "2"])
        self.assertRaises(ShareExceeded, other.take, ["x"])

    def test_forgotten(self) -> None:
        """Nothing is kept of callers who are gone."""
        self.announce(messages_per_second=10, message_burst=200)
        first = self.shares.of("a")
        for number in range(100):
            self.ask(f"{number}")
        self.clock.advance(10)
        self.assertIs(self.shares.of("a"), first)  # its rate is not as new yet
        self.clock.advance(20)
        self.assertEqual(len(self.shares), 0)
        self.assertIsNot(self.shares.of("a"), first)


class ChannelTests(SharesTestCase):
    """Channels that are listened to."""

    def test_share(self) -> None:
        """Different channels count, each as often as nobody has to end it."""
        self.announce(channels=4)
        share, other = self.shares.of("a"), self.shares.of("b")
        share.take(["x", "y"])
        share.take(["y", "x"])
        error = self.assertRaises(ShareExceeded, share.take, ["x", "z"])
        self.assertEqual(
            str(error),
            "this caller may listen to 2 channels: more than its share of the server's limit"
            " channels",
        )
        share.give(["x", "y"])
        self.assertRaises(ShareExceeded, share.take, ["z"])
        share.give(["x"])
        share.take(["z"])
        other.take(["x", "z"])

    def test_all(self) -> None:
        """What others hold, the configuration included, is not there; a shared one is."""
        self.announce(channels=4)
        self.shares.hold(["news", "more"])
        share = self.shares.of("a")
        share.take(["1", "news"])
        error = self.assertRaises(ShareExceeded, share.take, ["2", "3"])
        self.assertEqual(str(error), "all callers have 3 of the server's 4 channels")
        self.shares.give(["more"])
        share.take(["2", "3"])

    def test_refused_takes_nothing(self) -> None:
        """A refusal leaves all as it was, the rate too."""
        self.announce(channels=2, messages_per_second=1.0, message_burst=10)
        share = self.shares.of("a")
        for _ in range(50):
            self.assertRaises(ShareExceeded, share.take, ["1", "2", "3"])
        with share.listening(["1", "2"], bool):
            self.assertRaises(ShareExceeded, share.take, ["3"])
        share.take(["3", "4"])

    def test_for_a_while(self) -> None:
        """They are given back however that ends."""
        self.announce(channels=1)
        share = self.shares.of("a")
        for _ in range(3):
            with self.assertRaises(ZeroDivisionError), share.listening(["x"], bool):
                raise ZeroDivisionError
            share.take(["y"])
            share.give(["y"])
        self.assertFalse(share.channels)

    def test_give_way(self) -> None:
        """
        Who has more than a share ends what came last, as often as that takes, for one who has
        less; what cannot be ended stays.
        """
        self.announce(channels=6)
        greedy = self.shares.of("a")
        listening: dict[str, ExitStack] = {}
        ended: list[str] = []

        def end(name: str) -> bool:
            if name != "5":
                ended.append(name)
                listening[name].close()
            return name != "5"

        for name in "12345":
            listening[name] = ExitStack()
            listening[name].enter_context(greedy.listening([name], partial(end, name)))
        self.assertRaises(ShareExceeded, greedy.take, ["6", "7"])
        self.assertEqual(ended, [])
        other = self.shares.of("b")
        other.take(["x"])
        self.assertEqual(ended, [])
        other.take(["y", "1"])
        self.assertEqual(ended, ["4"])
        self.assertRaises(ShareExceeded, other.take, ["z"])  # it has its share
        third = self.shares.of("c")
        third.take(["z"])
        self.assertEqual(ended, ["4", "3"])
        self.assertEqual(set(greedy.channels), {"1", "2", "5"})
        self.shares.hold(["6"])
        third.take(["2"])
        self.assertRaises(ShareExceeded, self.shares.of("d").take, ["7", "8"])

    @given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz"), st.booleans())))
    def test_counts(self, steps: list[tuple[str, str, bool]]) -> None:
        """Whatever is taken and given, never more are there than the server has."""
        shares = Shares(lambda: limits, lambda: 0.0)
        limits = AnnouncedLimits(channels=2)
        held: list[tuple[str, str]] = []
        for caller, channel, take in steps:
            if take:
                others = {name for _, name in held}
                mine = {name for who, name in held if who == caller}
                try:
                    shares.of(caller).take([channel])
                except ShareExceeded:
                    self.assertTrue(channel not in mine)
                else:
                    held.append((caller, channel))
                    self.assertLessEqual(len(others | {channel}), 2)
            elif (caller, channel) in held:
                held.remove((caller, channel))
                shares.of(caller).give([channel])
        for caller, channel in held:
            shares.of(caller).give([channel])
        self.assertEqual(shares.make_room(["x", "y"]), 2)


class RateTests(SharesTestCase):
    """Messages per second."""

    def test_all_but_a_tenth(self) -> None:
        """One who is alone may use nine tenths, and what comes back with time."""
        self.announce(messages_per_second=10, message_burst=100)
        self.assertEqual(self.asked(), 90)
        self.clock.advance(1)
        self.assertEqual(self.asked(), 9)
        self.clock.advance(1000)
        self.assertEqual(self.asked(), 90)

    def test_equal_parts(self) -> None:
        """Two have a half each, whatever the other one has used."""
        self.announce(messages_per_second=10, message_burst=100)
        self.ask("b")
        self.assertEqual(self.asked("a"), 50)
        self.assertEqual(self.asked("b"), 39)  # nine tenths in all
        self.clock.advance(2)
        self.assertEqual(self.asked("a"), 10)
        self.assertEqual(self.asked("b"), 8)

    def test_what_was_taken_stays_taken(self) -> None:
        """A caller's part becomes smaller when others come, and larger when they are gone."""
        self.announce(messages_per_second=1, message_burst=100)
        for _ in range(60):
            self.assertTrue(self.ask("a"))
        self.assertTrue(self.ask("b"))
        self.assertFalse(self.ask("a"))
        self.clock.advance(11)  # of a's part, 10 seconds more are missing
        self.assertEqual(len(self.shares), 0)
        self.assertEqual(self.asked("a"), 38)

    def test_idle_callers_do_not_begin_anew(self) -> None:
        """Ten seconds do not give back a burst that takes longer to fill."""
        self.announce(messages_per_second=1, message_burst=100)
        self.asked("a")
        self.clock.advance(20)
        self.assertEqual(self.asked("a"), 18)

    def test_size(self) -> None:
        """Each 64 KiB count as a message more."""
        self.announce(messages_per_second=1, message_burst=20)
        self.assertTrue(self.ask(size=16 * 64 * 1024))
        self.assertEqual(self.asked(), 1)

    def test_larger_than_the_share(self) -> None:
        """
        What costs more than a caller may send at once is sent when it has sent nothing for long
        enough, and is paid back afterwards; others are not concerned.
        """
        self.announce(messages_per_second=10, message_burst=100)
        for caller in "abcdefghij":
            self.ask(caller)
        large = 30 * 64 * 1024
        self.assertFalse(self.ask("a", large))  # it has used one of its ten
        self.clock.advance(1)
        self.assertTrue(self.ask("a", large))
        waited = 0
        while not self.ask("a"):
            self.clock.advance(1)
            waited += 1
            for caller in "bcdefghij":
                self.assertTrue(self.ask(caller))
        self.assertEqual(waited, 22)

    def test_smallest_rate(self) -> None:
        """Also a server that takes one message at once lets somebody listen."""
        self.announce(messages_per_second=1, message_burst=1)
        self.shares.of("a").take(["x"])
        self.assertFalse(self.ask("a"))
        self.clock.advance(3)
        self.assertTrue(self.ask("a"))

    def test_subscriptions(self) -> None:
        """To subscribe and unsubscribe are two messages, where nobody has the channel."""
        self.announce(messages_per_second=1, message_burst=20)
        share = self.shares.of("a")
        share.take(["x"])
        for _ in range(100):
            share.take(["x"])
        self.assertEqual(self.asked(), 16)

    def test_a_new_connection(self) -> None:
        """The rate is as new, but for the channels that are subscribed to again."""
        self.announce(messages_per_second=1, message_burst=20)
        self.shares.hold(["x", "y", "z"])
        for _ in range(3):
            self.assertEqual(self.asked(), 15)
            self.limits = None
            self.assertEqual(self.asked(), 1000)
            self.announce(messages_per_second=1, message_burst=20)

    def test_half_announced(self) -> None:
        """A rate without a burst is its own; a burst alone says nothing."""
        self.announce(messages_per_second=20)
        self.assertEqual(self.asked(), 18)
        self.announce(message_burst=5)
        self.assertEqual(self.asked(), 1000)
