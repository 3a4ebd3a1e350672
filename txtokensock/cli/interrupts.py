"""
When Ctrl-C may interrupt.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["interruptible", "uninterrupted"]


@contextmanager
def uninterrupted() -> Iterator[None]:
    """
    Let Ctrl-C wait until this is over.  It is for imports: a ``KeyboardInterrupt`` would be lost
    where a module that is being imported catches everything.
    """
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True

    # A signal that is blocked for this thread would be taken by any other one.
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if asked and before is not signal.SIG_IGN:
            raise KeyboardInterrupt


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt within :func:`uninterrupted`, where somebody is asked."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
