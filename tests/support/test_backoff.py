"""
``support.backoff``: the waits between attempts.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Backoff
from txtokensock.errors import InvalidOption


class BackoffTests(SynchronousTestCase):
    """How long to wait; ``tests/client`` has whether to try again."""

    def test_first(self) -> None:
        """The first retry comes within a tenth of a second."""
        self.assertLessEqual(max(Backoff().delay(1) for _ in range(200)), 0.1)

    def test_full_jitter(self) -> None:
        """Any time between nothing and the longest is possible."""
        self.assertEqual(Backoff(jitter=lambda: 0.0).delay(5), 0.0)
        self.assertEqual(Backoff(jitter=lambda: 0.5).delay(5), 0.8)
        self.assertEqual(Backoff(jitter=lambda: 1.0).delay(5), 1.6)
        delays = {Backoff().delay(9) for _ in range(20)}
        self.assertEqual(len(delays), 20)

    @given(
        retry=st.integers(1, 10**9),
        first=st.floats(1e-3, 1e8),
        factor=st.floats(1, 1e308),
        cap=st.floats(1e-3, 1e8),
        jitter=st.floats(0, 1),
    )
    def test_bounds(
        self, retry: int, first: float, factor: float, cap: float, jitter: float
    ) -> None:
        """It is never negative, never above the cap, and never grows past a number."""
        backoff = Backoff(first=first, factor=factor, cap=cap, jitter=lambda: jitter)
        self.assertTrue(0 <= backoff.delay(retry) <= cap)

    def test_grows(self) -> None:
        """Doubling, up to 30 seconds."""
        backoff = Backoff(jitter=lambda: 1.0)
        delays = [backoff.delay(retry) for retry in range(1, 12)]
        self.assertEqual(delays[:4], [0.1, 0.2, 0.4, 0.8])
        self.assertEqual(delays[-2:], [30.0, 30.0])

    def test_invalid(self) -> None:
        """Options that cannot be."""
        for name in ("first", "cap", "stable_after"):
            for value in (0, -1, float("nan"), float("inf"), "1", True):
                self.assertRaises(InvalidOption, Backoff, **{name: value})
        for value in (0.5, 0, -1, float("nan")):
            self.assertRaises(InvalidOption, Backoff, factor=value)
        for value in (0, -1, 1.5, "1"):
            self.assertRaises(InvalidOption, Backoff, max_attempts=value)
