"""
The command ``tokensock``: a token-sockjs client for the command line.

JSON goes to stdout, one value a line, and messages for people go to stderr.  The exit status
is 0 for success, 1 for a failure, 2 for a mistake on the command line.

:mod:`.command_line` reads the command line, and imports little; :mod:`.run` runs the command.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from functools import partial
from typing import NoReturn

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
        status = _command(argv)()
    except KeyboardInterrupt:
        status = _INTERRUPTED
    sys.exit(status)


def _command(argv: list[str] | None) -> Callable[[], int]:
    """A function that runs the command of a command line, and returns the exit status."""
    # Imports are here, so that Ctrl-C works during them.  They leave no garbage, and to look
    # for it again and again would take a tenth of the time.
    gc.disable()
    try:
        from .command_line import parse

        arguments = parse(argv)
        # Imported last, for it takes longest: a usage error does not wait for it.
        if arguments.command == "bridge-spool":
            from .bridge_spool import run
        else:
            from .run import run
        return partial(run, arguments)
    finally:
        gc.enable()
