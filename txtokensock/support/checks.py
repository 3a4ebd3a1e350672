"""
Checks of options, and the errors for those that do not pass (no I/O).

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
    "FunctionCheck",
    "check_callable",
    "check_choice",
    "check_count",
    "check_flag",
    "check_instance",
    "check_interval",
    "check_plain_function",
    "check_positive",
    "check_seconds",
    "check_wait",
    "is_number",
]

T = TypeVar("T")

_LONGEST = 1e9
"""Seconds, which are 31 years: clocks cannot count every number that a float can hold."""


class Check(Generic[T]):
    """
    A check of an option, which is called with the option's name and its value.

    :param must_be: what the value must be, in words that follow "it must be".
    :param holds: returns whether a value passes.
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
        :raises InvalidOption: if the value is not None and does not pass.
        """
        return None if value is None else self(option, value)

    def problem(self, value: object) -> str | None:
        """What is wrong with a value, in words that follow the option's name, or None."""
        if self._holds(value):
            return None
        shown = f"{value:g}" if isinstance(value, float) else shorten(repr(value))
        return f"is {shown}: it must be {self._must_be}"


def is_number(value: object) -> bool:
    """Whether it is an int or a float, NaN included.  True, which equals 1, is neither."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


check_seconds: Check[float] = Check(
    "a number of seconds above 0 and below 1e9",
    lambda value: is_number(value) and 0 < value < _LONGEST,
)
"""How long something may take, or how often it happens."""

check_interval: Check[float] = Check(
    "a number of seconds, and not of milliseconds, above 0 and at most 3600",
    lambda value: is_number(value) and 0 < value <= 3600,
)
"""How long the other side may be silent; JavaScript counts that in milliseconds."""

check_wait: Check[float] = Check(
    "a number of seconds from 0 to below 1e9",
    lambda value: is_number(value) and 0 <= value < _LONGEST,
)
"""How long to wait before something is done; 0 is not to wait."""

check_count: Check[int] = Check(
    "a whole number above 0 and below 2**63",
    lambda value: _is_whole(value) and 0 < value < 2**63,
)
"""How many of something there may be; the integers of databases end there."""

check_positive: Check[float] = Check(
    "a number above 0, and finite",
    lambda value: is_number(value) and 0 < value <= float_info.max,
)
"""How much of something there is."""

check_flag: Check[bool] = Check("True or False", lambda value: isinstance(value, bool))
"""A switch.  A text such as ``"no"`` would count as true."""


def _runs_when_called(function: object) -> bool:
    """
    Whether a call runs the function.  That of a generator function only makes a generator,
    which nobody would iterate over.
    """
    if not callable(function):
        return False
    return not any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (function, _call_method(function))
    )


def _call_method(function: object) -> object:
    """The function that runs when ``value`` is called, also within a partial."""
    while isinstance(function, partial):
        function = function.func
    return getattr(type(function), "__call__", None)  # noqa: B004


_check_called: Check[Any] = Check("a function", callable)


class FunctionCheck(Check[Callable[..., Any]]):
    """
    A check of a function of the user's, which is called with the option's name, the function
    and the names of what the function will be given.
    """

    def __call__(self, option: str, value: object, *arguments: str) -> Callable[..., Any]:
        """
        :return: ``value``.
        :raises InvalidOption: if it is not what it must be, or its signature cannot take so
            many arguments.  A function without one, as some builtins are, passes.
        """
        function = super().__call__(option, value)
        try:
            signature = inspect.signature(function, follow_wrapped=False)
        except (TypeError, ValueError):
            return function
        try:
            signature.bind(*arguments)
        except TypeError as problem:
            given = f"({', '.join(arguments)})"
            raise InvalidOption(
                f"{option} is {shorten(repr(value))}: it is called with {given}: {problem}"
            ) from None
        return function

    def problem(self, value: object) -> str | None:
        """As for every check; of what cannot be called, that alone is said."""
        return super().problem(value) if callable(value) else _check_called.problem(value)

    def optional(self, option: str, value: object, *arguments: str) -> Callable[..., Any] | None:
        """As for every check: None passes."""
        return None if value is None else self(option, value, *arguments)


check_callable = FunctionCheck(
    "a function, and not a generator function, of which no call would run", _runs_when_called
)
"""A function of the user's."""

check_plain_function = FunctionCheck(
    "a function that gives its result at once, and not a generator or coroutine function",
    lambda value: (
        _runs_when_called(value)
        and not any(map(inspect.iscoroutinefunction, (value, _call_method(value))))
    ),
)
"""A function of the user's whose result is needed at once."""


def check_instance(option: str, value: object, kind: type[T]) -> T:
    """
    :return: ``value``.
    :raises InvalidOption: if it is not of that type.
    """
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    check: Check[T] = Check(f"{article} {kind.__name__}", lambda value: isinstance(value, kind))
    return check(option, value)


def check_choice(option: str, value: object, choices: Collection[str]) -> str:
    """
    :return: ``value``.
    :raises InvalidOption: if it is none of these.
    """
    words = f"one of {', '.join(map(repr, choices))}"
    # A value that has no hash is none of them either.
    check: Check[str] = Check(words, lambda value: value in tuple(choices))
    return check(option, value)
