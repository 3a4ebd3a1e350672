"""
A reactor whose time does not follow the wall clock.
"""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.python.runtime import seconds as wall_clock

__all__ = ["keep_steady", "wall_seconds"]


def keep_steady(reactor: Any) -> None:
    """
    Have a reactor count its seconds by the monotonic clock from now on, if it takes them from
    the wall clock, as Twisted's do.  Where that is set back by an hour, all that is due within a
    minute would be due in 61; where it is set forward, all would be due at once.

    The seconds go on from where they are, so that what is scheduled stays so.  A reactor that
    has another clock, such as a test's, keeps it.

    :param reactor: has ``seconds``, of ``IReactorTime``.
    """
    # A timer cannot notice it: it is what comes too late.
    if reactor.seconds is wall_clock:
        offset = wall_clock() - time.monotonic()
        reactor.seconds = lambda: time.monotonic() + offset


def wall_seconds(reactor: IReactorTime) -> float:
    """
    :return: what the wall clock shows, in seconds since 1970, for times that others have said;
        of a ``Clock``, whose time a test says, that.
    """
    return reactor.seconds() if isinstance(reactor, Clock) else wall_clock()
