"""
What a user sees of a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import EllipsisType
from typing import Literal, TypeAlias

from twisted.internet.error import ConnectionLost as TCPLost

from txtokensock.errors import (
    AttemptTimeout,
    CallTimeout,
    ConnectionLost,
    PeerSilent,
    SockJSClosed,
)

__all__ = [
    "CLOSED",
    "CUT",
    "NOTHING",
    "SILENT",
    "UNANSWERED",
    "Outcome",
    "call_fails",
    "fails",
    "gives_up",
    "late",
    "lost",
    "reported",
]

Errors: TypeAlias = type[Exception] | EllipsisType | None

AT_ONCE = 1.0
"""Seconds that "at once" may take: a peer that floods needs some time for it."""


@dataclass(frozen=True)
class Outcome:
    """
    :ivar what: happens to the attempt, the connection, or what was asked for.
    :ivar error: what users get to see.
    :ivar phase: that it names.
    :ivar seconds: after which it is there at the latest, by default, from the beginning of
        the attempt or the moment of the fault.
    :ivar option: by which that is tuned.
    :ivar asked: what becomes of what is asked for at that moment: an error, None for what
        should, ``...`` for one or the other.
    :ivar pause: seconds until the next attempt, at most.
    :ivar transfer: seconds more that there are for what was sent, on a slow link.
    """

    what: Literal["nothing", "fails", "gives up", "lost", "call fails", "reported"]
    error: type[Exception] | None = None
    phase: str = ""
    seconds: float = 0.0
    option: str = ""
    asked: Errors = None
    transfer: float = 0.0
    pause: float = 0.0


NOTHING = Outcome("nothing")
"""Nobody notices."""


def fails(error: type[Exception], phase: str, seconds: float = 0.0, option: str = "") -> Outcome:
    """The attempt fails, and another follows."""
    return Outcome("fails", error, phase, seconds, option)


def late(phase: str) -> Outcome:
    """The attempt fails at the deadline of the phase."""
    seconds = 30.0 if phase == "auth" else 10.0
    return fails(AttemptTimeout, phase, seconds, f"timeouts.{phase}")


def gives_up(error: type[Exception], phase: str) -> Outcome:
    """The attempt fails, and none follows."""
    return Outcome("gives up", error, phase)


def lost(
    error: type[Exception],
    seconds: float = 0.0,
    option: str = "",
    asked: Errors = ConnectionLost,
) -> Outcome:
    """The connection is lost, and another is made."""
    return Outcome("lost", error, "", seconds, option, asked)


def call_fails(error: type[Exception], seconds: float = 0.0, option: str = "") -> Outcome:
    """What is asked for fails; the connection is well."""
    return Outcome("call fails", error, "", seconds, option, error)


def reported(error: type[Exception], seconds: float = 0.0, option: str = "") -> Outcome:
    """Listeners of ``error`` hear of it; the connection is well."""
    return Outcome("reported", error, "", seconds, option)


CUT = lost(TCPLost)
CLOSED = lost(SockJSClosed)
SILENT = lost(PeerSilent, 85.0, "silence_timeout, ping_timeout", asked=CallTimeout)
UNANSWERED = call_fails(CallTimeout, 60.0, "call_timeout")
