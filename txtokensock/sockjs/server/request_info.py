"""
The HTTP request that opened a session, for the session's protocol.
"""

from __future__ import annotations

from dataclasses import dataclass
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

    :ivar transport: ``"websocket"``, ``"websocket-raw"``, ``"xhr-polling"``,
        ``"xhr-streaming"``, ``"eventsource"``, ``"htmlfile"`` or ``"jsonp-polling"``, the
        names of sockjs-node.
    :ivar path: the URL's path.
    :ivar headers: the request's headers.
    :ivar peer: the client's address, also where it came through a trusted proxy.
    :ivar host: the server's address.
    :ivar secure: whether the client used TLS.
    """

    transport: str
    path: str
    headers: Headers
    peer: IAddress
    host: IAddress
    secure: bool

    @classmethod
    def of(cls, request: Any, transport: str) -> RequestInfo:
        """
        :param request: an :class:`~twisted.web.iweb.IRequest`.
        """
        return cls(
            transport,
            request.path.decode("utf-8", "replace"),
            request.requestHeaders,
            request.getClientAddress(),
            request.getHost(),
            is_secure(request),
        )

    def __repr__(self) -> str:
        return f"<RequestInfo {self.transport} from {self.peer}>"
