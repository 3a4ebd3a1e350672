"""
HTTP requests that move the frames of a client's SockJS session: xhr-streaming, eventsource
and xhr-polling.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, NOT_FOUND, OK
from twisted.web.iweb import IResponse

from ...errors import HandshakeRefused, SessionLost, SockJSClosed, shorten
from ...support.timeouts import transfer_time
from ...support.timer import Deadline
from ...web.client.http_client import COMPLETE, unwrap
from ...web.client.http_response import Response
from ...web.tls.policy import explain
from ..frames import encode_texts
from ..producer import ProducerFlow
from .frame_readers import Framing
from .receiver import Receiver
from .refusals import header_of, refused
from .sender import Sender
from .session import ClientSession
from .session_target import SessionTarget

__all__ = ["open_http"]

_SENT_TYPE = "text/plain;charset=UTF-8"
"""Of what xhr_send sends: sockjs-node reads nothing else as it is."""


def open_http(framing: Framing, session: ClientSession, target: SessionTarget) -> Deferred[None]:
    """
    Open a session over HTTP requests.

    :return: fires with None when the first TCP connection is made; from then on ``ready``
        and ``opened`` of the session tell how the attempt goes.  Fails with what connecting
        failed with.  Cancelling it drops the connections.
    """
    return _HTTPFrameConnection(framing, session, target).connect()


class _HTTPFrameConnection:
    """
    Receives frames in the responses to one request after the other, and sends messages with
    requests of their own.  Both use one connection as long as the server keeps it open.

    A request or response that is lost ends the session, since what was in it is unknown: a
    SockJS session cannot be resumed.

    :param framing: of the responses.
    :param session: whose messages these are.
    """

    def __init__(self, framing: Framing, session: ClientSession, target: SessionTarget) -> None:
        self._framing = framing
        self._session = session
        self._target = target
        self._reactor = target.http_context.reactor
        self._client = target.http_context.client(
            persistent=True, connected=self._on_connected, read_ended=self._read_ended
        )
        url = target.url(target.new_session())
        accept = {"Accept": framing.content_type or "*/*"}
        self._ask = self._client.repeated(
            framing.method, f"{url}/{framing.page}", {**target.headers, **accept}
        )
        self._xhr_send = self._client.repeated(
            "POST", f"{url}/xhr_send", {**target.headers, "Content-Type": _SENT_TYPE}
        )
        self._posting: Deferred[Any] | None = None
        self._send_time = 0.0
        self._send_deadline = Deadline(self._reactor, self._sending_late)
        self._flow = ProducerFlow(self._reactor)
        self._sender = Sender(
            self._reactor,
            self._post,
            self._flow,
            lambda: session.frame_limits,
        )
        self._receiver = Receiver(
            self._ask.send,
            lambda: framing.reader(target.max_message_size),
            on_response=self._accepts,
            on_bytes=session.bytes_received,
            on_frames=self._frames_received,
            on_violation=session.violation,
            on_failure=self._receiving_failed,
        )
        self._connected: Deferred[None] = Deferred(lambda _: self._give_up())
        self._transport: Any = None
        self._accepted = False
        self._in_read = False
        self._dropped = False

    def __repr__(self) -> str:
        return f"<{self._framing.name} to {self._target.address}>"

    def connect(self) -> Deferred[None]:
        """Send the first request, see :func:`open_http`."""
        self._receiver.start()
        return self._connected

    def _on_connected(self, transport: Any) -> None:
        if self._transport is None:
            self._transport = transport
            self._session.connection_made(self)
            if not self._connected.called:
                self._connected.callback(None)

    def _give_up(self) -> None:
        """Cancel connecting.  It may know which step was not answered, such as a proxy."""
        self._receiver.cancel()
        self._drop(CancelledError())

    def _drop(self, problem: Exception) -> None:
        """Drop the connections; the session is told in a later turn of the reactor."""
        if self._dropped:
            return
        self._dropped = True
        self._receiver.stop()
        self._sender.stop()
        self._send_deadline.stop()
        if self._posting is not None:
            self._posting.cancel()
        self._client.abort()
        if self._transport is None:
            self._connected.errback(Failure(problem))
        else:
            self._reactor.callLater(0, self._gone, Failure(problem))
            self._session.connection_closing(problem)

    def _gone(self, reason: Failure) -> None:
        self._flow.stop()
        self._session.connection_lost(reason)

    # -- requests

    def _post(self, body: bytes) -> None:
        self._send_time = self._target.timeouts.send + transfer_time(len(body))
        # It runs on after the answer: to start it again costs less than another one for each.
        self._send_deadline.start(self._send_time)
        self._posting = posting = self._xhr_send.send(body)
        posting.addCallback(self._answered).addErrback(self.sending_failed)

    def _answered(self, response: Response) -> None:
        # Not counted as a sign of life: it says nothing about the other connection.
        if response.code not in (OK, NO_CONTENT):
            raise _lost("xhr_send", response.code)
        response.deliverBody(_Answer(self))

    def sent(self) -> None:
        """The server has taken what was sent."""
        self._sender.posted()

    def _sending_late(self) -> None:
        if self._sender.posting:
            text = f"xhr_send was not answered within {self._send_time:g} seconds"
            self._drop(SessionLost(text))

    def sending_failed(self, failure: Failure) -> None:
        """What was sent, or the answer to it, is lost."""
        problem: Any = failure.value
        if not isinstance(problem, SessionLost):
            problem = SessionLost(f"xhr_send failed: {explain(problem)}")
        self._drop(problem)

    # -- responses

    def _accepts(self, response: IResponse) -> bool:
        self._session.activity()
        problem = self._problem(response)
        if problem is not None:
            self._drop(problem)
        elif not self._accepted:
            self._accepted = True
            self._session.connection_open()
        return not self._dropped

    def _problem(self, response: IResponse) -> Exception | None:
        """Why a response cannot be read as frames; None if it can."""
        page, status = self._framing.page, response.code
        if status != OK:
            if self._accepted:
                return _lost(page, status)
            return refused(page, status, lambda name: header_of(response, name))
        expected = self._framing.content_type
        if expected is None:
            return None
        kind = header_of(response, "content-type")
        if kind.partition(";")[0].strip().lower() == expected:
            return None
        text = f"{page} was answered with {shorten(kind) or 'no content type'}, not {expected}"
        return SessionLost(text) if self._accepted else HandshakeRefused(text)

    def _frames_received(self, frames: list[bytes]) -> None:
        # Each chunk of a response comes by itself, also where one read had several.
        self._in_read = True
        self._session.read_begins()
        self._session.frames_received(frames)

    def _read_ended(self) -> None:
        if self._in_read and not self._dropped:
            self._in_read = False
            self._session.read_ends()
            self._sender.flush()

    def _receiving_failed(self, problem: Exception) -> None:
        if self._accepted and not isinstance(problem, SessionLost):
            problem = SessionLost(f"{self._framing.page} failed: {explain(problem)}")
        self._drop(problem)

    # -- FrameConnection

    def send(self, messages: list[bytes]) -> None:
        self._sender.send(encode_texts(messages))

    def close(self, code: int, reason: str) -> None:
        # SockJS has no close from the client over HTTP: the server notices that no more
        # requests for frames come.
        self._receiver.finish()
        self._sender.when_idle(lambda: self._drop(SockJSClosed(code, reason)))

    def end(self) -> None:
        self._drop(SessionLost("the server has closed the session"))

    def abort(self) -> None:
        self._drop(ConnectionAborted())

    def pause(self) -> None:
        self._receiver.pause()

    def resume(self) -> None:
        self._receiver.resume()

    def register_producer(self, producer: object, streaming: bool) -> None:
        self._flow.register(producer, streaming)

    def unregister_producer(self) -> None:
        self._flow.unregister()

    def peer_address(self) -> IAddress:
        return self._transport.getPeer()  # type: ignore[no-any-return]

    def host_address(self) -> IAddress:
        return self._transport.getHost()  # type: ignore[no-any-return]


class _Answer(Protocol):
    """The body of an answer to xhr_send, in which nothing may be."""

    def __init__(self, connection: _HTTPFrameConnection) -> None:
        self._connection = connection

    def dataReceived(self, data: bytes) -> None:
        problem = "the answer to xhr_send is not that of a SockJS server"
        self._connection.sending_failed(Failure(SessionLost(problem)))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if isinstance(reason.value, COMPLETE):
            self._connection.sent()
        else:
            self._connection.sending_failed(unwrap(reason))


def _lost(page: str, status: int) -> SessionLost:
    """The error of a session that the server had accepted."""
    if status == NOT_FOUND:
        return SessionLost(f"{page} was answered with 404: the server has lost the session", 404)
    return SessionLost(f"{page} was answered with {status}", status)
