"""
Requests, as the HTTP client sends them.
"""

from __future__ import annotations

import h11
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.http_headers import Headers
from twisted.web.iweb import IBodyProducer, IClientRequest
from zope.interface import implementer

__all__ = ["ClientRequest", "Content"]

_FRAMING = (b"content-length", b"transfer-encoding")
"""Headers that say how long a body is; they are ours to set."""


@implementer(IClientRequest)
class ClientRequest:
    """
    One request, or many that differ in their content alone.

    :param method: such as ``b"GET"``.
    :param uri: the whole address.
    :param target: the part of it that goes into the request line.
    :param host: the value of ``Host``, where ``headers`` has none.
    :param headers: are sent with it.
    :param last: whether the server is asked to close the connection after its response.
    :raises ValueError: if one of these is not valid in HTTP; the text does not quote it.
    :ivar head: the request line and the headers, except for the length of the content.
    """

    def __init__(
        self,
        method: bytes,
        uri: bytes,
        target: bytes,
        host: bytes,
        headers: Headers,
        *,
        last: bool,
    ) -> None:
        self.method = method
        self.absoluteURI = uri
        self.headers = headers
        lines = [
            (name, value.strip(b" \t"))
            for name, values in headers.getAllRawHeaders()
            if name.lower() not in _FRAMING
            for value in values
        ]
        if not headers.hasHeader(b"host"):
            lines.append((b"Host", host))
        if last:
            lines.append((b"Connection", b"close"))
        try:
            self.head = h11.Request(method=method, target=target, headers=lines)
        except h11.LocalProtocolError:
            raise ValueError(
                "the method, the address or a header of the request is not valid HTTP"
            ) from None

    def __repr__(self) -> str:
        return f"<ClientRequest {self.method.decode('ascii', 'replace')}>"


@implementer(IBodyProducer)
class Content:
    """
    A body that is complete, and written at once: our own agent takes nothing else, and another
    takes it as what produces a body.  (treq's own producer writes it in pieces, on the global
    reactor.)

    :ivar content: the body.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self.content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Do nothing: the whole body was written at the start."""

    def resumeProducing(self) -> None:
        """Does nothing: there is no more."""

    def stopProducing(self) -> None:
        """Does nothing: there is no more."""
