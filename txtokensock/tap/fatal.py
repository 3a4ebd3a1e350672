"""
Ending ``twistd`` with one line that says why.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from twisted.logger import Logger

__all__ = ["fail", "fail_to_start"]

_log = Logger()


def fail(problem: str, status: int) -> NoReturn:
    """
    End the process with one line on standard error.  The log may be a file, and twistd
    itself would print pages of help.
    """
    line = " ".join(problem.split())
    print(f"twistd tokensock: {line}", file=sys.__stderr__, flush=True)
    raise SystemExit(status)


def fail_to_start(problem: str) -> NoReturn:
    """
    End the process with one line and status 1, while a service starts.

    The process may be a daemon already.  Then nobody reads its standard error, and the
    twistd in the foreground waits for an exception to be reported: after a ``SystemExit`` it
    would wait without end.
    """
    if not _is_daemon():
        fail(problem, 1)
    _log.critical("{problem}", problem=problem)
    sys.excepthook = lambda *_: None  # the line is the whole report
    raise RuntimeError(problem)


def _is_daemon() -> bool:
    null = os.stat(os.devnull)
    try:
        return all(os.path.samestat(os.fstat(number), null) for number in range(3))
    except OSError:  # a standard stream is closed
        return False
