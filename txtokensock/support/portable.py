"""
Exceptions that can be copied, and sent to other processes.
"""

from __future__ import annotations

from typing import Any

__all__ = ["Portable"]


class Portable(Exception):
    """
    An exception that ``copy`` and ``pickle`` restore with its text and attributes.  Python
    would call its class with that text, whatever ``__init__`` takes.

    A ``__cause__`` goes along where it is one of these: of others nobody knows whether they
    can.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        state = dict(self.__dict__)
        if isinstance(self.__cause__, Portable):
            state["__cause__"] = self.__cause__
        return _restore, (type(self), self.args), state


def _restore(kind: type[Portable], args: tuple[Any, ...]) -> Portable:
    error = kind.__new__(kind)
    error.args = args
    return error
