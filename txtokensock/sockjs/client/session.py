"""
The client's end of one SockJS session: what the server's frames mean, on any connection.
"""

from __future__ import annotations

import enum
from typing import Any, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import ConnectionFailed, HandshakeRefused, Phase, SockJSClosed, SockJSRefused
from ...support.timer import Deadline
from ...web.tls.policy import explain, is_tls_problem, tls_failure
from ..frames import (
    Close,
    FrameError,
    Heartbeat,
    Messages,
    Open,
    decode_messages,
    decode_server_frame,
)
from ..interfaces import ISockJSSession
from ..transport import SockJSTransport

__all__ = ["ClientSession", "FrameConnection"]


class FrameConnection(Protocol):
    """
    What moves the frames of one session: a WebSocket, or HTTP requests.

    It tells its session ``connection_made`` and ``connection_open`` once, then ``frames_received``
    and ``activity`` as things come in, between ``read_begins`` and ``read_ends``, and
    ``connection_lost`` exactly once, at the end.  A connection without SockJS frames says
    ``session_open`` and ``message_received`` instead.
    """

    def send(self, messages: list[bytes]) -> None:
        """
        Send messages, in one frame where the connection has frames.

        :raises InvalidData: if one is not UTF-8; then none is sent.
        """

    def close(self, code: int, reason: str) -> None:
        """Close in order, after what was written before has been sent."""

    def end(self) -> None:
        """End the connection, sending no more messages: the server has closed the session."""

    def abort(self) -> None:
        """Drop the connection at once; ``connection_lost`` comes in a later turn."""

    def pause(self) -> None:
        """Stop reading from the network."""

    def resume(self) -> None:
        """Read from the network again."""

    def register_producer(self, producer: object, streaming: bool) -> None:
        """Pause and resume ``producer`` as the write buffer fills and drains."""

    def unregister_producer(self) -> None:
        """Stop pausing and resuming the producer."""

    def peer_address(self) -> IAddress:
        """The address of the other side."""

    def host_address(self) -> IAddress:
        """The address of this side."""


class State(enum.Enum):
    """
    Where a client's session is on its way; the value says it in words.

    ===========  ===================  ==========================  =================
    state        becomes              frames                      messages are sent
    ===========  ===================  ==========================  =================
    CONNECTING   HANDSHAKE            come too early              no
    HANDSHAKE    OPENING              come too early              no
    OPENING      OPEN, with ``o``     anything else is too early  no
    OPEN         CLOSING              are delivered               yes
    CLOSING      ENDED                are ignored                 no
    ENDED        nothing else         are ignored                 no
    ===========  ===================  ==========================  =================

    From the first sign of an end, of either side, a session is CLOSING: a violation, a
    refusal, ``c``, ``close``, ``abort`` and cancelling lead there from each state before it.
    When the connection is lost, every state becomes ENDED: then ``ready`` or ``opened``
    fails, or, if the session was open, ``connectionLost`` of its protocol is called.
    """

    CONNECTING = "there is no connection yet"
    HANDSHAKE = "the connection cannot carry frames yet"
    OPENING = "the server has not opened the session yet"
    OPEN = "messages go both ways"
    CLOSING = "an end has begun, and the connection is still there"
    ENDED = "the connection is lost"


CONNECTING, HANDSHAKE, OPENING, OPEN, CLOSING, ENDED = State


