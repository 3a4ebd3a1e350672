"""
What happens to messages that nobody takes in time: one set of words.
"""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

from .checks import check_choice

__all__ = ["DropPolicy", "Overflow", "check_overflow"]

DropPolicy: TypeAlias = Literal["drop-oldest", "drop-newest"]
"""Which message makes room where there is none: one that waits, or the one that comes."""

Overflow: TypeAlias = Literal["pause", "drop-oldest", "drop-newest"]
"""The same, or to stop reading until there is room again."""


def check_overflow(value: object) -> None:
    """
    :raises InvalidOption: if it is no :data:`Overflow`.
    """
    check_choice("overflow", value, get_args(Overflow))
