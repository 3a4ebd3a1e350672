"""
The names of what happens to messages that nobody takes in time.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from .checks import check_choice

__all__ = ["DropPolicy", "Overflow", "check_overflow"]

DropPolicy: TypeAlias = Literal["drop-oldest", "drop-newest"]
"""Which message is dropped when there is no room: the oldest that waits, or the new one."""

Overflow: TypeAlias = Literal["pause", "drop-oldest", "drop-newest"]
"""What is dropped when there is no room; or to stop reading until there is some."""


def check_overflow(value: object) -> None:
    """
    :raises InvalidOption: if it is not an :data:`Overflow`.
    """
    check_choice("overflow", value, get_args(Overflow))
