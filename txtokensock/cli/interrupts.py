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
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])


@contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C interrupt within :func:`uninterrupted`, where somebody is asked."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
