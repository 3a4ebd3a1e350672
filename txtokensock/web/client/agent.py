"""
The HTTP client's agent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer, IResponse
from zope.interface import implementer

from ...address import Address
from .connection_pool import ConnectionPool
from .http_request import ClientRequest, Content
from .http_response import Response

__all__ = ["Agent", "Prepared"]

_ADDRESS = re.compile(rb"(https?://[^/?#]+)([^#]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Server:
    """
    A server that requests are sent to.

    :ivar host: the value of ``Host``.
    """

    endpoint: IStreamClientEndpoint
    host: bytes


@dataclass(frozen=True, slots=True)
class Prepared:
    """
    A request that is valid, and knows its way.
    """

    _pool: ConnectionPool
    _origin: bytes
    _endpoint: IStreamClientEndpoint
    _request: ClientRequest

    def send(self, content: bytes | None = None) -> Deferred[Response]:
        """
        Send the request, once more.

        :param content: the body, if there is one.
        :return: see :meth:`Agent.request`.
        """
        connection = self._pool.get(self._origin)
        if connection is not None:
            return connection.send(self._request, content)
        connecting = self._pool.connect(self._origin, self._endpoint)
        return connecting.addCallback(lambda made: made.send(self._request, content))


@implementer(IAgent)
class Agent:
    """
    Sends requests by HTTP/1.1.

    It follows no redirects, sends no request twice, and has no deadlines.

    :param endpoints: gives the endpoint of a server, once for each: to make one takes as long
        as the rest of a request.
    :param pool: makes and keeps the connections.
    """

    def __init__(self, endpoints: IAgentEndpointFactory, pool: ConnectionPool) -> None:
        self._endpoints = endpoints
        self._pool = pool
        self._servers: dict[bytes, _Server] = {}

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[IResponse]:
        """
        Send a request.

        :param uri: ``http`` or ``https``, in ASCII.
        :param headers: are sent, except those that say how long the body is.
        :param bodyProducer: a :class:`~.http_request.Content`, or None.
        :return: fires with the response when its head has arrived.  Fails with the error of
            connecting, with the reason why the connection ended, with
            :class:`~.http11.BadResponse`, and with ``ValueError`` for a method, address or
            header that is not valid HTTP.  Cancelling it closes the connection.
        """
        assert bodyProducer is None or isinstance(bodyProducer, Content)
        content = None if bodyProducer is None else bodyProducer.content
        try:
            prepared = self.prepare(method, uri, headers or Headers())
        except Exception:
            return fail()
        sent: Deferred[Any] = prepared.send(content)
        return sent

    def prepare(self, method: bytes, uri: bytes, headers: Headers) -> Prepared:
        """
        Put a request together, which may be sent many times; see :meth:`request`.

        :raises ValueError: for a method, address or header that is not valid HTTP.
        """
        origin, target = _split(uri)
        server = self._server(origin, uri)
        request = ClientRequest(
            method, uri, target, server.host, headers, last=not self._pool.persistent
        )
        return Prepared(self._pool, origin, server.endpoint, request)

    def _server(self, origin: bytes, uri: bytes) -> _Server:
        server = self._servers.get(origin)
        if server is None:
            parts = URI.fromBytes(uri)
            endpoint = self._endpoints.endpointForURI(parts)
            server = self._servers[origin] = _Server(endpoint, _host(parts))
        return server


def _split(uri: bytes) -> tuple[bytes, bytes]:
    """The origin of the URI, and the request target: RFC 9112, section 3.2.1."""
    match = _ADDRESS.fullmatch(uri.partition(b"#")[0])
    if match is None:
        raise ValueError("the address of the request is neither http:// nor https://")
    origin, target = match.groups()
    return origin, target if target.startswith(b"/") else b"/" + target


def _host(uri: URI) -> bytes:
    """The value of ``Host``: RFC 9110, section 7.2."""
    address = Address(uri.host.decode("ascii"), uri.port, secure=uri.scheme == b"https")
    return address.host_header.encode("ascii")
