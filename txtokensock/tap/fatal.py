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
    End the process with one line: beside the log, which may be a file, and without the
    pages of help that twistd itself prints.
    """
    line = " ".join(problem.split())
    print(f"twistd tokensock: {line}", file=sys.__stderr__, flush=True)
    raise SystemExit(status)


def fail_to_start(problem: str) -> NoReturn:
    """
    The same, with status 1, where the process may be a daemon already.  Then nobody reads
    its standard error, and twistd in the foreground waits to hear of an exception: for a
    ``SystemExit`` it would wait for ever.
    """
    if not _is_daemon():
        fail(problem, 1)
    _log.critical("{problem}", problem=problem)
    sys.excepthook = lambda *_: None  # that says it all
    raise RuntimeError(problem)


def _is_daemon() -> bool:
    null = os.stat(os.devnull)
    try:
        return all(os.path.samestat(os.fstat(number), null) for number in range(3))
    except OSError:  # one of them is closed
        return False
