"""
What the soak's child processes have in common: they obey lines of JSON, say what they have to
say in lines of JSON, and have nothing else to say.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.stdio import StandardIO
from twisted.logger import LogEvent, LogLevel, formatEvent, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure

from tests.kit.resources import die_with_parent

from .verdict import Verdict

__all__ = ["Child"]

_SHOWN = 600
_SHORT = 120
_DIFFERENT = 20


class Child(LineOnlyReceiver):
    """
    This process, as seen by the conductor.

    A command is a JSON object: ``do`` names a function, the rest are its arguments.  A
    coroutine's end is not awaited.

    :param obey: the functions.
    :ivar verdict: what this process finds to be broken; it is said at once.
    :ivar warnings: what was logged as a warning, and how often.
    """

    delimiter = b"\n"
    MAX_LENGTH = 1 << 20

    def __init__(self, obey: Mapping[str, Callable[..., Any]]) -> None:
        self.warnings: Counter[str] = Counter()
        self.verdict = Verdict(self._broken)
        self._obey = obey
        globalLogBeginner.beginLoggingTo([self._logged], redirectStandardIO=False)

    def run(self, start: Callable[[], Any]) -> None:
        """Run the reactor, until the conductor is gone at the latest."""
        die_with_parent()
        StandardIO(self)
        reactor.callWhenRunning(self._done, start)
        reactor.run()

    def say(self, event: str, **fields: Any) -> None:
        """Tell the conductor."""
        line = json.dumps({"event": event, **fields}, separators=(",", ":"), default=repr)
        if self.transport is not None:
            self.sendLine(line.encode("ascii"))

    def _broken(self, rule: str, details: str) -> None:
        self.say("broken", rule=rule, details=details)

    def failed(self, failure: Failure) -> None:
        """The soak's own code failed: there is no sense in going on."""
        self.say("failed", why=failure.getTraceback())

    def lineReceived(self, line: bytes) -> None:
        command = json.loads(line)
        self._done(self._obey[command.pop("do")], **command)

    def connectionLost(self, reason: Any = None) -> None:
        if reactor.running:
            reactor.stop()

    def _done(self, what: Callable[..., Any], **arguments: Any) -> None:
        async def do() -> None:
            result = what(**arguments)
            if hasattr(result, "__await__"):
                await result

        Deferred.fromCoroutine(do()).addErrback(self.failed)

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
