"""
The counters of the WAMP side, with a log of what is dropped and refused.
"""

from __future__ import annotations

from collections import Counter

from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import PeerError
from ..counters import Counters, Outcome

__all__ = ["RuleCounters"]

SIDE = "wamp"


class RuleCounters:
    """
    What happened, counted for all and logged for people.

    What is lost is logged the first time and whenever its number has doubled: never
    silent, and never a flood.

    :param counters: the bridge's.
    """

    _log = Logger()

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._told: Counter[tuple[str, str]] = Counter()

    def count(self, rule: str, outcome: Outcome) -> None:
        """It happened once more."""
        self._counters.count(SIDE, rule, outcome)

    def dropped(self, rule: str, why: str) -> None:
        """A message is lost."""
        self._counters.count(SIDE, rule, "dropped")
        self._tell(rule, "dropped", why)

    def refused(self, rule: str, why: str) -> None:
        """One message, or a request of the rule's, was answered with an error."""
        self._counters.count(SIDE, rule, "refused")
        self._tell(rule, "refused", why)

    def published(self, rule: str, outcome: object) -> None:
        """A message was taken, or a failure says why it was refused or lost."""
        if not isinstance(outcome, Failure):
            self.count(rule, "out")
        elif outcome.check(PeerError):
            self.refused(rule, outcome.getErrorMessage())
        else:
            self.dropped(rule, outcome.getErrorMessage())

    def _tell(self, rule: str, what: str, why: str) -> None:
        self._told[rule, what] += 1
        total = self._told[rule, what]
        if total & (total - 1) == 0:  # the first, the second, the fourth and so on
            self._log.warn(
                "{rule}: {what}: {why} ({total} so far)",
                event="wamp.not_forwarded",
                rule=rule,
                what=what,
                why=why,
                total=total,
            )
