"""
Twisted's HTTP/1.1 client, where it needs bounds, or a reactor of our choice.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IConsumer
from twisted.logger import Logger, LogPublisher
from twisted.python.failure import Failure
from twisted.web._newclient import HEADER, STATUS, HTTP11ClientProtocol
from twisted.web.iweb import IBodyProducer, IResponse
from zope.interface import implementer

__all__ = ["Connection", "Content"]

_LONGEST_HEAD = 256 * 1024
"""Bytes of status and headers; what came with them of the body may count."""


_SILENT = Logger(observer=LogPublisher())


class Connection(HTTP11ClientProtocol):
    """
    Gives up an answer whose head does not end; Twisted would keep all of it.  Nor does it
    write a line to the log for each interim answer (100), of which a head may have many.
    And it sends no request where the server closes: of that, Twisted understands ``close``
    in small letters alone.
    """

    transport: Any
    _reading: object = None
    _head = 0

    def request(self, request: Any) -> Deferred[IResponse]:
        answer: Deferred[IResponse] = super().request(request)
        if self._parser is not None:
            self._parser._log = _SILENT
        return answer

    def dataReceived(self, data: bytes) -> None:
        parser = self._parser
        if parser is None and self._state == "QUIESCENT":
            # Nobody asked, as where a server says 408 since it waits no longer.  Twisted would
            # close in order, which with TLS takes until the server does so, too, and send
            # requests meanwhile.
            self._state = "ABORTING"
            self.transport.abortConnection()
            return
        if parser is not self._reading:
            self._reading, self._head = parser, 0
        if parser is not None and parser.state in (STATUS, HEADER):
            self._head += len(data)
            if self._head > _LONGEST_HEAD:
                problem = ValueError("the head of the answer is too long")
                self._giveUp(Failure(problem))  # type: ignore[no-untyped-call]
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]

    def _finishResponse(self, rest: bytes) -> None:
        if (
            self._parser is not None
            and self._currentRequest is not None
            and _is_last(self._parser)
        ):
            self._currentRequest.persistent = False
        super()._finishResponse(rest)


def _is_last(parser: Any) -> bool:
    """Whether the server closes the connection behind this answer: RFC 9112, section 9.3."""
    lines = parser.connHeaders.getRawHeaders(b"connection", [])
    options = {option.strip().lower() for line in lines for option in line.split(b",")}
    old = parser.response.version < (b"HTTP", 1, 1)
    return b"close" in options or (old and b"keep-alive" not in options)


@implementer(IBodyProducer)
class Content:
    """A body, written at once: treq's own reads a file by and by, on the global reactor."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self.length = len(body)

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        consumer.write(self._body)
        return succeed(None)

    def pauseProducing(self) -> None:
        """It is too late."""

    def resumeProducing(self) -> None:
        """There is nothing more."""

    def stopProducing(self) -> None:
        """There is nothing more."""
