"""
One connection of the HTTP client.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any

import h11
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss

from ...support.direct_writes import follow_buffer, is_plain_tcp
from .http11 import HTTP11, BadResponse
from .http_request import ClientRequest, Content
from .http_response import Body, Response

__all__ = ["HTTPConnection", "Owner", "State"]

_UNPACED = Content(b"")
"""What is paused while a buffer is full: nothing, for each request is written as a whole."""

_DONE = Failure(ResponseDone("the response is complete"))
_PERHAPS_DONE = Failure(PotentialDataLoss("the response ended with the connection"))


class State(Enum):
    """
    The state of a connection.  It may be lost or dropped in every state but the last.
    """

    IDLE = "takes a request; anything that the server sends now is a violation"
    WAITING = "a request is being sent or was sent, and the head of its response has not arrived"
    BODY = "the head has arrived, and the body is delivered while it is wanted"
    DRAINING = "the connection is lost, and the rest of the body is still to be delivered"
    CLOSED = "closed, by us or by the server, or about to be"


IDLE, WAITING, BODY, DRAINING, CLOSED = State
_BUSY = (WAITING, BODY, DRAINING)


class Owner(typing.Protocol):
    """
    Callbacks of a connection.

    :ivar read_ended: called when what came in together, or waited to be wanted, was delivered.
    """

    read_ended: Callable[[], object]

    def connection_made(self, connection: HTTPConnection) -> None:
        """The connection is made, and has sent nothing yet."""

    def connection_idle(self, connection: HTTPConnection) -> None:
        """The connection can take another request."""

    def connection_closing(self, connection: HTTPConnection) -> None:
        """The connection is being closed in order, which the server can delay."""

    def connection_lost(self, connection: HTTPConnection) -> None:
        """The connection has ended, in order or not."""


class HTTPConnection(Protocol):
    """
    Sends requests, one at a time, and reads the responses.

    :param owner: is told of what happens to the connection.
    :param server: identifies the server, for the owner.
    :ivar state: see :class:`State`.
    """

    transport: Any

    def __init__(self, owner: Owner, server: Hashable) -> None:
        self.server = server
        self.state = IDLE
        self._owner = owner
        self._http = HTTP11()
        self._request: ClientRequest | None = None
        self._waiting: Deferred[Response] | None = None
        self._body: Body | None = None
        self._held: bytes | None = None
        self._lost: Failure | None = None
        self._advancing = False
        self._reading = True

    def send(self, request: ClientRequest, content: bytes | None = None) -> Deferred[Response]:
        """
        Send a request.

        :param content: its body, if there is one.
        :return: fires with the response when its head has arrived.  Fails with the reason
            why the connection ended, and with :class:`~.http11.BadResponse`.  Cancelling it
            closes the connection.
        """
        if self.state is not IDLE:
            return fail(self._lost or ConnectionLost("before the request was sent"))
        self.state = WAITING
        self._request = request
        waiting: Deferred[Response] = Deferred(self._cancelled)
        self._waiting = waiting
        self._write(self._http.send_whole(request.head, content))
        return waiting

    def close(self) -> None:
        """Close the connection in order; only while no request is under way."""
        self.state = CLOSED
        self.transport.loseConnection()
        self._owner.connection_closing(self)

    def abort(self) -> None:
        """Drop the connection; a request under way fails as soon as it is gone."""
        self.state = CLOSED
        self.transport.abortConnection()
        self._advance()

    def _cancelled(self, _: object) -> None:
        self._waiting = None
        self.abort()

    # -- receiving

    def connectionMade(self) -> None:
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        if is_plain_tcp(self.transport):
            self._write = follow_buffer(self.transport, _UNPACED)
        else:
            self._write = self.transport.write
        self._owner.connection_made(self)

    def dataReceived(self, data: bytes) -> None:
        if self.state is IDLE:
            # Such as the 408 of a server that waits no longer.
            self.abort()
        elif self.state is not CLOSED:
            self._http.receive_data(data)
            self._advance()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._owner.connection_lost(self)
        self._lost = reason
        if self.state is BODY:
            self.state = DRAINING
            self._http.receive_eof()
        else:
            self.state = CLOSED
        self._advance()

    def _advance(self) -> None:
        """Deliver what has come in, as far as it is wanted."""
        if self._advancing:
            return  # a body's protocol called back while it was called from here
        self._advancing = True
        try:
            while self.state in _BUSY and self._step():
                pass
        except BadResponse:
            self._fail(self._lost or Failure())
        finally:
            self._advancing = False
        if self.state is CLOSED and self._lost is not None:
            self._fail(self._lost)
        self._hold_or_read()
        self._owner.read_ended()

    def _step(self) -> bool:
        """:return: whether there may be more to do."""
        if self._held is not None:
            return self._deliver()
        event = self._http.next_event()
        if type(event) is h11.Data:
            self._held = bytes(event.data)
        elif type(event) is h11.EndOfMessage:
            self._finished()
        elif type(event) is h11.Response:
            self._responded(event)
        return event is not h11.NEED_DATA

    def _deliver(self) -> bool:
        """Deliver the event that is held, if it is wanted.  The end of a body always is."""
        assert self._body is not None
        if not self._body.wanted:
            return False
        data, self._held = self._held, None
        assert data is not None
        try:
            self._body.received(data)
        except Exception:  # such as a decoder, for a body that cannot be decoded
            self._fail(Failure())
        return True

    def _responded(self, head: h11.Response) -> None:
        assert self._request is not None
        assert self._waiting is not None
        waiting, self._waiting = self._waiting, None
        self._body = body = Body(self._advance, self.abort)
        self.state = BODY
        waiting.callback(Response(self._request, head, body))

    def _finished(self) -> None:
        """Take the next request, or close, now that the response is complete."""
        body, self._body = self._body, None
        assert body is not None
        if self.state is DRAINING:
            self.state = CLOSED
        elif self._http.reusable:
            self._http.start_next_cycle()
            self.state = IDLE
            self._owner.connection_idle(self)
        else:
            self.close()
        body.ended(_PERHAPS_DONE if self._http.ended_by_close else _DONE)

    def _fail(self, reason: Failure) -> None:
        """Fail the request that is under way, and drop the connection."""
        waiting, self._waiting = self._waiting, None
        body, self._body = self._body, None
        if self.state is not CLOSED:
            self.state = CLOSED
            self.transport.abortConnection()
        if waiting is not None:
            waiting.errback(reason)
        elif body is not None:
            body.ended(Failure(ResponseFailed([reason])))

    def _hold_or_read(self) -> None:
        """Read from the network only while the body is wanted."""
        reading = self._body is None or self._body.wanted
        if reading != self._reading and self._lost is None:
            self._reading = reading
            if reading:
                self.transport.resumeProducing()
            else:
                self.transport.pauseProducing()
