"""
Ending ``twistd`` with one line that says why.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from twisted.logger import Logger

from ..config.document import ConfigError

__all__ = ["fail", "fail_by_config", "fail_to_start", "say"]

_log = Logger()


def say(problem: object) -> None:
    """Print one line on standard error: the log may be a file."""
    line = " ".join(str(problem).split())
    print(f"twistd tokensock: {line}", file=sys.__stderr__, flush=True)


def fail(problem: str, status: int) -> NoReturn:
    """End the process with one line.  twistd itself would print pages of help."""
    say(problem)
    raise SystemExit(status)


def fail_by_config(error: ConfigError) -> NoReturn:
    """End the process with a line for each mistake in a configuration, and status 2."""
    for problem in error.problems:
        say(problem)
    raise SystemExit(2)


def fail_to_start(problem: str) -> NoReturn:
    """
    End the process with one line and status 1, while a service starts.

    The process may be a daemon already.  Then nobody reads its standard error, and the
    twistd in the foreground waits for an exception to be reported: after a ``SystemExit`` it
    would wait without end.
    """
    if not _is_daemon():
        fail(problem, 1)
    _log.critical("{problem}", event="start.failed", problem=problem)
    sys.excepthook = lambda *_: None  # the line is the whole report
    raise RuntimeError(problem)


def _is_daemon() -> bool:
    null = os.stat(os.devnull)
    try:
        return all(os.path.samestat(os.fstat(number), null) for number in range(3))
    except OSError:  # a standard stream is closed
        return False
