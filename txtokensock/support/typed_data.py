"""
Data of a peer, as the type that the user wants it to be.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from ..errors import InvalidOption, UnexpectedData, shorten
from .user_functions import call_plain_function

__all__ = ["reader_of"]


def reader_of(kind: object, what: str) -> Callable[[Any], Any]:
    """
    :param kind: any type that msgspec decodes JSON into.
    :param what: what the data is, for the text of errors.
    :return: makes a ``kind`` of data as it came out of JSON, or raises
        :class:`~txtokensock.errors.UnexpectedData`.
    :raises InvalidOption: if msgspec does not know ``kind``.
    """
    name = kind.__qualname__ if isinstance(kind, type) else shorten(str(kind))
    try:
        msgspec.json.Decoder(kind)
    except Exception as problem:  # such as a NameError, for an annotation within it
        raise InvalidOption(f"type is {name}: {shorten(str(problem))}") from None

    def convert(data: Any) -> Any:
        return msgspec.convert(data, kind, str_keys=True)

    def read(data: Any) -> Any:
        try:
            return call_plain_function(convert, data)
        except Exception as problem:  # a ValidationError, or anything out of a __post_init__
            text = f"{what} cannot be read as {name}: {shorten(str(problem))}"
            raise UnexpectedData(text, data) from problem

    return read
