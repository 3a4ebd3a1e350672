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
    :raises InvalidOption: for a name or value that is not valid in HTTP.
    """
    if not isinstance(headers, Mapping):
        raise InvalidOption("headers must be a mapping of names to text")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidOption("headers must be a mapping of names to text")
        if not _TOKEN.fullmatch(name):
            raise InvalidOption(f"headers has the name {name!r}, which is not valid in HTTP")
        if _IMPOSSIBLE.search(value):
            raise InvalidOption(
                f"headers has a line break or another character that HTTP forbids in {name!r}"
            )
    return dict(headers)
