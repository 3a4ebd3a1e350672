"""
What options must be, and what is said of those that are not (no I/O).

Every text has the same form: ``ping is -1: it must be a number of seconds above 0``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import partial
from sys import float_info
from typing import Any, Generic, TypeVar, cast

from ..errors import InvalidOption, shorten

__all__ = [
    "Check",
    "check_callable",
    "check_choice",
    "check_count",
    "check_flag",
    "check_instance",
    "check_plain_function",
    "check_positive",
    "check_seconds",
    "check_wait",
    "is_number",
]

T = TypeVar("T")

_LONGEST = 1e9
"""Seconds, which are 31 years.  Clocks cannot count whatever a float can hold."""


class Check(Generic[T]):
    """
    What an option must be.  A check is called with the option's name and its value.

    :param must_be: that in words, behind "it must be".
    :param holds: whether a value is that.
    """

    def __init__(self, must_be: str, holds: Callable[[Any], bool]) -> None:
        self._must_be = must_be
        self._holds = holds

    def __call__(self, option: str, value: object) -> T:
        """
        :return: ``value``.
        :raises InvalidOption: if it is not what it must be.
        """
        problem = self.problem(value)
        if problem is not None:
            raise InvalidOption(f"{option} {problem}")
        return cast("T", value)

    def optional(self, option: str, value: object) -> T | None:
        """
        :return: ``value``, which may be None as well.
        :raises InvalidOption: if it is neither None nor what it must be.
        """
        return None if value is None else self(option, value)

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, to be put behind the option's name, or None."""
        if self._holds(value):
            return None
        shown = f"{value:g}" if isinstance(value, float) else shorten(repr(value))
        return f"is {shown}: it must be {self._must_be}"


def is_number(value: object) -> bool:
    """Whether it can be compared as a number: True is 1 for Python, and NaN passes here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


check_seconds: Check[float] = Check(
    "a number of seconds above 0 and below 1e9",
    lambda value: is_number(value) and 0 < value < _LONGEST,
)
"""How long something may take, or how often it happens."""

check_wait: Check[float] = Check(
    "a number of seconds from 0 to below 1e9",
    lambda value: is_number(value) and 0 <= value < _LONGEST,
)
"""How long to wait before something is done, where not at all is an answer too."""

check_count: Check[int] = Check(
    "a whole number above 0 and below 2**63",
    lambda value: _is_whole(value) and 0 < value < 2**63,
)
"""How many of something there may be; databases count no further."""

check_positive: Check[float] = Check(
    "a number above 0, and finite",
    lambda value: is_number(value) and 0 < value <= float_info.max,
)
"""How much of something there is."""

check_flag: Check[bool] = Check("True or False", lambda value: isinstance(value, bool))
"""Whether something is wanted: a text such as ``"no"`` would be true."""


def _runs_when_called(function: object) -> bool:
    """
    Whether a call of this runs it.  A call of a generator function makes a generator, of
    which nothing runs until somebody iterates over it, and nobody does.
    """
    if not callable(function):
        return False
    return not any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, _call_method(function))
    )


def _call_method(function: object) -> object:
    """What runs when an object with ``__call__`` is called, also inside of a partial."""
    while isinstance(function, partial):
        function = function.func
    return getattr(type(function), "__call__", None)  # noqa: B004


check_callable: Check[Callable[..., Any]] = Check(
    "a function, and not a generator function, of which no call would run", _runs_when_called
)
"""Something of the user's that is going to be called."""

check_plain_function: Check[Callable[..., Any]] = Check(
    "a function that gives its result at once, and not a generator or coroutine function",
    lambda value: (
        _runs_when_called(value)
        and not any(map(inspect.iscoroutinefunction, (value, _call_method(value))))
    ),
)
"""Something of the user's that is asked in the middle of something."""


def check_instance(option: str, value: object, kind: type[T]) -> T:
    """
    :return: ``value``.
    :raises InvalidOption: if it is not of that type.
    """
    check: Check[T] = Check(f"a {kind.__name__}", lambda value: isinstance(value, kind))
    return check(option, value)


def check_choice(option: str, value: object, choices: Collection[str]) -> str:
    """
    :return: ``value``.
    :raises InvalidOption: if it is none of these.
    """
    words = f"one of {', '.join(map(repr, choices))}"
    # What cannot be compared by its hash is none of them either.
    check: Check[str] = Check(words, lambda value: value in tuple(choices))
    return check(option, value)
