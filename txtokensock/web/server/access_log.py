"""
The access log of our sites, which holds no credentials: no query, and no name of a SockJS session.
"""

from __future__ import annotations

import re
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.web.iweb import IAccessLogFormatter
from zope.interface import provider

__all__ = ["access_log_line", "without_query"]

_IP = (IPv4Address, IPv6Address)

# A client may have escaped the question mark by mistake: what follows is as secret.
_QUERY = re.compile(rb"[?#]|%3f", re.IGNORECASE)


# A SockJS resource hides those of its own; here it is a page somewhere else, or the referrer.
_SESSION = re.compile(
    rb"(/|%2f)(?!-\1)[^/?#%]+(\1(?:xhr(?:_streaming|_send)?|eventsource|htmlfile|jsonp(?:_send)?|websocket))"
    rb"(?=[/;%]|\Z)",
    re.IGNORECASE,
)


def without_query(url: bytes) -> bytes:
    """The part of a URL before its query and fragment."""
    found = _QUERY.search(url)
    return url if found is None else url[: found.start()]


def _without_credentials(url: bytes) -> bytes:
    return _SESSION.sub(_without_session, without_query(url))


def _without_session(found: re.Match[bytes]) -> bytes:
    return found[1] + b"-" + found[2]


def _escaped(value: bytes) -> str:
    """What twisted.web's own log has: a literal of Python's, as if in double quotes."""
    literal = repr(value)
    if literal[1] == '"':
        return literal[2:-1]
    return literal[2:-1].replace('"', '\\"').replace("\\'", "'")


@provider(IAccessLogFormatter)
def access_log_line(timestamp: str, request: Any) -> str:
    """
    A line in the combined log format, without the queries of the URL and of the referrer, and
    without names of sessions in them.

    :param timestamp: as it is to be written.
    :param request: a finished :class:`twisted.web.server.Request`.
    """
    address = request.getClientAddress()
    host = address.host if isinstance(address, _IP) else "-"
    uri = _without_credentials(request.uri)
    target = _escaped(b" ".join((request.method, uri, request.clientproto)))
    referrer = request.getHeader(b"referer")
    referrer = _escaped(_without_credentials(referrer)) if referrer else "-"
    agent = request.getHeader(b"user-agent")
    agent = _escaped(agent) if agent else "-"
    length = request.sentLength or "-"
    return f'"{host}" - - {timestamp} "{target}" {request.code} {length} "{referrer}" "{agent}"'
