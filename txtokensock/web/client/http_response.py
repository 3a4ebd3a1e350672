"""
Responses, as the HTTP client hands them on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h11
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.python.failure import Failure
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IClientRequest, IResponse
from zope.interface import implementer

__all__ = ["Body", "Response"]

_WITHOUT_BODY = (204, 304)


@implementer(IPushProducer)
class Body:
    """
    The body of a response, on its way to one protocol, whose transport it is.

    :param changed: called when more of it is wanted, or no more for the moment.
    :param drop: closes the connection.
    """

    def __init__(self, changed: Callable[[], object], drop: Callable[[], object]) -> None:
        self._changed = changed
        self._drop = drop
        self._protocol: IProtocol | None = None
        self._paused = False
        self._reason: Failure | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is a protocol that takes it now."""
        return self._protocol is not None and not self._paused

    def deliver_to(self, protocol: IProtocol) -> None:
        """
        Deliver it.

        :raises RuntimeError: the second time.
        """
        if self._protocol is not None:
            raise RuntimeError("the body of a response can be delivered once")
        self._protocol = protocol
        transport: Any = self  # IResponse asks for an IPushProducer and no more
        protocol.makeConnection(transport)
        if self._reason is not None:
            protocol.connectionLost(self._reason)
        else:
            self._changed()

    def received(self, data: bytes) -> None:
        """Some of it has come in; only while it is wanted."""
        assert self._protocol is not None
        self._protocol.dataReceived(data)

    def ended(self, reason: Failure) -> None:
        """Nothing more comes: see ``IResponse.deliverBody`` for the reasons."""
        self._reason = reason
        if self._protocol is not None:
            self._protocol.connectionLost(reason)

    # -- what the protocol sees; it does nothing once the body has ended

    def pauseProducing(self) -> None:
        """Deliver nothing more for the moment, and leave the rest with the network."""
        self._paused = True
        if self._reason is None:
            self._changed()

    def resumeProducing(self) -> None:
        """Deliver what has come in meanwhile, and what follows."""
        self._paused = False
        if self._reason is None:
            self._changed()

    def stopProducing(self) -> None:
        """Do without the rest, which closes the connection."""
        if self._reason is None:
            self._drop()

    loseConnection = abortConnection = stopProducing


@implementer(IResponse)
class Response:
    """
    The response to one request.

    :param request: that.
    :param head: what h11 has read.
    :param body: delivers its body.
    """

    previousResponse: IResponse | None = None

    def __init__(self, request: IClientRequest, head: h11.Response, body: Body) -> None:
        major, _, minor = head.http_version.partition(b".")
        self.version = (b"HTTP", int(major), int(minor))
        self.code = head.status_code
        self.phrase = head.reason
        self.headers = Headers()
        for name, value in head.headers.raw_items():
            self.headers.addRawHeader(name, value)
        self.length = _length(request.method, head)
        self.request = request
        self._body = body

    def __repr__(self) -> str:
        return f"<Response {self.code}>"

    def deliverBody(self, protocol: IProtocol) -> None:
        self._body.deliver_to(protocol)

    def setPreviousResponse(self, response: IResponse) -> None:
        self.previousResponse = response


def _length(method: bytes, head: h11.Response) -> int | str:
    """How long the body is: RFC 9112, section 6.3."""
    if head.status_code in _WITHOUT_BODY or method == b"HEAD":
        return 0
    fields = dict(head.headers)
    if b"transfer-encoding" in fields or b"content-length" not in fields:
        return UNKNOWN_LENGTH
    return int(fields[b"content-length"])
