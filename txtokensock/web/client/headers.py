"""
Headers that HTTP can carry (no I/O).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import InvalidOption

__all__ = ["check_headers"]

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_IMPOSSIBLE = re.compile("[\0\n\v\f\r\ud800-\udfff]")


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    :return: a copy.
    :raises InvalidOption: for a name or value that HTTP has no place for.
    """
    if not isinstance(headers, Mapping):
        raise InvalidOption("headers must be a mapping of names to text")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidOption("headers must be a mapping of names to text")
        if not _TOKEN.fullmatch(name):
            raise InvalidOption(f"headers has the name {name!r}: no HTTP header has it")
        if _IMPOSSIBLE.search(value):
            raise InvalidOption(
                f"headers has a line break, or what no HTTP header may hold, in {name!r}"
            )
    return dict(headers)
