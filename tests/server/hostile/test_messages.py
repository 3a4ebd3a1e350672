"""
Every message of the table, before and after ``auth``, over every carrier.
"""

from __future__ import annotations

import json
from typing import Any

from tests.kit.tables import each

from .carriers import CARRIERS, RawWebSocket
from .cases_messages import MESSAGES, Case
from .stage import AS_AFTER_AUTH, HostileTestCase


def _sent(case: Case, carrier: Any) -> bool:
    """Without frames, there are none that hold too many messages."""
    return not (carrier is RawWebSocket and case.name == "more_messages_than_a_frame_may_have")


RUNS = {
    f"{case.name}_{name}": (case, carrier)
    for name, carrier in CARRIERS.items()
    for case in MESSAGES
    if _sent(case, carrier)
}


class _MessageTests(HostileTestCase):
    def attack(self, session: Any, case: Case, answers: list[Any], closed: Any) -> None:
        """Send what the case says, and get what it says."""
        session.send(*case.texts)
        self.assertEqual([json.loads(text) for text in session.texts()], answers)
        self.assertEqual(session.closed, closed)
        if closed is None:
            session.leave()


@each(RUNS)
class BeforeAuthTests(_MessageTests):
    """From a stranger, who may send as much as others."""

    options = AS_AFTER_AUTH

    def run_case(self, case: Case, carrier: Any) -> None:
        """What the stranger is told, how it ends, and that nobody else notices."""
        self.attack(carrier(self.stage), case, case.stranger, case.stranger_closed)
        self.survived()


@each(RUNS)
class AfterAuthTests(_MessageTests):
    """From a peer that was let in."""

    def run_case(self, case: Case, carrier: Any) -> None:
        """What the peer is told, how it ends, and what others hear of it."""
        session = self.stage.authenticated_over(carrier)
        self.attack(session, case, case.peer, case.peer_closed)
        del session
        self.survived(heard=list(case.heard))
