"""
The access log of our sites, which holds no query: there are credentials in it.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.web.http import combinedLogFormatter
from twisted.web.iweb import IAccessLogFormatter
from zope.interface import provider

__all__ = ["access_log_line", "without_query"]

# A client may have escaped the question mark by mistake: what follows is as secret.
_QUERY = re.compile(rb"[?#]|%3f", re.IGNORECASE)


def without_query(url: bytes) -> bytes:
    """The part of a URL before its query and fragment."""
    return _QUERY.split(url, maxsplit=1)[0]


class _WithoutQueries:
    """A request whose referrer has no query."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.uri = without_query(request.uri)

    def getHeader(self, name: bytes) -> bytes | None:
        value: bytes | None = self._request.getHeader(name)
        return without_query(value) if value and name == b"referer" else value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


@provider(IAccessLogFormatter)
def access_log_line(timestamp: str, request: Any) -> str:
    """
    A line in the combined log format, without the queries of the URL and of the referrer.

    :param timestamp: as it is to be written.
    :param request: a finished :class:`twisted.web.server.Request`.
    """
    line: str = combinedLogFormatter(timestamp, _WithoutQueries(request))
    return line
