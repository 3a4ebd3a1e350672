"""
The command ``tokensock``: a token-sockjs client for the command line.

JSON goes to stdout, one value a line, and messages for people go to stderr.  The exit status
is 0 for success, 1 for a failure, 2 for a mistake on the command line, 130 for Ctrl-C.

:mod:`.command_line` reads the command line, and imports little; :mod:`.run` runs the command.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from typing import NoReturn

from .interrupts import uninterrupted

__all__ = ["main"]

_INTERRUPTED = 130
"""The exit status that shells give a program that was ended by SIGINT."""


def main(argv: list[str] | None = None) -> NoReturn:
    """
    Run the command of a command line, and end the process.

    :param argv: the arguments; by default those of the process.
    :raises SystemExit: always, with the exit status.
    """
    try:
        with uninterrupted():
            run = _command(sys.argv[1:] if argv is None else argv)
        status = run()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def _command(argv: list[str]) -> Callable[[], int]:
    """A function that runs the command of a command line, and returns the exit status."""
    if argv == ["--version"]:  # takes nothing, not even click
        return _print_version
    # Imports are here, where Ctrl-C is attended to.  They leave no garbage, and to look for it
    # again and again would take a tenth of the time.
    gc.disable()
    try:
        from .command_line import parse

        return parse(argv)
    finally:
        gc.enable()


def _print_version() -> int:
    from ..version import __version__

    print(__version__)
    return 0
