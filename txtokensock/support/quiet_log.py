"""
A logger for libraries that log too much.
"""

from __future__ import annotations

__all__ = ["Quiet"]


class Quiet:
    """
    Replaces txaio's logger, and Twisted's.

    Autobahn builds a debug message for every frame and every read, even where none is
    logged, and those of the handshake hold secret headers.  What matters of its warnings
    reaches the session in other ways.
    """

    def debug(self, *_: object, **__: object) -> None:
        """Take a message of any level, and drop it."""

    trace = info = warn = error = critical = failure = debug
