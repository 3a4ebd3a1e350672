"""
The HTTP request that opened a session, for the session's protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.web.http_headers import Headers

from ...web.server.trusted_proxies import is_secure

__all__ = ["RequestInfo"]


@dataclass(frozen=True, slots=True, repr=False)
class RequestInfo:
    """
    Facts about the HTTP request that opened a session.

    The headers may hold cookies and credentials, so they are not in its ``repr``; the query
    string is not kept.  With an xhr, eventsource, htmlfile or jsonp session this is the first
    request; later ones may come from another address.

    What a session keeps of them is short, for it keeps it as long as it is open.

    :ivar transport: ``"websocket"``, ``"websocket-raw"``, ``"xhr-polling"``,
        ``"xhr-streaming"``, ``"eventsource"``, ``"htmlfile"`` or ``"jsonp-polling"``, the
        names of sockjs-node.
    :ivar peer: the client's address, also where it came through a trusted proxy.
    :ivar host: the server's address.
    :ivar secure: whether the client used TLS.
    """

    transport: str
    _head: bytes  # the path, and a line for each header: Headers take three times as much
    peer: IAddress
    host: IAddress
    secure: bool

    @classmethod
    def of(cls, request: Any, transport: str) -> RequestInfo:
        """
        :param request: an :class:`~twisted.web.iweb.IRequest`.
        """
        lines = [request.path]
        for name, values in request.requestHeaders.getAllRawHeaders():
            lines += [name + b":" + value for value in values]
        return cls(
            transport,
            b"\n".join(lines),
            request.getClientAddress(),
            _shared(request.getHost()),
            is_secure(request),
        )

    @property
    def path(self) -> str:
        """The path of the request's URL, as text: what is not UTF-8 in it is replaced."""
        return self._head.partition(b"\n")[0].decode("utf-8", "replace")

    @property
    def headers(self) -> Headers:
        """The request's headers, made anew each time."""
        headers = Headers()
        for line in self._head.split(b"\n")[1:]:
            name, _, value = line.partition(b":")
            headers.addRawHeader(name, value)
        return headers

    def __repr__(self) -> str:
        return f"<RequestInfo {self.transport} from {self.peer}>"


@lru_cache(maxsize=16)
def _shared(address: IAddress) -> IAddress:
    """Nearly all sessions have the same address of the server: one object for all."""
    return address
