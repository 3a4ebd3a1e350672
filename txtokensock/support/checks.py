"""
What options must be, whoever's they are (no I/O).
"""

from __future__ import annotations

from typing import TypeVar

from ..errors import InvalidOption

__all__ = ["check_count", "check_instance", "check_seconds"]

T = TypeVar("T")


def check_seconds(option: str, value: object) -> float:
    """
    :return: ``value``.
    :raises InvalidOption: if it is not a positive, finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e9:
        raise InvalidOption(f"{option} is {value!r}: it must be a positive number of seconds")
    return value


def check_count(option: str, value: object) -> int:
    """
    :return: ``value``.
    :raises InvalidOption: if it is not a whole number above 0.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidOption(f"{option} is {value!r}: it must be a whole number above 0")
    return value


def check_instance(option: str, value: object, kind: type[T]) -> T:
    """
    :return: ``value``.
    :raises InvalidOption: if it is not of that type.
    """
    if not isinstance(value, kind):
        raise InvalidOption(f"{option} is {value!r}: it must be a {kind.__name__}")
    return value
