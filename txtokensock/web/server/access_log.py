"""
The access log of our sites, which holds no credentials: no query, and no name of a SockJS session.
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


# A SockJS resource hides those of its own; here it is a page somewhere else, or the referrer.
_SESSION = re.compile(
    rb"(/|%2f)[^/?#%]+(\1(?:xhr(?:_streaming|_send)?|eventsource|htmlfile|jsonp(?:_send)?|websocket))"
    rb"(?=[/;%]|\Z)",
    re.IGNORECASE,
)


def without_query(url: bytes) -> bytes:
    """The part of a URL before its query and fragment."""
    return _QUERY.split(url, maxsplit=1)[0]


def _without_credentials(url: bytes) -> bytes:
    return _SESSION.sub(rb"\1-\2", without_query(url))


class _WithoutCredentials:
    """A request whose URL and referrer hold none."""

    def __init__(self, request: Any) -> None:
        self._request = request
        self.uri = _without_credentials(request.uri)

    def getHeader(self, name: bytes) -> bytes | None:
        value: bytes | None = self._request.getHeader(name)
        return _without_credentials(value) if value and name == b"referer" else value

    def __getattr__(self, name: str) -> Any:
        return getattr(self._request, name)


@provider(IAccessLogFormatter)
def access_log_line(timestamp: str, request: Any) -> str:
    """
    A line in the combined log format, without the queries of the URL and of the referrer, and
    without names of sessions in them.

    :param timestamp: as it is to be written.
    :param request: a finished :class:`twisted.web.server.Request`.
    """
    line: str = combinedLogFormatter(timestamp, _WithoutCredentials(request))
    return line
