"""
The log of ``twistd tokensock``, whose level can change while it runs.
"""

from __future__ import annotations

import signal
import sys
from typing import Any

from twisted.logger import FilteringLogObserver, ILogObserver, textFileLogObserver
from twisted.python.logfile import LogFile

from ..config.log import LEVEL

__all__ = ["limit_log", "observer"]

_twistd: dict[str, Any] = {}
"""twistd's own options: it takes the observer by its name, and calls it without arguments."""


def limit_log(options: Any) -> None:
    """
    Let the log have the level that is configured.  twistd's own observers have none, and take no
    filter, so that what writes to a file or to standard output is made here, as twistd makes it.

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
        return FilteringLogObserver(textFileLogObserver(sys.stdout), [LEVEL])
    file = LogFile.fromFullPath(path or "twistd.log")
    if not signal.getsignal(signal.SIGUSR1):
        signal.signal(signal.SIGUSR1, lambda *_: _rotate(file))
    return FilteringLogObserver(textFileLogObserver(file), [LEVEL])


def _rotate(file: LogFile) -> None:
    from twisted.internet import reactor

    reactor.callFromThread(file.rotate)  # type: ignore[attr-defined]
