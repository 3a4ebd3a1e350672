"""
The bucket of a rate.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.support.rate_limit import RateLimit


class RateLimitTests(SynchronousTestCase):
    """What is within the rate, and what is not."""

    def test_never_more_than_the_burst(self) -> None:
        """However long the silence, no more than the burst at once."""
        rate = RateLimit(10.0, 3, 0.0)
        for now in (0.0, 1000.0):
            self.assertEqual([rate.take(now) for _ in range(4)], [True, True, True, False])

    def test_rate(self) -> None:
        """In the long run, the rate."""
        rate = RateLimit(4.0, 1, 0.0)
        self.assertEqual(sum(rate.take(n / 16) for n in range(160)), 40)

    def test_costs(self) -> None:
        """What costs too much takes nothing, and what costs less is still allowed."""
        rate = RateLimit(1.0, 10, 0.0)
        self.assertEqual(
            [rate.take(0.0, cost) for cost in (11, 8, 3, 2)], [False, True, False, True]
        )
        self.assertEqual([rate.take(3.0, cost) for cost in (4, 3)], [False, True])

    def test_borrow(self) -> None:
        """What costs more than the burst takes all of it, and is paid back."""
        rate = RateLimit(1.0, 10, 0.0)
        self.assertTrue(rate.take(0.0))
        self.assertFalse(rate.borrow(0.0, 15))
        self.assertTrue(rate.borrow(1.0, 15))
        self.assertFalse(rate.take(5.5))
        self.assertTrue(rate.take(7.0))
        self.assertTrue(rate.borrow(20.0, 2))
        self.assertTrue(rate.take(20.0, 8))

    def test_credit(self) -> None:
        """A credit counts on top of the burst, does not go away, and can be taken back."""
        rate = RateLimit(1.0, 2, 0.0)
        rate.credit(2)
        self.assertEqual([rate.take(1000.0, cost) for cost in (5, 4)], [False, True])
        rate.credit(1)
        rate.credit(-1)
        self.assertFalse(rate.take(1000.0))

    def test_change(self) -> None:
        """A new rate counts from now on, and what was taken stays taken."""
        rate = RateLimit(1.0, 10, 0.0)
        self.assertTrue(rate.take(0.0, 4))
        rate.change(2.0, 20)
        self.assertEqual([rate.take(0.0, cost) for cost in (17, 16)], [False, True])
        self.assertEqual([rate.take(2.0, cost) for cost in (5, 4)], [False, True])
        rate.change(2.0, 5)
        self.assertEqual([rate.take(1000.0, cost) for cost in (6, 5)], [False, True])

    @given(
        st.lists(st.tuples(st.floats(0, 10), st.integers(1, 5)), max_size=50),
        st.integers(1, 20),
        st.integers(1, 10),
    )
    def test_bound(self, inputs: list[tuple[float, int]], burst: int, per_second: int) -> None:
        """Whatever comes when, no more is taken than the burst and what the time has brought."""
        rate = RateLimit(per_second, burst, 0.0)
        now = taken = 0.0
        for pause, cost in inputs:
            now += pause
            taken += cost if rate.take(now, cost) else 0
            self.assertLessEqual(taken, burst + per_second * now + 1e-6)
