"""
The bound of what all sessions hold.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.server.shared_buffers import SharedBuffers


class Holder:
    """
    Something that holds bytes: asked to give them up, it keeps some at first.

    :param keeps: how many.
    """

    def __init__(self, buffers: SharedBuffers, keeps: int = 0) -> None:
        self.buffers = buffers
        self.keeps = keeps
        self.size = 0
        self.asked = 0

    def hold(self, size: int) -> None:
        """Have so many bytes."""
        self.size = size
        self.buffers.hold(self, size)

    def shed(self) -> None:
        self.asked += 1
        self.hold(min(self.size, self.keeps) if self.asked == 1 else 0)


class SharedBuffersTests(SynchronousTestCase):
    """Who gives up what it holds, and when."""

    def setUp(self) -> None:
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.buffers = SharedBuffers(800)

    def test_the_largest_first(self) -> None:
        """At the bound nothing happens; above it, until an eighth is free."""
        small, large, middle = (Holder(self.buffers) for _ in range(3))
        small.hold(100)
        large.hold(400)
        middle.hold(300)
        self.assertEqual(self.buffers.total, 800)
        self.assertEqual(len(self.logged), 0)
        small.hold(101)
        self.assertEqual([h.asked for h in (small, middle, large)], [0, 0, 1])
        self.assertEqual(self.buffers.total, 401)
        self.assertEqual(len(self.logged), 1)

    def test_as_many_as_it_takes(self) -> None:
        """Several, where one does not make room enough."""
        holders = [Holder(self.buffers) for _ in range(9)]
        for holder in holders:
            holder.hold(99)
        self.assertEqual([holder.asked for holder in holders], [1] * 2 + [0] * 7)
        self.assertEqual(self.buffers.total, 7 * 99)

    def test_those_that_were_asked_before(self) -> None:
        """They are asked again before anybody else, if they still hold something."""
        slow, other = Holder(self.buffers, keeps=200), Holder(self.buffers)
        slow.hold(500)
        other.hold(400)
        self.assertEqual((slow.asked, other.asked, self.buffers.total), (1, 0, 600))
        other.hold(650)
        self.assertEqual((slow.asked, other.asked, self.buffers.total), (2, 0, 650))
        slow.hold(140)
        other.hold(700)
        self.assertEqual((slow.asked, other.asked), (2, 1))

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 500)), max_size=60))
    def test_total(self, steps: list[tuple[int, int]]) -> None:
        """It is the sum of what they hold, and never above the bound."""
        buffers = SharedBuffers(800)
        holders = [Holder(buffers, keeps=number * 10) for number in range(5)]
        for number, size in steps:
            holders[number].hold(size)
            self.assertEqual(buffers.total, sum(holder.size for holder in holders))
            self.assertLessEqual(buffers.total, 800)
        for holder in holders:
            holder.hold(0)
        self.assertEqual((buffers.total, buffers._holders, buffers._shedding), (0, {}, set()))
