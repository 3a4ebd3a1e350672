"""
Every HTTP request of the table.
"""

from __future__ import annotations

import re

from tests.kit.tables import each

from .cases_http import REQUESTS, HttpCase
from .stage import HostileTestCase

_STATUS = re.compile(rb"(?:^|[\n}.])HTTP/1\.[01] (\d{3}) ")


@each({case.name: (case,) for case in REQUESTS})
class HttpTests(HostileTestCase):
    """HTTP of which nobody knows where it comes from, before any token."""

    def run_case(self, case: HttpCase) -> None:
        """
        Every request gets its response, and the connection ends, though the attacker does
        nothing for it.
        """
        connection = self.stage.connection()
        connection.send(case.data)
        self.stage.turn()
        received = connection.take()
        statuses = [int(status) for status in _STATUS.findall(received)]
        self.assertEqual(statuses, [status for status in case.statuses if status])
        self.assertIn(case.body, received)
        del connection
        self.survived()
