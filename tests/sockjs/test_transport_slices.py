"""
Messages that are too many for one turn of the reactor.
"""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn
from txtokensock.sockjs.transport import SockJSTransport
from txtokensock.support.slices import Slices

from .test_transport import Events, Session
from .test_transport_states import Told


def numbered(start: int, end: int) -> list[bytes]:
    """Messages that are told apart."""
    return [b"%d" % number for number in range(start, end)]


class SlicedStage:
    """
    A transport whose messages wait for turns.

    :param protocol: what hears them.
    """

    def __init__(self, protocol: Any = None, slices: Slices | None = None) -> None:
        self.clock = Clock()
        self.slices = Slices(self.clock) if slices is None else slices
        self.session = Session()
        self.transport = SockJSTransport(self.session, "", self.slices)
        self.protocol = protocol or Events()
        self.transport.connect(self.protocol)

    @property
    def heard(self) -> list[Any]:
        """What the protocol heard after connectionMade."""
        return list(self.protocol.events[1:])

    def turn(self) -> None:
        """One turn of the reactor, not those that follow from it."""
        one_turn(self.clock)


class SlicedDeliveryTests(SynchronousTestCase):
    """One frame with more messages than a turn has room for."""

    def setUp(self) -> None:
        self.stage = SlicedStage()
        self.transport = self.stage.transport
        self.calls = self.stage.session.calls

    def test_few_are_delivered_at_once(self) -> None:
        """No turn is waited for, and no clock read or timer set."""
        self.stage.clock.seconds = lambda: 1 / 0  # type: ignore[method-assign]
        self.transport.messages_received(numbered(0, 5))
        self.assertEqual(self.stage.heard, numbered(0, 5))
        self.assertEqual(self.stage.clock.calls, [])

    def test_large_ones_have_turns_of_their_own(self) -> None:
        """Of messages that are large, one is delivered in some turns, and small ones in all."""
        large, other = b"x" * 70_000, SlicedStage(slices=self.stage.slices)
        late = SlicedStage(slices=self.stage.slices)
        for transport in (self.transport, other.transport):
            transport.messages_received([large, b"a", large, b"b"])
        deliveries = 0
        for number in range(16):
            late.transport.messages_received([b"%d" % number])
            self.assertEqual(late.heard[number:], [b"%d" % number])
            self.stage.turn()
            seen = [*self.stage.heard, *other.heard].count(large)
            self.assertLessEqual(seen - deliveries, 1)
            deliveries = seen
        self.assertEqual(self.stage.heard, [large, b"a", large, b"b"])
        self.assertEqual(other.heard, self.stage.heard)
        self.assertEqual(self.stage.clock.calls, [])

    def test_many_wait(self) -> None:
        """The rest is delivered in later turns, in order; all of it in the end."""
        self.transport.messages_received(numbered(0, 10_000))
        slices = 0
        while self.stage.clock.calls:
            self.assertEqual(self.stage.heard, numbered(0, len(self.stage.heard)))
            before = len(self.stage.heard)
            self.stage.turn()
            self.assertLessEqual(len(self.stage.heard) - before, 1000)
            slices += 1
        self.assertEqual(self.stage.heard, numbered(0, 10_000))
        self.assertGreater(slices, 10)

    def test_bytes_count(self) -> None:
        """Messages that are not small take as much room as several small ones."""
        self.transport.messages_received([b"x" * 60_000] * 40)
        self.assertEqual(len(self.stage.heard), 9)
        self.stage.turn()
        self.assertEqual(len(self.stage.heard), 18)

    def test_slow_messages(self) -> None:
        """A protocol that takes long has fewer of them in a turn."""

        def react(_: bytes) -> None:
            self.stage.clock.rightNow += 0.001

        self.stage.protocol.react = react
        self.transport.messages_received(numbered(0, 100))
        self.assertLess(len(self.stage.heard), 20)
        while self.stage.clock.calls:
            self.stage.turn()
        self.assertEqual(self.stage.heard, numbered(0, 100))

    def test_nothing_is_read_meanwhile(self) -> None:
        """What comes meanwhile waits behind the rest, and stops the reading until then."""
        self.transport.messages_received(numbered(0, 1000))
        self.assertEqual(self.calls, [])
        self.transport.messages_received(numbered(1000, 1001))
        self.transport.messages_received(numbered(1001, 1002))
        self.assertEqual(self.calls, ["pause"])
        self.stage.clock.advance(0)
        self.assertEqual(self.stage.heard, numbered(0, 1002))
        self.assertEqual(self.calls, ["pause", "resume"])

    def test_paused_meanwhile(self) -> None:
        """Nothing is delivered while the protocol is paused, and reading waits for both."""
        self.transport.messages_received(numbered(0, 1000))
        self.transport.messages_received([b"1000"])
        self.transport.pauseProducing()
        heard = len(self.stage.heard)
        self.stage.clock.advance(0)
        self.assertEqual((len(self.stage.heard), self.calls), (heard, ["pause"]))
        self.transport.resumeProducing()
        self.assertEqual(self.calls, ["pause"])
        self.stage.clock.advance(0)
        self.assertEqual(self.stage.heard, numbered(0, 1001))
        self.assertEqual(self.calls, ["pause", "resume"])

    def test_the_session_ends_meanwhile(self) -> None:
        """What came before is delivered first, then the end."""
        self.transport.messages_received(numbered(0, 1000))
        reason = ConnectionLost()
        self.transport.ended(Failure(reason))
        self.assertNotIn(reason, self.stage.heard)
        self.stage.clock.advance(0)
        self.assertEqual(self.stage.heard, [*numbered(0, 1000), reason])

    def test_the_connection_is_lost_meanwhile(self) -> None:
        """What one read brings is delivered, and more is dropped at once."""
        for count, delivered in ((4, 4), (5, 0)):
            stage = SlicedStage()
            stage.transport.pauseProducing()
            stage.transport.messages_received([b"x" * 16_000] * count)
            stage.transport.lost(Failure(ConnectionLost()))
            self.assertEqual(stage.transport.bytes_undelivered, 16_000 * delivered)
            stage.transport.resumeProducing()
            stage.clock.advance(0)
            self.assertEqual(stage.heard[:-1], [b"x" * 16_000] * delivered)
            self.assertIsInstance(stage.heard[-1], ConnectionLost)

    def test_the_other_side_closes_meanwhile(self) -> None:
        """The news of it come behind the messages."""
        stage = SlicedStage(Told())
        stage.transport.messages_received(numbered(0, 1000))
        stage.transport.closing(Failure(ConnectionDone()))
        self.assertNotIn("closing:ConnectionDone", stage.heard)
        stage.clock.advance(0)
        self.assertEqual(stage.heard, [*numbered(0, 1000), "closing:ConnectionDone"])

    def test_this_side_ends_it_meanwhile(self) -> None:
        """A close, or an abort, drops the rest."""
        for end in (SockJSTransport.loseConnection, SockJSTransport.abortConnection):
            stage = SlicedStage()
            stage.transport.messages_received(numbered(0, 1000))
            heard = len(stage.heard)
            end(stage.transport)
            stage.clock.advance(0)
            self.assertEqual(len(stage.heard), heard)
            stage.transport.ended(Failure(ConnectionDone()))
            self.assertEqual(len(stage.heard), heard + 1)

    def test_fairness(self) -> None:
        """Who sends one message waits for a share of those who send thousands, not for all."""
        floods = [SlicedStage(slices=self.stage.slices) for _ in range(20)]
        for flood in floods:
            flood.transport.messages_received(numbered(0, 5000))
        self.transport.messages_received([b"honest"])
        turns = 0
        while not self.stage.heard:
            self.stage.turn()
            turns += 1
        self.assertLess(turns, 5)
        self.assertLess(sum(len(flood.heard) for flood in floods), 1000)

    @given(st.data())
    def test_any_order_of_events(self, data: st.DataObject) -> None:
        """Whatever happens meanwhile, messages come once and in order, and the end last."""
        stage = SlicedStage()
        sent = 0
        transport = stage.transport
        for _ in range(data.draw(st.integers(1, 12))):
            match data.draw(st.sampled_from(["receive", "pause", "resume", "turn"])):
                case "receive":
                    count = data.draw(st.sampled_from([1, 10, 100, 400]))
                    transport.messages_received(numbered(sent, sent + count))
                    sent += count
                case "pause":
                    transport.pauseProducing()
                case "resume":
                    transport.resumeProducing()
                case "turn":
                    stage.turn()
        transport.ended(Failure(ConnectionDone()))
        transport.resumeProducing()
        stage.clock.advance(0)
        self.assertEqual(stage.heard[:-1], numbered(0, sent))
        self.assertIsInstance(stage.heard[-1], ConnectionDone)
        balance = stage.session.calls.count("pause") - stage.session.calls.count("resume")
        self.assertIn(balance, (0, 1))
