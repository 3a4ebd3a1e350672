"""
Sessions over HTTP requests: clients post their messages, and poll for the server's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import NO_CONTENT, NOT_FOUND, SERVICE_UNAVAILABLE

from ...support.deadlines import Deadlines
from ...support.slices import Slices
from ...support.timeouts import transfer_time
from ...support.timer import Deadline, NextTurn
from ..frames import (
    HEARTBEAT_FRAME,
    INTERRUPTED,
    OPEN_FRAME,
    STILL_OPEN,
    TOO_SLOW,
    encode_client_frame,
    encode_close_frame,
)
from .input_meter import EMPTY, MALFORMED, MESSAGES, SPARE_POLL
from .options import SockJSOptions
from .request_info import RequestInfo
from .session import ENDED, OPEN, OPENING, ServerSession
from .shared_buffers import SharedBuffers
from .stream import FrameStream

__all__ = ["PollingSession"]

_STILL_OPEN = encode_close_frame(*STILL_OPEN)
_INTERRUPTED = encode_close_frame(*INTERRUPTED)

_HIGH_WATER = 64 * 1024
"""Bytes that may wait for a request; above that the protocol's producer is paused."""

_IDLE_BEATS = 4
"""
Heartbeats in a row after which a streaming response is ended: only the client's next request
shows that it still reads.
"""

_STALLED_BEATS = 12
"""
Heartbeats within which the full TCP buffer of a response must drain, or as many as a slow link
takes for the response.
"""

Reply: TypeAlias = Callable[[int], object]


