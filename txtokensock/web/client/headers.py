"""
Headers that HTTP can carry (no I/O).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...errors import InvalidOption

__all__ = ["check_headers"]

_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_OF_THE_WIRE = re.compile(
    "connection|upgrade|keep-alive|proxy-connection|te|trailer|transfer-encoding|content-length"
    "|expect|http2-settings|sec-websocket-.*"
)
"""What says how a connection is used, and where a body ends: RFC 9110, RFC 9112, RFC 6455."""

_IMPOSSIBLE = re.compile("[\0\n\v\f\r\ud800-\udfff]")


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    :return: a copy.
    :raises InvalidOption: for a name or value that is not valid in HTTP, for a header that
        only the connection may set, and for one that is there twice.
    """
    if not isinstance(headers, Mapping):
        raise InvalidOption("headers must be a mapping of names to text")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidOption("headers must be a mapping of names to text")
        if not _TOKEN.fullmatch(name):
            raise InvalidOption(f"headers has the name {name!r}, which is not valid in HTTP")
        if _OF_THE_WIRE.fullmatch(name.lower()):
            raise InvalidOption(f"headers has {name!r}, which only the connection itself may set")
        if _IMPOSSIBLE.search(value):
            raise InvalidOption(
                f"headers has a line break or another character that HTTP forbids in {name!r}"
            )
    if len({name.lower() for name in headers}) < len(headers):
        raise InvalidOption("headers has a name twice, in different cases")
    return dict(headers)
