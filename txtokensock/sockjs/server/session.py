"""
What the sessions of a SockJS server have in common: their states, counters and deadlines.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IProtocol, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ...errors import SockJSClosed
from ...support.deadlines import Deadlines
from ...support.slices import Slices
from ...support.timer import Deadline
from ..frames import ARRAY_TOO_LONG, TOO_SLOW
from ..interfaces import ISockJSSession
from ..producer import ProducerFlow
from ..transport import SockJSTransport
from .input_meter import InputLimits, InputMeter
from .options import SockJSOptions
from .request_info import RequestInfo
from .shared_buffers import SharedBuffers

__all__ = ["ServerSession", "SessionTransport", "State"]


class State(enum.Enum):
    """
    Where a session of the server is on its way; the value says it in words.

    =========  ==================  ====================  =================  ==========
    state      from the client     written by protocol   close              abort
    =========  ==================  ====================  =================  ==========
    OPENING    nothing yet         nothing yet           CLOSING            CLOSING
    OPEN       is delivered        is sent, or waits     CLOSING            CLOSING
    CLOSING    is ignored          is ignored            ignored            drops
    ENDED      is ignored          is ignored            ignored            ignored
    =========  ==================  ====================  =================  ==========

    CLOSING begins with the first sign of an end, of either side: what was written before
    is sent, then the close.  It becomes ENDED when the WebSocket or the requests are gone,
    and after ``close_timeout`` at the latest; then ``connectionLost`` is called.

    A polling session is OPENING until its first request for frames; whether a request
    waits for frames is independent of the state, and so is whether the protocol is paused.
    """

    OPENING = "the open frame has not been sent"
    OPEN = "messages go both ways"
    CLOSING = "an end has begun, of this side or the other"
    ENDED = "the session is over"


OPENING, OPEN, CLOSING, ENDED = State


class SessionTransport(SockJSTransport):
    """
    The transport of a protocol on a SockJS server.

    :param slices: see :class:`SockJSTransport`.
    :ivar request_info: the :class:`~txtokensock.sockjs.server.request_info.RequestInfo` of
        the HTTP request that opened the session.
    """

    def __init__(self, session: ServerSession, request_info: RequestInfo, slices: Slices) -> None:
        super().__init__(session, request_info.transport, slices)
        self.request_info = request_info
        self._server_session = session

    def _finish(self) -> None:
        super()._finish()
        self._server_session.delivered()

    def seconds_away(self) -> float:
        """
        For how long a polling client has had everything, and has not asked for more: besides the
        time that a slow link takes, that is a moment, or the client has left.
        """
        return self._server_session.seconds_away()

    def limit_input(self, limits: InputLimits, exceeded: Callable[[], object]) -> None:
        """
        Limit what the client may send from now on, besides what the server's options do.

        :param exceeded: called each time that it sends more, which is not delivered.  It
            closes the session.
        """
        self._server_session.limit_input(limits, exceeded)

    def charge(self, messages: int) -> bool:
        """
        Count messages that the client has not sent, for what it sent costs more than others.

        :return: whether they were within the rate; if not, ``exceeded`` was called.
        """
        return self._server_session.meter.count(messages)

    def credit(self, messages: float) -> None:
        """Allow the client so many messages more, once: answers to what it is asked."""
        self._server_session.meter.credit(messages)


@implementer(ISockJSSession)
class ServerSession:
    """
    One session, from its first request to its end.  :class:`State` has what each input does
    in each state.

    :param protocol: what is served.
    :param info: the request that opened the session.
    :param options: of the server.
    :param reactor: its clock is used for all deadlines.
    :param slices: of all sessions, for what is too much for one turn of the reactor.
    :param on_end: called with the session when it has ended.
    :param buffers: what it and the other sessions hold.
    :param beats: the times of its heartbeats, and of theirs.
    :ivar transport: the protocol's transport.
    :ivar meter: counts all that the client sends.
    :ivar frame_size: the most bytes of a frame from the client.
    """

    __slots__ = (
        "_beating",
        "_beats",
        "_buffers",
        "_bytes_undelivered",
        "_deadline",
        "_flow",
        "_held",
        "_info",
        "_most_undelivered",
        "_on_end",
        "_on_exceeded",
        "_options",
        "_protocol",
        "_reactor",
        "_reading_paused",
        "_reason",
        "_state",
        "frame_size",
        "meter",
        "transport",
    )

    _log = Logger()

    def __init__(
        self,
        protocol: IProtocol,
        info: RequestInfo,
        options: SockJSOptions,
        reactor: IReactorTime,
        slices: Slices,
        on_end: Callable[[ServerSession], object],
        buffers: SharedBuffers,
        beats: Deadlines[ServerSession],
    ) -> None:
        self._reactor = reactor
        self._protocol = protocol
        self._info = info
        self._options = options
        self._on_end = on_end
        self._flow = ProducerFlow(reactor)
        self._beats = beats
        self._beating = False
        self._deadline = Deadline(reactor, self._on_deadline)
        self._state = OPENING
        self._reason: Failure | None = None
        self._reading_paused = False
        self._bytes_undelivered = 0
        self._most_undelivered = sys.maxsize
        self._on_exceeded: Callable[[], object] | None = None
        self._buffers = buffers
        self._held = 0
        self.frame_size = options.max_message_size
        self.meter = InputMeter(reactor, self._input_exceeded)
        self.transport = SessionTransport(self, info, slices)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._info!r}>"

    def limit_input(self, limits: InputLimits, exceeded: Callable[[], object]) -> None:
        """Limit what the client may send, see :meth:`SessionTransport.limit_input`."""
        self.frame_size = min(limits.frame_size, self._options.max_message_size)
        self._most_undelivered = limits.waiting
        self._on_exceeded = exceeded
        self.meter.limit(limits.per_second, limits.burst)

    def seconds_away(self) -> float:
        """For how long nobody has asked for frames; 0 on a connection that stays."""
        return 0.0

    def shed(self) -> None:
        """Close, for all sessions together hold too much; drop it if it is closing already."""
        if self._state is ENDED:
            self.transport.abortConnection()  # drops what waits to be delivered
        elif self._state is CLOSING:
            self.abort()
        else:
            self._overflow()

    def beat(self) -> None:
        """A heartbeat is due, unless what was due before it has stopped that."""
        if self._beating:
            self._beating = False
            self._on_beat()

    def delivered(self) -> None:
        """The protocol has had all messages, and has been told of the end."""
        self._account()

    # -- for subclasses

    def _start(self) -> None:
        """Connect the protocol to its transport, once the ``o`` frame is sent."""
        self._state = OPEN
        self.transport.connect(self._protocol)

    def _deliver(self, messages: list[bytes]) -> None:
        """Deliver the messages of one frame, unless they are too many."""
        self.transport.frames_received += 1
        limit = self._options.max_array_length
        if limit is not None and len(messages) > limit:
            self._log.info(
                "{session} sends too many messages in one frame: closing it",
                event="sockjs.long_array",
                session=self,
                peer=self._info.peer,
            )
            self.transport.close_by_session(*ARRAY_TOO_LONG)
        else:
            self.transport.messages_received(messages)

    def _overflow(self) -> None:
        """Close without sending what waits, which is more than ``max_buffered``."""
        self._log.info(
            "{session} does not read: closing it",
            event="sockjs.slow_reader",
            session=self,
            peer=self._info.peer,
        )
        self.transport.close_by_session(*TOO_SLOW)

    def _input_exceeded(self) -> None:
        """The client sent more than it may; the input that was too much is not delivered."""
        if self._on_exceeded is not None:
            self._on_exceeded()

    def _bytes_held(self) -> int:
        """How many bytes wait here, in and out."""
        raise NotImplementedError

    def _account(self) -> None:
        """Tell how many bytes wait here, for the bound of all sessions together."""
        # A protocol that is paused leaves what came before the end of the session to wait.
        ended = self._state is ENDED
        held = self.transport.bytes_undelivered if ended else self._bytes_held()
        if held != self._held:
            self._held = held
            self._buffers.hold(self, held)

    def _end(self, reason: Failure) -> None:
        """Tell the table and the protocol that the session is over; the first reason counts."""
        if self._state is ENDED:
            return
        self._state = ENDED
        self._stop_beat()
        self._deadline.stop()
        self._flow.stop()
        self._on_end(self)
        self.transport.lost(self._reason or reason)
        self._account()

    def _begin_close(self, code: int, reason: str) -> bool:
        """Note with what this side closes the session; False if its end has begun already."""
        if self._state is CLOSING or self._state is ENDED:
            return False
        self._state = CLOSING
        self._reason = Failure(SockJSClosed(code, reason))
        self._stop_beat()
        self._deadline.stop()
        return True

    def _on_beat(self) -> None:
        """Send a heartbeat: ``heartbeat`` seconds have passed since the last one."""
        raise NotImplementedError

    def _start_beat(self) -> None:
        """Send a heartbeat in ``heartbeat`` seconds."""
        self._stop_beat()
        self._beating = True
        self._beats.add(self, self._options.heartbeat, self._reactor.seconds())

    def _stop_beat(self) -> None:
        if self._beating:
            self._beating = False
            self._beats.remove(self, self._options.heartbeat)

    def _on_deadline(self) -> None:
        """Drop what is left of an orderly close that took too long."""
        self.abort()

    # -- ISockJSSession

    def send(self, messages: list[bytes]) -> None:
        raise NotImplementedError

    def close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    def abort(self) -> None:
        if self._state is not ENDED:
            self._state = CLOSING
            self._reason = self._reason or Failure(ConnectionAborted())
            self._stop_beat()

    def pause_reading(self) -> None:
        raise NotImplementedError

    def resume_reading(self) -> None:
        raise NotImplementedError

    def register_producer(self, producer: object, streaming: bool) -> None:
        self._flow.register(producer, streaming)

    def unregister_producer(self) -> None:
        self._flow.unregister()

    def peer(self) -> IAddress:
        return self._info.peer

    def host(self) -> IAddress:
        return self._info.host