@implementer(ISockJSSession)
class ClientSession:
    """
    One session, from the attempt to connect to its end.  :class:`State` has what each input
    does in each state.

    :param factory: builds the protocol when the session opens.
    :param reactor: its clock is for the deadline of an orderly close, and for when things came.
    :param close_timeout: seconds for an orderly close before the connection is dropped.
    :param name: of the transport.
    :ivar ready: fires with None when the connection can carry frames.
    :ivar opened: fires with the protocol when the server has opened the session.
        Both fail with a :class:`~txtokensock.errors.ConnectionFailed` if it ends before,
        and cancelling either drops the connection.
    """

    _log = Logger()

    def __init__(
        self, factory: IProtocolFactory, reactor: IReactorTime, close_timeout: float, name: str
    ) -> None:
        self._factory = factory
        self._seconds = reactor.seconds
        self._close_timeout = close_timeout
        self._state = CONNECTING
        self._connection: FrameConnection | None = None
        self._transport = SockJSTransport(self, name)
        self.read_begins = self._transport.read_begins
        self.read_ends = self._transport.read_ends
        self._opening_phase: Phase | None = "handshake"  # None as soon as it is open
        self._reason: Failure | None = None
        self._deadline = Deadline(reactor, self.abort)
        self.ready: Deferred[None] = Deferred(self._cancelled)
        self.opened: Deferred[IProtocol] = Deferred(self._cancelled)

    # -- for the connection

    @property
    def frame_limits(self) -> tuple[int | None, int | None]:
        """The most bytes and messages of a frame, see :class:`~..ISockJSTransport`."""
        return self._transport.frame_limits

    def connection_made(self, connection: FrameConnection) -> None:
        """Use this connection, which may be aborted from now on but cannot carry frames yet."""
        if self._state is CONNECTING:
            self._connection = connection
            self._state = HANDSHAKE
        else:  # given up while the attempt to connect could not be cancelled
            self.ready.addErrback(lambda _: None)  # has no other callbacks then
            connection.abort()

    def connection_open(self) -> None:
        """Note that the connection can carry frames, and fire ``ready``."""
        if self._state is HANDSHAKE:
            self._state = OPENING
            self._opening_phase = "open"
            self.ready.callback(None)

    def session_open(self) -> None:
        """Open the session, on a connection without SockJS frames."""
        if self._state is OPENING:
            self._open()

    def bytes_received(self, size: int) -> None:
        """Count bytes of frames, before those that are complete with them."""
        self._transport.bytes_received += size

    def activity(self, frames: int = 1) -> None:
        """Count signs of life, which need not be SockJS frames: a ping is one."""
        transport = self._transport
        transport.frames_received += frames
        transport.bytes_in_frames = transport.bytes_received
        transport.last_received = self._seconds()

    def frames_received(self, frames: list[bytes]) -> None:
        """Take the frames of one read, in order; their messages are handed up together."""
        self.activity(len(frames))
        messages: list[bytes] = []
        try:
            for frame in frames:
                if self._state is OPEN and frame[:1] == b"a":
                    decode_messages(frame, messages)
                    continue
                if messages:
                    self._transport.messages_received(messages)
                    messages = []
                self._frame_received(frame)
        except FrameError as problem:
            self._transport.messages_received(messages)
            self.violation(str(problem))
        else:
            if messages:
                self._transport.messages_received(messages)

    def _frame_received(self, payload: bytes) -> None:
        if self._state is CLOSING or self._state is ENDED:
            return
        frame = decode_server_frame(payload)
        match frame:
            case Messages(messages) if self._state is OPEN:
                self._transport.messages_received(messages)
            case Open() if self._state is OPENING:
                self._open()
            case Open() if self._state is OPEN:
                # A server that was restarted opens a new session for the next poll.
                # sockjs-client 1.6.1 ends its session at a second ``o`` as well.
                self._fail("the server has lost the session, and opened another one")
            case Close(code, reason) if self._state is OPEN or self._state is OPENING:
                self._closed_by_server(code, reason)
            case Heartbeat() | None:
                pass
            case _:
                self.violation(f"a frame out of order: {type(frame).__name__}")

    def message_received(self, message: bytes) -> None:
        """Take one message, on a connection without SockJS frames."""
        self.activity()
        if self._state is OPEN:
            self._transport.messages_received([message])

    def violation(self, problem: str) -> None:
        """Drop the connection: the server broke the protocol."""
        if self._state is not CLOSING and self._state is not ENDED:
            self._log.warn(
                "the SockJS server broke the protocol: {problem}",
                event="sockjs.violation",
                problem=problem,
            )
            self._fail(f"the server broke the SockJS protocol: {problem}")

    def connection_closing(self, reason: Exception | None = None) -> None:
        """
        Send nothing more, and start the deadline of an orderly close, which either side has
        begun.

        :param reason: why, where it is known.
        """
        if reason is not None and self._reason is None:
            self._reason = Failure(reason)
        if self._state is not CLOSING and self._state is not ENDED:
            self._deadline.start(self._close_timeout)
            self._start_closing()

    def _start_closing(self) -> None:
        was_open, self._state = self._state is OPEN, CLOSING
        if was_open:
            unknown = ConnectionLost("the server is closing the connection")
            self._transport.closing(self._reason or Failure(unknown))

    def connection_lost(self, reason: Failure) -> None:
        """
        End the session: the connection is closed, or lost.

        :param reason: a :class:`~txtokensock.errors.ConnectionFailed` where that says more
            than the phase would, or the network's.
        """
        if self._state is ENDED:
            return
        self._state = ENDED
        self._deadline.stop()
        reason = self._reason or reason
        error: Any = reason.value
        if self._opening_phase is not None:
            self._not_opened(self._opening_phase, error)
        elif is_tls_problem(error):
            self._transport.ended(Failure(ConnectionLost(explain(error))))
        else:
            self._transport.ended(reason)

    def _not_opened(self, phase: Phase, error: Any) -> None:
        """Fail the Deferred that has not fired, unless the attempt was cancelled through it."""
        if isinstance(error, ConnectionAborted):  # cancelled
            error = CancelledError()
        elif not isinstance(error, ConnectionFailed):
            text = f"the session was not opened: {explain(error)}"
            error = tls_failure(error, phase) or _refusal(phase, text)
        waiting: Deferred[None] | Deferred[IProtocol]
        waiting = self.ready if phase == "handshake" else self.opened
        if not waiting.called:
            waiting.errback(Failure(error))

    # -- what frames mean

    def _open(self) -> None:
        try:
            protocol = self._factory.buildProtocol(self.peer())
        except BaseException:
            self._log.failure(
                "the factory raised, its SockJS session is dropped", event="sockjs.protocol_failed"
            )
            protocol = None
        if self._state is not OPENING:  # the factory cancelled the attempt
            return
        if protocol is None:
            self._fail("the factory built no protocol")
            return
        self._state = OPEN
        self._opening_phase = None
        self._transport.connect(protocol)
        # makeConnection may have dropped the session already.  The attempt succeeds all the
        # same: the protocol learns of the loss from connectionLost.
        if not self.opened.called:
            self.opened.callback(protocol)

    def _closed_by_server(self, code: int, reason: str) -> None:
        assert self._connection is not None
        closed = SockJSClosed(code, reason)
        refused = SockJSRefused(f"the server refused: {closed}", "open", code)
        self._reason = Failure(closed if self._state is OPEN else refused)
        self._connection.end()
        self.connection_closing()

    def _fail(self, problem: str) -> None:
        if self._opening_phase is None:
            self._reason = Failure(ConnectionLost(problem))
        else:
            self._reason = Failure(_refusal(self._opening_phase, problem))
        self.abort()

    def _cancelled(self, _: object) -> None:
        self.abort()

    # -- ISockJSSession

    def send(self, messages: list[bytes]) -> None:
        if self._state is OPEN:
            assert self._connection is not None
            self._connection.send(messages)

    def close(self, code: int, reason: str) -> None:
        if self._connection is not None and self._state in (OPEN, CLOSING):
            self.connection_closing(SockJSClosed(code, reason))
            self._connection.resume()  # otherwise the server's answer would not be read
            self._connection.close(code, reason)

    def abort(self) -> None:
        if self._state is ENDED:
            return
        if self._reason is None:
            self._reason = Failure(ConnectionAborted())
        if self._connection is not None:
            self._connection.abort()
        if self._state is not ENDED:
            self._start_closing()

    def pause_reading(self) -> None:
        if self._state is OPEN:
            assert self._connection is not None
            self._connection.pause()

    def resume_reading(self) -> None:
        if self._connection is not None and self._state is not ENDED:
            self._connection.resume()

    def register_producer(self, producer: object, streaming: bool) -> None:
        if self._connection is not None:
            self._connection.register_producer(producer, streaming)

    def unregister_producer(self) -> None:
        if self._connection is not None:
            self._connection.unregister_producer()

    def peer(self) -> IAddress:
        assert self._connection is not None
        return self._connection.peer_address()

    def host(self) -> IAddress:
        assert self._connection is not None
        return self._connection.host_address()


def _refusal(phase: Phase, problem: str) -> ConnectionFailed:
    """The error for a session that failed before it was open."""
    return (HandshakeRefused if phase == "handshake" else SockJSRefused)(problem, phase)
