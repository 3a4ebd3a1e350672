"""
A connection of the HTTP client.
"""

from __future__ import annotations

import typing
from collections.abc import Hashable
from enum import Enum
from typing import Any

import h11
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IBodyProducer, IResponse

from .http11 import HTTP11, BadResponse
from .http_request import ClientRequest, Content
from .http_response import Body, Response

__all__ = ["HTTPConnection", "Owner", "State"]

_DONE = Failure(ResponseDone("the response is complete"))
_PERHAPS_DONE = Failure(PotentialDataLoss("the response ended with the connection"))


class State(Enum):
    """
    Where a connection stands.  From any state but the last, it may be lost or dropped.
    """

    IDLE = "takes a request; whatever the server sends, nobody asked for"
    WAITING = "a request is on its way, and the head of the response is not here yet"
    BODY = "the head was handed on, and the body is delivered as far as it is wanted"
    DRAINING = "the connection is lost; what came in of the body is still to be delivered"
    CLOSED = "closed, by us or by the server, or about to be"


class Owner(typing.Protocol):
    """Whom a connection tells what becomes of it."""

    def connection_made(self, connection: HTTPConnection) -> None:
        """It is connected, and sends nothing yet."""

    def connection_idle(self, connection: HTTPConnection) -> None:
        """It can take another request."""

    def connection_closing(self, connection: HTTPConnection) -> None:
        """It closes in order, for which the server may let it wait."""

    def connection_lost(self, connection: HTTPConnection) -> None:
        """It has ended, in order or not."""


class HTTPConnection(Protocol):
    """
    Sends requests, one at a time, and hands on the responses.

    :param owner: hears what becomes of it.
    :param server: whom it leads to, for the owner.
    :ivar state: see :class:`State`.
    """

    transport: Any

    def __init__(self, owner: Owner, server: Hashable) -> None:
        self.server = server
        self.state = State.IDLE
        self._owner = owner
        self._http = HTTP11()
        self._request: ClientRequest | None = None
        self._waiting: Deferred[IResponse] | None = None
        self._body: Body | None = None
        self._held: bytes | None = None
        self._lost: Failure | None = None
        self._advancing = False
        self._reading = True

    def send(self, request: ClientRequest) -> Deferred[IResponse]:
        """
        Send a request.

        :return: fires with the response when its head is there.  Fails with what the
            connection ended with, with :class:`~.http11.BadResponse`, and with what the
            producer of the body failed with.  Cancelling it closes the connection.
        """
        if self.state is not State.IDLE:
            return fail(self._lost or ConnectionLost("before the request was sent"))
        self.state = State.WAITING
        self._request = request
        waiting: Deferred[IResponse] = Deferred(lambda _: self._cancelled())
        self._waiting = waiting
        if request.body is None:
            self._write(request.head, h11.EndOfMessage())
        elif isinstance(request.body, Content):
            data = h11.Data(data=request.body.content)
            self._write(request.head, data, h11.EndOfMessage())
        else:
            self._write(request.head)
            self._produce(request.body)
        return waiting

    def close(self) -> None:
        """Close it in order; only where nothing is under way."""
        self.state = State.CLOSED
        self.transport.loseConnection()
        self._owner.connection_closing(self)

    def abort(self) -> None:
        """Close it at once; what is under way fails as soon as the connection is gone."""
        self.state = State.CLOSED
        self.transport.abortConnection()
        self._advance()

    def _cancelled(self) -> None:
        self._waiting = None
        self.abort()

    # -- sending

    def _write(self, *events: h11.Request | h11.Data | h11.EndOfMessage) -> None:
        if self.state in (State.WAITING, State.BODY):
            data = b"".join(map(self._http.send, events))
            if data:
                self.transport.write(data)

    def _produce(self, producer: IBodyProducer) -> None:
        consumer: Any = _Consumer(self)
        self.transport.registerProducer(producer, True)
        producing = maybeDeferred(producer.startProducing, consumer)
        producing.addCallback(lambda _: self._write(h11.EndOfMessage()))
        producing.addBoth(self._produced)

    def _produced(self, outcome: object) -> None:
        self.transport.unregisterProducer()
        if isinstance(outcome, Failure) and self.state in (State.WAITING, State.BODY):
            self._fail(outcome)

    # -- receiving

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._owner.connection_made(self)

    def dataReceived(self, data: bytes) -> None:
        if self.state is State.IDLE:
            # As where a server says 408 since it waits no longer.
            self.abort()
        elif self.state is not State.CLOSED:
            self._http.receive_data(data)
            self._advance()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._owner.connection_lost(self)
        self._lost = reason
        if self.state is State.BODY:
            self.state = State.DRAINING
            self._http.receive_eof()
        else:
            self.state = State.CLOSED
        self._advance()

    def _advance(self) -> None:
        """Hand on what has come in, as far as it is wanted."""
        if self._advancing:
            return  # called by the protocol of a body, which is called from here
        self._advancing = True
        try:
            while self._step():
                pass
        except BadResponse:
            self._fail(self._lost or Failure())
        finally:
            self._advancing = False
        if self.state is State.CLOSED and self._lost is not None:
            self._fail(self._lost)
        self._hold_or_read()

    def _step(self) -> bool:
        """:return: whether there may be more to do."""
        if self.state not in (State.WAITING, State.BODY, State.DRAINING):
            return False
        if self._held is not None:
            return self._deliver()
        event = self._http.next_event()
        if isinstance(event, h11.Response):
            self._responded(event)
        elif isinstance(event, h11.Data):
            self._held = bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            self._finished()
        return event is not h11.NEED_DATA

    def _deliver(self) -> bool:
        """Whatever is held, where it is wanted; the end of a body is no data, and is not."""
        assert self._body is not None
        if not self._body.wanted:
            return False
        data, self._held = self._held, None
        assert data is not None
        try:
            self._body.received(data)
        except Exception:  # as what decodes a body does where that is broken
            self._fail(Failure())
        return True

    def _responded(self, head: h11.Response) -> None:
        assert self._request is not None
        assert self._waiting is not None
        waiting, self._waiting = self._waiting, None
        self._body = body = Body(self._advance, self.abort)
        self.state = State.BODY
        waiting.callback(Response(self._request, head, body))

    def _finished(self) -> None:
        """The response is complete: the connection takes the next request, or closes."""
        body, self._body = self._body, None
        assert body is not None
        if self.state is State.DRAINING:
            self.state = State.CLOSED
        elif self._http.reusable:
            self._http.start_next_cycle()
            self.state = State.IDLE
            self._owner.connection_idle(self)
        elif self._http.request_sent:
            self.close()
        else:
            self.abort()
        body.ended(_PERHAPS_DONE if self._http.ended_by_close else _DONE)

    def _fail(self, reason: Failure) -> None:
        """Give up what is under way, and the connection."""
        waiting, self._waiting = self._waiting, None
        body, self._body = self._body, None
        if self.state is not State.CLOSED:
            self.state = State.CLOSED
            self.transport.abortConnection()
        if waiting is not None:
            waiting.errback(reason)
        elif body is not None:
            body.ended(Failure(ResponseFailed([reason])))

    def _hold_or_read(self) -> None:
        """Leave with the network what nobody wants yet."""
        reading = self._body is None or self._body.wanted
        if reading != self._reading and self._lost is None:
            self._reading = reading
            if reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()


class _Consumer:
    """What a producer of a body writes to."""

    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection

    def write(self, data: bytes) -> None:
        """
        :raises h11.LocalProtocolError: if that is more than was said, or after the end.
        """
        self._connection._write(h11.Data(data=data))
