"""
Single turns of a reactor's clock.
"""

from __future__ import annotations

from twisted.internet.task import Clock

__all__ = ["one_turn"]


def one_turn(clock: Clock) -> None:
    """Call what is due, and not what that schedules, as a reactor does in one turn."""
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
