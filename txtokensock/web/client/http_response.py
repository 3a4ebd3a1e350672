"""
Responses, as users of the HTTP client get them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
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
    The body of a response, and the transport of the protocol that it is delivered to.

    :param changed: called when :attr:`wanted` has changed.
    :param drop: closes the connection.
    """

    def __init__(self, changed: Callable[[], object], drop: Callable[[], object]) -> None:
        self._changed = changed
        self._drop = drop
        self._protocol: IProtocol | None = None
        self._delivered = False
        self._paused = False
        self._reason: Failure | None = None

    @property
    def wanted(self) -> bool:
        """Whether there is a protocol, and it has not paused the body."""
        return self._protocol is not None and not self._paused

    def deliver_to(self, protocol: IProtocol) -> None:
        """
        Deliver the body to a protocol.

        :raises RuntimeError: if it was delivered before.
        """
        if self._delivered:
            raise RuntimeError("the body of a response can be delivered only once")
        self._delivered = True
        self._protocol = protocol
        transport: Any = self  # IResponse asks for an IPushProducer and no more
        protocol.makeConnection(transport)
        if self._reason is not None:
            self.ended(self._reason)
        else:
            self._changed()

    def received(self, data: bytes) -> None:
        """Deliver a piece that has come in; only while the body is wanted."""
        assert self._protocol is not None
        self._protocol.dataReceived(data)

    def ended(self, reason: Failure) -> None:
        """End the body; ``IResponse.deliverBody`` lists the reasons."""
        self._reason = reason
        protocol, self._protocol = self._protocol, None  # no cycle for the garbage collector
        if protocol is not None:
            protocol.connectionLost(reason)

    # -- ITransport for the protocol; these do nothing once the body has ended

    def pauseProducing(self) -> None:
        """Deliver nothing for the moment, and do not read from the network."""
        self._paused = True
        if self._reason is None:
            self._changed()

    def resumeProducing(self) -> None:
        """Deliver what has come in meanwhile, and read on."""
        self._paused = False
        if self._reason is None:
            self._changed()

    def stopProducing(self) -> None:
        """Drop the rest of the body, which closes the connection."""
        if self._reason is None:
            self._drop()

    loseConnection = abortConnection = stopProducing


@implementer(IResponse)
class Response:
    """
    The response to one request.

    :param request: the request.
    :param head: the status and the headers, as h11 read them.
    :param body: delivers its body.
    """

    previousResponse: IResponse | None = None

    def __init__(self, request: IClientRequest, head: h11.Response, body: Body) -> None:
        self.code = head.status_code
        self.phrase = head.reason
        self.request = request
        self._version = head.http_version
        self._fields = head.headers.raw_items()
        self._values: dict[bytes, list[bytes]] = {}
        for name, value in self._fields:
            self._values.setdefault(name.lower(), []).append(value)
        self._body = body

    def __repr__(self) -> str:
        return f"<Response {self.code}>"

    @property
    def version(self) -> tuple[bytes, int, int]:
        """``HTTP``, and the two parts of the server's version of it."""
        major, _, minor = self._version.partition(b".")
        return (b"HTTP", int(major), int(minor))

    @cached_property
    def headers(self) -> Headers:
        """All headers; to make these takes longer than to look for a few with :meth:`values`."""
        headers = Headers()
        for name, value in self._fields:
            headers.addRawHeader(name, value)
        return headers

    @cached_property
    def length(self) -> int | str:
        """The length of the body: RFC 9112, section 6.3."""
        if self.code in _WITHOUT_BODY or self.request.method == b"HEAD":
            return 0
        lengths = self.values(b"content-length")
        if self.values(b"transfer-encoding") or not lengths:
            return UNKNOWN_LENGTH
        return int(lengths[0])

    def values(self, name: bytes) -> list[bytes]:
        """
        :param name: of a header, in lower case.
        :return: what it says, where it may be there more than once.
        """
        return self._values.get(name, [])

    def deliverBody(self, protocol: IProtocol) -> None:
        self._body.deliver_to(protocol)

    def setPreviousResponse(self, response: IResponse) -> None:
        self.previousResponse = response
