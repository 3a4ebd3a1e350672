"""
Headers that HTTP can carry (no I/O).
"""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import InvalidOption

__all__ = ["check_headers"]


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    :return: a copy.
    :raises InvalidOption: for a name or value that could break out of its line.
    """
    if not isinstance(headers, Mapping):
        raise InvalidOption("headers must be a mapping of names to text")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidOption("headers must be a mapping of names to text")
        if not name.isascii() or not name or any(mark in name for mark in " \t\r\n:"):
            raise InvalidOption(f"headers has the name {name!r}: no HTTP header has it")
        if any(mark in value for mark in "\r\n\0"):
            raise InvalidOption(f"headers has a line break in the value of {name!r}")
    return dict(headers)