class PollingSession(ServerSession):
    """
    A session whose client comes and goes.  It ends when there was no request for frames for
    ``disconnect_delay`` seconds, besides those that a slow link takes for the last response, or
    when the connection of a response is lost, since the client may have missed frames then.

    What is written waits for a request, and goes in one frame with everything written in the
    same turn of the reactor.  For ``disconnect_delay`` seconds after the end, requests are
    answered with the close frame.

    :param on_forgotten: called when requests are not to find the session any more.
    """

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
        on_forgotten: Callable[[], object],
    ) -> None:
        super().__init__(protocol, info, options, reactor, slices, on_end, buffers, beats)
        self._on_forgotten = on_forgotten
        self._stream: FrameStream | None = None
        self._quiet_beats = 0
        self._receiving = False  # what is written now leaves at the end of it
        self._waiting: deque[bytes] = deque()
        self._bytes_waiting = 0
        self._close_frame: bytes | None = None
        self._next_turn = NextTurn(reactor, self._flush)
        self._absence = Deadline(reactor, self._on_absence)
        self._seconds = reactor.seconds
        self._replies: list[Reply] = []

    # -- requests

    def attach(self, stream: FrameStream) -> None:
        """Write frames into a response, from now on until it is full."""
        if self._stream is not None:
            self.meter.count(SPARE_POLL)
        if self._state is ENDED or self._stream is not None:
            stream.write(_STILL_OPEN if self._close_frame is None else self._close_frame)
            stream.finish()
            return
        self.transport.frames_received += 1
        self._absence.stop()
        self._stream = stream
        self._quiet_beats = 0
        stream.follow(self._interrupted, self._flush)
        self._start_beat()
        if self._state is OPENING:
            self._write(OPEN_FRAME)
            self._start()
        self._flush()

    def received(self, messages: list[bytes], size: int, wait: Callable[[], Reply]) -> int | None:
        """
        Take the messages of one request.

        :param size: bytes of the request's body.
        :param wait: called if the answer has to wait; what it returns is called with the
            status then: 204 as soon as the protocol reads, 404 if the session ends before.
        :return: the HTTP status: 204 if the protocol reads, 503 if too much waits for the
            protocol already and the messages were not taken; None where the answer has to wait.
        """
        if self._state is not OPEN:
            return NO_CONTENT  # the client may not have got the close frame yet
        kind = MESSAGES if messages else EMPTY
        if not self.meter.count(kind, size, len(messages)):
            return NO_CONTENT
        most = min(self._most_undelivered, self._options.max_buffered)
        if self._reading_paused and self._bytes_undelivered + size > most:
            return SERVICE_UNAVAILABLE
        self._receiving = True
        self._deliver(messages)
        self._receiving = False
        if self._waiting:
            self._flush()  # what they provoked leaves with them
        if not self._reading_paused or self._state is ENDED:
            return NO_CONTENT
        self._replies.append(wait())
        self._bytes_undelivered += size
        self._account()
        return None

    def refused(self, size: int) -> None:
        """
        A request of the client's is answered with an error: it has no messages, or too many
        bytes.

        :param size: bytes of the request's body.
        """
        if self._state is OPEN:
            self.meter.count(MALFORMED, size)

    def seconds_away(self) -> float:
        if not self._absence.running or self._waiting:
            return 0.0
        left = self._absence.due - self._seconds()
        return max(0.0, self._options.disconnect_delay - left)

    def forget(self) -> None:
        """Let requests find the session no longer."""
        self._absence.stop()
        self._on_forgotten()

    def _detach(self) -> None:
        """End the response; the client has to send another request."""
        assert self._stream is not None
        stream, self._stream = self._stream, None
        self._stop_beat()
        self._absence.start(self._options.disconnect_delay + transfer_time(stream.written))
        stream.finish()

    def _interrupted(self) -> None:
        """End the session: a response was lost, or is not being read."""
        self._close_frame = self._close_frame or _INTERRUPTED
        self._end(Failure(ConnectionLost("the connection of a response was lost")))

    def _on_absence(self) -> None:
        """End the session: no request for frames came for ``disconnect_delay`` seconds."""
        self._close_frame = None
        self._end(Failure(ConnectionLost("the client sent no further request for frames")))
        self.forget()

    # -- sending

    def send(self, messages: list[bytes]) -> None:
        texts = encode_client_frame(messages)[1:-1]
        if self._state is not OPEN:
            return
        self._waiting.append(texts)
        self._bytes_waiting += len(texts)
        if self._bytes_waiting > self._options.max_buffered:
            self._overflow()
            return
        self._account()
        if self._bytes_waiting > _HIGH_WATER:
            self._flow.hold()
        if self._stream is not None and not self._receiving:
            self._next_turn.schedule()

    def _flush(self) -> None:
        self._next_turn.cancel()
        while self._waiting and self._can_write():
            self._quiet_beats = 0
            self._write(self._take())
        if self._stream is not None:
            self._stream.flush()
        self._account()
        if self._waiting:
            return
        self._flow.release()
        if self._close_frame is not None and self._can_write():
            self._write(self._close_frame)
            if self._stream is not None:
                self._detach()
            self._deadline.start(0)  # connectionLost comes in a later turn, as with TCP

    def _can_write(self) -> bool:
        return self._stream is not None and self._stream.writable

    def _take(self) -> bytes:
        """One frame of what waits, at least one piece, up to about ``response_limit`` bytes."""
        texts = []
        size = 0
        while self._waiting and size < self._options.response_limit:
            texts.append(self._waiting.popleft())
            size += len(texts[-1])
        self._bytes_waiting -= size
        return b"a[" + b",".join(texts) + b"]"

    def _write(self, frame: bytes) -> None:
        assert self._stream is not None
        self._stream.write(frame)
        if self._stream is not None and self._stream.full:
            self._detach()

    def _on_beat(self) -> None:
        self._quiet_beats += 1
        if self._can_write():
            self._write(HEARTBEAT_FRAME)
            if self._stream is not None and self._quiet_beats >= _IDLE_BEATS:
                self._detach()
        elif self._quiet_beats >= _STALLED_BEATS and self._stream is not None:
            stall = self._quiet_beats * self._options.heartbeat
            if stall > transfer_time(self._stream.written):
                self._interrupted()
        if self._stream is not None:
            self._start_beat()

    # -- the end

    def close(self, code: int, reason: str) -> None:
        if not self._begin_close(code, reason):
            return
        self._close_frame = encode_close_frame(code, reason)
        if (code, reason) == TOO_SLOW:
            self._drop_waiting()
        self._deadline.start(self._options.close_timeout)
        self._flush()

    def abort(self) -> None:
        super().abort()
        if self._state is not ENDED:
            self._close_frame = _INTERRUPTED
            self._drop_all()
            self._deadline.start(0)  # connectionLost comes in a later turn, as with TCP

    def _on_deadline(self) -> None:
        assert self._reason is not None
        self._end(self._reason)

    def _end(self, reason: Failure) -> None:
        if self._state is ENDED:
            return
        self._drop_all()
        if self._close_frame is not None:
            self._absence.start(self._options.disconnect_delay)
        self._let_go(NOT_FOUND)
        super()._end(reason)

    def _drop_all(self) -> None:
        """Drop what waits, and the connection of an open response."""
        self._next_turn.cancel()
        self._stop_beat()
        self._drop_waiting()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.abort()

    def _drop_waiting(self) -> None:
        self._waiting.clear()
        self._bytes_waiting = 0

    def _bytes_held(self) -> int:
        return self._bytes_waiting + self._bytes_undelivered

    # -- reading

    def pause_reading(self) -> None:
        self._reading_paused = True

    def resume_reading(self) -> None:
        self._reading_paused = False
        self._let_go(NO_CONTENT)
        self._account()

    def _let_go(self, status: int) -> None:
        replies, self._replies = self._replies, []
        self._bytes_undelivered = 0
        for reply in replies:
            reply(status)
