"""
Faults of the user's own functions: whatever they raise, of every base of exceptions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, fail

__all__ = ["FUNCTIONS", "HOOKS", "PLAIN"]


class Odd(BaseException):
    """Something that no ``except Exception`` catches."""


_RAISED: list[Callable[[], BaseException]] = [
    lambda: RuntimeError("oops"),
    lambda: SystemExit(3),
    KeyboardInterrupt,
    asyncio.CancelledError,
    CancelledError,
    GeneratorExit,
    StopIteration,
    lambda: Odd("oops"),
]


def _plain(make: Callable[[], BaseException]) -> Callable[..., Any]:
    def function(*_: Any) -> Any:
        raise make()

    return function


def _deferred(make: Callable[[], BaseException]) -> Callable[..., Any]:
    return lambda *_: fail(make())


def _coroutine(make: Callable[[], BaseException]) -> Callable[..., Any]:
    async def function(*_: Any) -> Any:
        raise make()

    return function


def _name(make: Callable[[], BaseException]) -> str:
    kind = type(make())
    return (
        f"{kind.__module__}.{kind.__name__}" if kind is asyncio.CancelledError else kind.__name__
    )


FUNCTIONS: dict[str, Callable[..., Any]] = {
    f"{how} {_name(make)}": function(make)
    for how, function in (
        ("raises", _plain),
        ("fails with", _deferred),
        ("raises in a coroutine", _coroutine),
    )
    for make in _RAISED
}
"""What a function of the user's does instead."""

PLAIN = [name for name in FUNCTIONS if name.startswith("raises ") and "coroutine" not in name]
"""Those that a policy can be: it says at once what is to be done."""

HOOKS: dict[str, tuple[str, ...]] = {
    "authentication": ("authentication",),
    "headers": ("headers",),
    "established": ("ready", "reconnect"),
    "failed": ("ready", "reconnect"),
    "disconnect": ("disconnect",),
    "retry_policy": ("retry_policy",),
    "gap": ("gap",),
    "error": ("error",),
    "message": ("message",),
    "handler": ("handler",),
    "on_confirmation": ("on_confirmation",),
    "retry": ("retry",),
    "action function": ("ask",),
}
"""The steps at which the client calls such functions: which they are."""
