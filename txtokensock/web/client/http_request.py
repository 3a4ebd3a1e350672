"""
Requests, as the HTTP client sends them.
"""

from __future__ import annotations

import h11
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer, IClientRequest
from zope.interface import implementer

__all__ = ["ClientRequest", "Content"]

_FRAMING = (b"content-length", b"transfer-encoding")
"""Headers that say how long a body is; they are ours to set."""

_WITH_BODY = (b"POST", b"PUT")
"""Methods that are expected to have a body: where it is empty, the length says so."""


@implementer(IClientRequest)
class ClientRequest:
    """
    One request.

    :param method: such as ``b"GET"``.
    :param uri: the whole address.
    :param target: what of it the server is asked for.
    :param host: the value of ``Host``, where ``headers`` has none.
    :param headers: sent along.
    :param body: produces the body, if there is one.
    :param last: whether the server is asked to close the connection behind its response.
    :raises ValueError: for what no request can hold; the text does not quote it.
    :ivar head: the beginning of the request.
    """

    def __init__(
        self,
        method: bytes,
        uri: bytes,
        target: bytes,
        host: bytes,
        headers: Headers,
        body: IBodyProducer | None,
        *,
        last: bool,
    ) -> None:
        self.method = method
        self.absoluteURI = uri
        self.headers = headers
        self.body = body
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
        lines += _framing(method, body)
        try:
            self.head = h11.Request(method=method, target=target, headers=lines)
        except h11.LocalProtocolError:
            raise ValueError(
                "the method, the address or a header of the request is not valid HTTP"
            ) from None

    def __repr__(self) -> str:
        return f"<ClientRequest {self.method.decode('ascii', 'replace')}>"


def _framing(method: bytes, body: IBodyProducer | None) -> list[tuple[bytes, bytes]]:
    """What tells the server how long the body is: RFC 9112, section 6."""
    if body is None:
        return [(b"Content-Length", b"0")] if method in _WITH_BODY else []
    if body.length is UNKNOWN_LENGTH:
        return [(b"Transfer-Encoding", b"chunked")]
    return [(b"Content-Length", b"%d" % body.length)]


@implementer(IBodyProducer)
class Content:
    """
    A body that is there already, written at once.  (treq's own reads it by and by, on the
    global reactor.)

    :ivar content: the whole of it.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self.content)
        return succeed(None)

    def pauseProducing(self) -> None:
        """Does nothing: all was written at the start."""

    def resumeProducing(self) -> None:
        """Does nothing: there is no more."""

    def stopProducing(self) -> None:
        """Does nothing: there is no more."""
