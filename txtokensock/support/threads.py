"""
Calls from other threads than the reactor's.
"""

from __future__ import annotations

from threading import get_ident

from twisted.python import threadable

from ..errors import UsageError

__all__ = ["check_thread", "wrong_thread"]


def wrong_thread() -> UsageError | None:
    """
    :return: an error for a call from another thread than the one in which the reactor runs,
        or None where there is no such thread, or it is this one.
    """
    if threadable.ioThread is None or threadable.ioThread == get_ident():
        return None
    return UsageError(
        "called from another thread than the reactor's: use reactor.callFromThread, or"
        " twisted.internet.threads.blockingCallFromThread"
    )


def check_thread() -> None:
    """
    :raises UsageError: in another thread than the reactor's.
    """
    elsewhere = wrong_thread()
    if elsewhere is not None:
        raise elsewhere
