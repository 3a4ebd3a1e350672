"""
HTTP requests: the client's home of treq.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar
from typing import Any, cast

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectError, ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse

from ...errors import TokenSocketError
from ...support.providers import AnyAgent
from ..tls.policy import is_tls_problem
from .agent import Agent
from .connection_pool import ConnectionPool
from .content_coding import Uncompressed
from .cookies import Cookies
from .http11 import BadResponse
from .http_request import Content
from .repeated_request import RepeatedRequest

__all__ = [
    "COMPLETE",
    "BodyTooLong",
    "WebClient",
    "read_body",
    "read_body_up_to",
    "unwrap",
]

COMPLETE = (ResponseDone, PotentialDataLoss)
"""Why a body ends that is complete; of HTTP/1.0 it may lack a length."""

_LISTS = (RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed)

_IDLE_SECONDS = 3
"""How long a connection is kept for the next request; servers in Node.js wait for 5."""


class WebClient:
    """
    Sends requests over connections of its own, which it can close at once.

    Redirects are not followed.  No request is sent twice.  Compressed responses are not
    asked for: a server that compresses a stream may also hold it back.

    :param reactor: keeps the time of idle connections.
    :param dialer: gives the endpoints of servers.
    :param cookies: are sent to the servers that they belong to, and take what servers set.
    :param persistent: whether connections are used for more than one request.
    :param most_idle: at most so many idle connections are kept for each server.
    :param connected: called with the transport of each new connection.
    :param read_ended: called when all of what came in together was delivered.
    :param agent: sends the requests instead, over connections that it keeps itself.
    """

    def __init__(
        self,
        reactor: Any,
        dialer: IAgentEndpointFactory,
        cookies: CookieJar,
        *,
        persistent: bool = False,
        most_idle: int = 2,
        connected: Callable[[Any], None] = lambda _: None,
        read_ended: Callable[[], object] = lambda: None,
        agent: AnyAgent | None = None,
    ) -> None:
        self._pool = ConnectionPool(
            reactor,
            idle_timeout=_IDLE_SECONDS,
            persistent=persistent,
            most_idle=most_idle,
            connected=connected,
            read_ended=read_ended,
        )
        any_jar: Any = cookies  # treq says that any will do; its annotation does not
        self._agent = Agent(dialer, self._pool)
        self._cookies = cookies
        sender = self._agent if agent is None else cast(IAgent, agent)
        self._client = HTTPClient(Cookies(Uncompressed(sender), cookies), cookiejar=any_jar)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Deferred[IResponse]:
        """
        Send a request.

        :param url: in ASCII, with its query.
        :return: fires with the response as soon as its head has arrived; its body is
            delivered as it comes.  Fails with the error of the connection, as Twisted or
            OpenSSL has it, with :class:`~.http11.BadResponse`, and with
            :class:`~.content_coding.CompressedResponse`.  Cancelling it closes the
            connection.
        """
        lines = Headers({name: [value] for name, value in headers.items()})
        responding: Deferred[Any] = self._client.request(
            method,
            _URL(url),
            headers=lines,
            data=None if body is None else Content(body),
            allow_redirects=False,
            unbuffered=True,
        )
        return responding.addErrback(unwrap)

    def repeated(self, method: str, url: str, headers: Mapping[str, str]) -> RepeatedRequest:
        """
        A request that is to be sent many times, over these connections (and not by ``agent``);
        see :class:`~.repeated_request.RepeatedRequest`.
        """
        return RepeatedRequest(self._agent, self._cookies, method, url, headers)

    def close(self) -> Deferred[None]:
        """
        Close idle connections in order, and busy ones as soon as they are idle.

        :return: fires with None when those that were idle are closed, after a few seconds
            at the latest.
        """
        return self._pool.close()

    def abort(self) -> None:
        """Close all connections at once, and those that are still being made."""
        self._pool.abort()


class _URL(EncodedURL):
    """
    A URL that treq leaves as it is.  Of a text, treq would parse the host and convert it by
    IDNA, which refuses IPv6 addresses.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    def to_uri(self) -> EncodedURL:
        return self

    def to_text(self, with_password: bool = False) -> str:
        return self._text


class BodyTooLong(Exception):
    """A body is longer than its limit."""


def read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    """
    Collect a body.

    :param limit: bytes.
    :return: fires with the body.  Fails with :class:`BodyTooLong`, and with the reason why
        the connection ended before the body did.  Cancelling it closes the connection.
    """

    def check(read: tuple[bytes, bool]) -> bytes:
        body, whole = read
        if not whole:
            raise BodyTooLong
        return body

    return read_body_up_to(response, limit).addCallback(check)


def read_body_up_to(response: IResponse, limit: int) -> Deferred[tuple[bytes, bool]]:
    """
    Collect a body, or the beginning of one that is too long.

    :param limit: bytes.
    :return: fires with at most ``limit`` bytes of it, and whether that is the whole body.
        Fails with the reason why the connection ended before the body did.  Cancelling it
        closes the connection, and so does a body that is too long.
    """
    body = _Body(limit)
    response.deliverBody(body)
    return body.read.addErrback(unwrap)


def unwrap(failure: Failure) -> Any:
    """
    The error behind one of Twisted's HTTP client, whose text quotes the whole request.

    Errors that are not the network's are not quoted either: their texts may hold what came
    instead of a response, and that may be our request, sent back.
    """
    inner: Any = failure
    while isinstance(inner.value, _LISTS) and inner.value.reasons:
        inner = inner.value.reasons[0]
    if inner is failure or isinstance(inner.value, _TOLD) or is_tls_problem(inner.value):
        return inner
    return Failure(BadResponse("the response is not valid HTTP"))


_TOLD = (BadResponse, CancelledError, ConnectError, ConnectionClosed, TokenSocketError)
"""Errors of connections, whose texts are Twisted's or our own and hold no secret."""


class _Body(Protocol):
    """Collects a body, within bounds; cancelling ``read`` closes the connection."""

    transport: Any = None  # an IPushProducer that can close the connection, too

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.read: Deferred[tuple[bytes, bool]] = Deferred(lambda _: self.drop())

    def dataReceived(self, data: bytes) -> None:
        if self.read.called:
            return
        self._parts.append(data[: self._limit - self._size])
        self._size += len(data)
        if self._size > self._limit:
            self.read.callback((b"".join(self._parts), False))
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.read.called:
            return
        if isinstance(reason.value, COMPLETE):
            self.read.callback((b"".join(self._parts), True))
        else:
            self.read.errback(reason)

    def drop(self) -> None:
        """Close the connection, and ignore what still comes of the body."""
        if self.transport is not None:
            self.transport.loseConnection()
