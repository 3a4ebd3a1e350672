"""
What the soak's child processes have in common: they obey lines of JSON, say what they have to
say in lines of JSON, and have nothing else to say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogBeginner

from tests.kit.commands import Commands

from .verdict import Verdict

__all__ = ["Child"]

_SHOWN = 600
_SHORT = 120
_DIFFERENT = 20


class Child(Commands):
    """
    This process, as seen by the conductor.

    :param obey: the functions, see :class:`tests.kit.commands.Commands`.
    :ivar verdict: what this process finds to be broken; it is said at once.
    :ivar warnings: what was logged as a warning, and how often.
    """

    def __init__(self, obey: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(obey)
        self.warnings: Counter[str] = Counter()
        self.verdict = Verdict(self._broken)
        globalLogBeginner.beginLoggingTo([self._logged], redirectStandardIO=False)

    def _broken(self, rule: str, details: str) -> None:
        self.say("broken", rule=rule, details=details)

    def _logged(self, event: LogEvent) -> None:
        level = event.get("log_level")
        if level in (LogLevel.error, LogLevel.critical) or event.get("isError"):
            text = formatEvent(event)
            if event.get("log_failure") is not None:
                text += "\n" + event["log_failure"].getTraceback()
            self.verdict.against("an error was logged", text[-_SHOWN:])
        elif level is LogLevel.warn:
            text = formatEvent(event)[:_SHORT]
            # Where there are ever new ones, those of the same kind are counted.
            known = text in self.warnings or len(self.warnings) < _DIFFERENT
            self.warnings[text if known else str(event.get("log_format"))] += 1
