"""
HTTP requests: the client's home of treq.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from http.cookiejar import CookieJar
from typing import Any

from hyperlink import EncodedURL
from treq.client import HTTPClient
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError
from twisted.web.client import (
    Agent,
    HTTPConnectionPool,
    RequestGenerationFailed,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IResponse

from .agents import Cookies, Remembered, Uncompressed
from .http11 import Connection, Content

__all__ = ["BadAnswer", "BodyTooLong", "WebClient", "discard_body", "read_body", "unwrap"]

_LISTS = (RequestGenerationFailed, RequestTransmissionFailed, ResponseFailed)

_IDLE_SECONDS = 3
"""How long a connection is kept for the next request; servers in Node.js wait for 5."""


class WebClient:
    """
    Sends requests over connections of its own, which it can drop at once.

    Redirects are not followed.  No request is sent twice.  Compressed answers are not
    asked for: what compresses a stream also holds it back.

    :param reactor: for connections that wait for the next request.
    :param dialer: connects.
    :param cookies: go along where they belong, and take what servers set.
    :param persistent: whether connections are used for more than one request.
    :param plain: whether to take no compressed answer, of which little may become a lot.
    :param connected: called with the transport whenever a connection was made.
    :param agent: sends the requests instead; it minds its own connections.
    """

    def __init__(
        self,
        reactor: Any,
        dialer: IAgentEndpointFactory,
        cookies: CookieJar,
        *,
        persistent: bool = False,
        plain: bool = False,
        connected: Callable[[Any], None] = lambda _: None,
        agent: IAgent | None = None,
    ) -> None:
        self._connections: list[_Connection] = []
        self._connected = connected
        self._aborted = False
        self._pool = _Pool(reactor, persistent)  # type: ignore[no-untyped-call]
        self._pool.retryAutomatically = False
        self._pool.cachedConnectionTimeout = _IDLE_SECONDS
        self._pool._factory = partial(_Factory, self._made)  # type: ignore[assignment]
        any_jar: Any = cookies  # treq says that any will do; its annotation does not
        agent = agent or Agent.usingEndpointFactory(reactor, Remembered(dialer), self._pool)
        agent = Cookies(Uncompressed(agent, plain), cookies)
        self._client = HTTPClient(agent, cookiejar=any_jar)

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
        :return: fires with the response as soon as its head is there; its body is
            delivered as it comes.  Fails with what the connection failed with, as the
            network or TLS has it, and with :class:`~.agents.CompressedAnswer`.  Cancelling
            it drops the connection.
        """
        answer: Deferred[Any] = self._client.request(
            method,
            _URI.from_text(url),
            headers=Headers({name: [value] for name, value in headers.items()}),
            data=None if body is None else Content(body),
            allow_redirects=False,
            unbuffered=True,
        )
        return answer.addErrback(unwrap)

    def _made(self, connection: _Connection) -> None:
        if self._aborted:  # an endpoint that cannot be cancelled
            connection.transport.abortConnection()
            return
        self._connections = [one for one in self._connections if one.state != "CONNECTION_LOST"]
        self._connections.append(connection)
        self._connected(connection.transport)

    def abort(self) -> None:
        """
        Drop all connections at once, and those that are still being made.  (Twisted closes
        in order, and with TLS waits until the server does so, too.)
        """
        self._aborted = self._pool.closed = True
        connections, self._connections = self._connections, []
        alive = [one.transport for one in connections if one.state != "CONNECTION_LOST"]
        closed: Deferred[None] = self._pool.closeCachedConnections()  # type: ignore[no-untyped-call]
        closed.addErrback(lambda _: None)
        for transport in alive:
            transport.abortConnection()


class _Pool(HTTPConnectionPool):
    """
    Twisted's, which takes a connection back even where it was closed while an answer was
    being read.
    """

    closed = False

    def _putConnection(self, key: object, connection: Any) -> None:
        if not self.closed:
            super()._putConnection(key, connection)  # type: ignore[no-untyped-call]


class _Connection(Connection):
    """
    :param made: called with this once it is connected.
    """

    def __init__(
        self, quiescent: Callable[[object], None], made: Callable[[_Connection], None]
    ) -> None:
        super().__init__(quiescent)  # type: ignore[no-untyped-call]
        self._made = made

    def connectionMade(self) -> None:
        super().connectionMade()
        self._made(self)


class _Factory(HTTPConnectionPool._factory):  # type: ignore[misc,valid-type]
    """
    Twisted's, without the two lines that each request would write to the log.

    :param made: called with each connection.
    """

    noisy = False

    def __init__(self, made: Callable[[_Connection], None], *arguments: Any) -> None:
        super().__init__(*arguments)
        self._made = made

    def buildProtocol(self, addr: IAddress) -> Any:
        return _Connection(self._quiescentCallback, self._made)


class _URI(EncodedURL):
    """
    A URL that needs no conversion: treq passes its host to IDNA, which refuses IPv6.
    """

    def to_uri(self) -> EncodedURL:
        """Itself."""
        return self


class BadAnswer(Exception):
    """What came is no answer to a request."""


class BodyTooLong(Exception):
    """A body went over its limit."""


def read_body(response: IResponse, limit: int) -> Deferred[bytes]:
    """
    Collect a body.

    :param limit: bytes.
    :return: fires with the whole.  Fails with :class:`BodyTooLong`, and with what ended
        the connection before the body did.  Cancelling it drops the connection.
    """
    body = _Body(limit)
    response.deliverBody(body)
    return body.whole.addErrback(unwrap)


def unwrap(failure: Failure) -> Any:
    """
    What went wrong, out of the lists of Twisted's HTTP client, whose texts quote the whole
    request.  Nor is quoted what came instead of an answer: it may be our request, sent back.
    """
    while isinstance(failure.value, _LISTS) and failure.value.reasons:
        failure = failure.value.reasons[0]
    if isinstance(failure.value, ParseError | KeyError):
        return Failure(BadAnswer("what came back is no HTTP"))
    return failure


def discard_body(response: IResponse) -> None:
    """Do without the body.  Where it has not come to its end, that drops the connection."""
    body = _Body(0)
    body.whole.addErrback(lambda _: None)
    response.deliverBody(body)
    body.drop()


class _Body(Protocol):
    """Collects a body, within bounds; cancelling ``whole`` drops the connection."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0
        self.whole: Deferred[bytes] = Deferred(lambda _: self.drop())

    def dataReceived(self, data: bytes) -> None:
        self._size += len(data)
        if self._size <= self._limit:
            self._parts.append(data)
        elif not self.whole.called:
            self.whole.errback(BodyTooLong())
            self.drop()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def drop(self) -> None:
        """Close the connection."""
        # All that twisted.web gives a body for a transport can pause and lose it.
        if self.transport is not None:
            self.transport.loseConnection()
