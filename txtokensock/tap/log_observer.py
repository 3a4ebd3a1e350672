"""
The log of ``twistd tokensock``, whose level and format can change while it runs.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    formatEventAsClassicLogText,
)
from twisted.python.logfile import LogFile

from ..config.log import LEVEL, in_force
from .json_log import json_line

__all__ = ["limit_log", "observer"]

_twistd: dict[str, Any] = {}
"""twistd's own options: it takes the observer by its name, and calls it without arguments."""


def limit_log(options: Any) -> None:
    """
    Let the log have the level and the format that are configured.  twistd's own observers have
    neither, and take no filter, so that what writes to a file or to standard output is made here,
    as twistd makes it.

    :param options: twistd's own; ``--logger`` and ``--syslog`` are left as they are.
    """
    is_daemons_stdout = options["logfile"] == "-" and not options["nodaemon"]
    if not options["logger"] and not options["syslog"] and not is_daemons_stdout:
        options["logger"] = f"{__name__}.observer"
        _twistd.update(options)


def observer() -> ILogObserver:
    """Make the observer that twistd's options ask for."""
    path = _twistd["logfile"]
    if path == "-" or (_twistd["nodaemon"] and not path):
        return FilteringLogObserver(FileLogObserver(sys.stdout, _line), [LEVEL])
    file = LogFile.fromFullPath(path or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: _rotate(file))
    return FilteringLogObserver(FileLogObserver(file, _line), [LEVEL])


def _line(event: LogEvent) -> str | None:
    is_json = in_force().format == "json"
    return json_line(event) if is_json else formatEventAsClassicLogText(event)


def _rotate(file: LogFile) -> None:
    from twisted.internet import reactor

    reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]
