"""
Responses are not to be compressed.
"""

from __future__ import annotations

import zlib
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.components import proxyForInterface
from twisted.python.failure import Failure
from twisted.web.http import OK
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["UNCOMPRESSED", "CompressedResponse", "Uncompressed", "check_uncompressed"]

UNCOMPRESSED = ("Accept-Encoding", ["identity"])
"""The header that asks for a response as it is."""

_NONE = (b"identity", b"")
_GZIP = (b"gzip", b"x-gzip")  # RFC 9110, section 8.4.1.3

_MOST_AT_ONCE = 1024 * 1024
"""Bytes that one piece of a compressed body may become: sixteen times what a reader takes."""


class CompressedResponse(Exception):
    """A response is compressed although that was not asked for, or is not valid gzip."""


@implementer(IAgent)
class Uncompressed:
    """
    Asks for responses that are not compressed.  treq asks for gzip, which may turn a small
    response into a thousand times as many bytes.

    Some servers compress all the same.  That gzip is read here, within bounds, and not by
    treq; 200 with any other coding, and gzip within gzip, fails with
    :class:`CompressedResponse`.

    :param agent: sends the requests.
    """

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        headers = headers or Headers()  # treq has set the header in this copy of its own
        headers.setRawHeaders(*UNCOMPRESSED)
        return self._agent.request(method, uri, headers, bodyProducer).addCallback(_plain)


def _plain(response: IResponse) -> IResponse:
    lines = response.headers.getRawHeaders(b"content-encoding", [])
    response.headers.setRawHeaders(b"content-encoding", [b"identity"])  # for treq
    if _coding(lines) in _GZIP:
        gunzipped: IResponse = _Gunzipped(response)
        return gunzipped
    check_uncompressed(response.code, lines)
    return response


def check_uncompressed(status: int, lines: list[bytes]) -> None:
    """
    :param status: of a response.
    :param lines: its ``Content-Encoding``.
    :raises CompressedResponse: if its body has to be decompressed.  Of a refusal the status
        counts; its body stays as it came, and nobody can read it.
    """
    if lines and status == OK and _coding(lines) not in _NONE:
        raise CompressedResponse("the response is compressed, which was not asked for")


def _coding(lines: list[bytes]) -> bytes:
    return b",".join(lines).strip().lower()


class _Gunzipped(proxyForInterface(IResponse)):  # type: ignore[misc]
    """A response whose body is delivered without its compression."""

    def deliverBody(self, protocol: IProtocol) -> None:
        self.original.deliverBody(_Gunzip(protocol))


class _Gunzip(Protocol):
    """Takes a body in gzip, and closes the connection where that becomes too much at once."""

    transport: Any

    def __init__(self, reader: IProtocol) -> None:
        self._reader = reader
        self._inflate = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self._problem: Failure | None = None

    def connectionMade(self) -> None:
        self._reader.makeConnection(self.transport)

    def dataReceived(self, data: bytes) -> None:
        if self._problem is not None:
            return
        try:
            plain = self._inflate.decompress(data, _MOST_AT_ONCE)
        except zlib.error:
            # An agent may go on after an exception, and say that the body was complete.
            self._fail("the response cannot be decompressed")
        else:
            self._reader.dataReceived(plain)
            if len(plain) == _MOST_AT_ONCE:
                self._fail("the response becomes too large when it is decompressed")

    def _fail(self, problem: str) -> None:
        self._problem = Failure(CompressedResponse(problem))
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reader.connectionLost(self._problem or reason)
