"""
``Retry-After``.
"""

from __future__ import annotations

import os
import time
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.web.client.retry_after import retry_after

NOW = 1_700_000_000.0
VALUES: dict[str, float | None] = {
    "": None,
    "soon": None,
    "-1": None,
    "1.5": None,
    "1e3": None,
    "\u0663": None,
    "0": 0.0,
    " 120 ": 120.0,
    "0" * 50 + "7": 7.0,
    "9" * 5000: 86_400.0,
    "Tue, 14 Nov 2023 22:15:20 GMT": 120.0,
    "Tuesday, 14-Nov-23 22:15:20 GMT": 120.0,
    "Tue Nov 14 22:15:20 2023": 120.0,
    "Tue, 14 Nov 2023 22:00:00 GMT": 0.0,
    "Tue, 14 Nov 2093 22:00:00 GMT": 86_400.0,
    "Tue, 99 Nov 2023 22:00:00 GMT": None,
    "Tue, 14 Nov 99999 22:00:00 GMT": None,
}


class RetryAfterTests(SynchronousTestCase):
    """Seconds or a date."""

    def test_values(self) -> None:
        """A day at most; the three forms of a date; nonsense is nothing."""
        for value, expected in VALUES.items():
            self.assertEqual(retry_after(value, NOW), expected, value[:40])

    def test_time_zone(self) -> None:
        """A date that names no zone is GMT, wherever this machine is."""
        with mock.patch.dict(os.environ, {"TZ": "XYZ-5"}):
            time.tzset()
            seconds = retry_after("Tue Nov 14 22:15:20 2023", NOW)
        time.tzset()
        self.assertEqual(seconds, 120)

    def test_wall_clock(self) -> None:
        """Without another time, a date is compared with the machine's."""
        then = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 100))
        seconds = retry_after(then)
        assert seconds is not None
        self.assertTrue(95 < seconds <= 100, seconds)

    @given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ [\d:]+ [-+\w]*"))
    def test_anything(self, value: str) -> None:
        """Whatever it is, there is a number within the bounds, or none."""
        seconds = retry_after(value, NOW)
        self.assertTrue(seconds is None or 0 <= seconds <= 86_400, value)
