"""
The command ``tokensock``, before it imports anything.

It takes half a second to import the client and what that stands on, and who stops the
command within that time wants no traceback.  Inside the package this would come too late:
whatever is imported from there has imported all of it.
"""

from __future__ import annotations

import signal
import sys
from typing import NoReturn

__all__ = ["main"]

_INTERRUPTED = 128 + signal.SIGINT


def main() -> NoReturn:
    """Run the command; Ctrl-C ends it without a word, from here on."""
    by_python = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if by_python:  # and is not ignored, as in the background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from txtokensock.cli import main

    # What runs from here on may have something to tidy up.
    if by_python:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
