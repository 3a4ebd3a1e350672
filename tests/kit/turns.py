"""
Single turns of a reactor's clock, and what is done in one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from twisted.internet.task import Clock

__all__ = ["one_turn", "python_calls"]


def python_calls(function: Callable[..., object], *arguments: object) -> int:
    """How many functions of Python are called, which says more than a clock."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        function(*arguments)
    finally:
        sys.setprofile(None)
    return calls


def one_turn(clock: Clock) -> None:
    """Call what is due, and not what that schedules, as a reactor does in one turn."""
    for call in [call for call in clock.calls if call.getTime() <= clock.seconds()]:
        if call.active():
            clock.calls.remove(call)
            call.called = 1
            call.func(*call.args, **call.kw)
