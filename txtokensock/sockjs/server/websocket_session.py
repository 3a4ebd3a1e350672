"""
Sessions over a WebSocket: with SockJS frames, as browsers speak, and raw.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import chain

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol, IReactorTime
from twisted.python.failure import Failure

from ...errors import InvalidData
from ...support.deadlines import Deadlines
from ...support.in_transit import InTransit
from ...support.slices import Slices
from ...support.timeouts import transfer_time
from ..frames import (
    HEARTBEAT_FRAME,
    NO_HEARTBEAT,
    NORMAL_CLOSURE,
    OPEN_FRAME,
    TOO_SLOW,
    FrameError,
    decode_client_frame,
    decode_client_frames,
    encode_close_frame,
    encode_server_frame,
    is_utf8,
)
from ..text_frames import text_frame
from ..websocket import WebSocketConnection
from .input_meter import EMPTY, MESSAGES, PIECE, PING, InputLimits
from .options import SockJSOptions
from .request_info import RequestInfo
from .session import CLOSING, ENDED, OPEN, OPENING, ServerSession
from .shared_buffers import SharedBuffers

__all__ = ["RawWebSocketSession", "WebSocketSession"]

BROKEN_FRAMING = (3000, "Broken framing.")
"""How the WebSocket of a peer that sends invalid frames is closed, as by sockjs-node 0.3.24."""

_NOT_UTF8 = (1007, "a text message that is not UTF-8")
"""The same for a text that is none: RFC 6455 section 8.1."""

_LONGEST_STALL = 12
"""
Heartbeats within which a full write buffer must drain if nothing comes in, or as many as a slow
link takes for it.
"""


_OPEN = text_frame(OPEN_FRAME)
_HEARTBEAT = text_frame(HEARTBEAT_FRAME)


_FREE_PONGS = 3
"""In the time of a beat: the pong that it asks for, and two of the client's own pings."""


class _LastFrame:
    """
    The frame that was made last.  What is published goes to one peer after the other, and is
    made into a frame once: equal frames share their bytes.
    """

    def __init__(self) -> None:
        self._messages: list[bytes] = []
        self._frames: list[bytes] = []

    def frames(self, messages: list[bytes]) -> list[bytes]:
        """:return: the frame of messages, which are not changed any more."""
        if messages != self._messages:
            self._frames = [text_frame(encode_server_frame(messages))]
            self._messages = messages
        return self._frames


_last_frame = _LastFrame()


class WebSocketSession(ServerSession):
    """
    A session of SockJS frames over a WebSocket; it ends when the WebSocket does.

    What the TCP buffer has no room for waits here, where its bytes are counted.  A peer counts
    as dead if nothing at all comes from it for ``heartbeat_timeout`` seconds after a ping has
    left the write buffer, and for as long as a slow link takes for what was sent before, so that
    a peer that takes long to read a large message does not.
    (sockjs-node counts from the ping, and cuts slow readers off: its pull request 169.)
    """

    __slots__ = (
        "_buffer_full",
        "_bytes_in_buffer",
        "_bytes_unfinished",
        "_bytes_waiting",
        "_close_with",
        "_free_pongs",
        "_in_transit",
        "_pinged",
        "_pong_time",
        "_stalled",
        "_waiting",
        "_websocket",
        "slices",
    )

    _violation_close = BROKEN_FRAMING

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
        super().__init__(protocol, info, options, reactor, slices, on_end, buffers, beats)
        self.slices = slices
        self._websocket: WebSocketConnection | None = None
        self._waiting: deque[bytes] | tuple[()] = ()  # an empty deque takes 760 bytes
        self._bytes_waiting = 0
        self._bytes_in_buffer = 0
        self._bytes_unfinished = 0
        self._buffer_full = False
        self._stalled = 0
        self._in_transit = InTransit(reactor)
        self._pong_time = options.heartbeat_timeout
        self._pinged = False
        self._free_pongs = 0
        self._close_with: tuple[int, str] | None = None

    # -- for the WebSocket

    def websocket_open(self, websocket: WebSocketConnection) -> None:
        """Start the session: the WebSocket is open."""
        if self._state is not OPENING:
            websocket.abort()
            return
        self._websocket = websocket
        self._open()
        self._start_beat()
        self._start()

    def bytes_received(self) -> None:
        """The peer is alive, whatever the bytes are."""
        self._pinged = False
        self._stalled = 0

    def texts_received(self, payloads: list[bytes]) -> None:
        """Take the text messages of one read, in order, as long as they are not too many."""
        if self._state is OPEN and not self._reading_paused:
            messages = self._messages_of(payloads)
            if messages is not None:
                self._deliver_together(len(payloads), messages)
                return
        for payload in payloads:
            if not self._text_received(payload):
                return

    def _messages_of(self, payloads: list[bytes]) -> list[bytes] | None:
        """
        :return: the messages of frames as most are; None, with nothing counted, if there is more
            to say of one of them.
        """
        try:
            frames = self._decode_all(payloads)
        except FrameError:
            return None
        most = self._options.max_array_length
        if not all(frames) or (most is not None and max(map(len, frames)) > most):
            return None
        # Only one that comes alone can be so large that its size counts.
        if len(payloads) == 1:
            messages, size = frames[0], len(payloads[0])
        else:
            messages, size = list(chain.from_iterable(frames)), 0
        return messages if self.meter.has_room(MESSAGES, size, len(messages)) else None

    def _deliver_together(self, frames: int, messages: list[bytes]) -> None:
        self.transport.frames_received += frames
        self.transport.messages_received(messages)
        if self._reading_paused:
            self._bytes_undelivered = self.transport.bytes_undelivered
            self._account()
            if self._bytes_undelivered > self._most_undelivered:
                self._input_exceeded()

    def _text_received(self, payload: bytes) -> bool:
        """:return: whether to go on with the next."""
        size = len(payload)
        if self._state is not OPEN:
            return self.meter.count(MESSAGES, size)
        try:
            messages = self._decode(payload)
        except FrameError:
            self._violation(*(self._violation_close if is_utf8(payload) else _NOT_UTF8))
            return True
        if not self.meter.count(MESSAGES if messages else EMPTY, size, len(messages)):
            return False
        if self._reading_paused and self._bytes_undelivered + size > self._most_undelivered:
            self._input_exceeded()
            return False
        self._deliver(messages)
        if self._reading_paused:
            self._bytes_undelivered += size
            self._account()
        return True

    def binary_received(self, _: bytes) -> None:
        """Close: SockJS has no binary messages."""
        if self._state is OPEN:
            self._violation(*self._violation_close)
        else:
            self.meter.count(MESSAGES)

    def activity(self) -> None:
        """Count pings and pongs beyond the few of a beat; all show that the peer is alive."""
        self.transport.frames_received += 1
        if self._free_pongs:
            self._free_pongs -= 1
        else:
            self.meter.count(PING)

    def piece_received(self) -> None:
        """Count a frame that goes on with a message."""
        self.transport.frames_received += 1
        self.meter.count(PIECE)

    def unfinished(self, size: int) -> None:
        """So many bytes of a message have come that is not complete."""
        self._bytes_unfinished = size
        self._account()

    def buffer_full(self) -> None:
        """Let frames wait here, for the TCP buffer is full."""
        self._buffer_full = True
        self._await_nothing()
        self._flow.hold()

    def buffer_empty(self) -> None:
        """Send the frames that waited, for the TCP buffer has drained."""
        self._buffer_full = False
        self._bytes_in_buffer = 0
        self._stalled = 0
        self._flush()
        self._account()
        if not self._buffer_full:
            self._flow.release()
            if self._pinged and self._state is OPEN:
                self._deadline.start(self._pong_time)

    def websocket_closing(self) -> None:
        """Start the deadline of the closing handshake, which either side has begun."""
        if self._state is ENDED:
            return
        self._await_nothing()
        self._state = CLOSING
        self.transport.closing(self._reason or Failure(ConnectionDone("the client closes")))
        self._stop_beat()
        if not self._deadline.running:
            self._deadline.start(self._options.close_timeout)
        if self._websocket is not None:
            self._websocket.resume()  # otherwise the peer's close frame would not be read

    def websocket_lost(self, reason: Failure) -> None:
        """End the session: the WebSocket is closed, or lost."""
        self._drop_waiting()
        self._end(reason)

    # -- framing

    def _open(self) -> None:
        self._put(_OPEN)

    def _decode(self, payload: bytes) -> list[bytes]:
        return decode_client_frame(payload) if payload else []

    def _decode_all(self, payloads: list[bytes]) -> list[list[bytes]]:
        return decode_client_frames(payloads)

    _encode: Callable[[list[bytes]], list[bytes]] = staticmethod(_last_frame.frames)

    def _last_words(self, code: int, reason: str) -> tuple[list[bytes], tuple[int, str]]:
        """The frames that announce the close, and the code and reason of the WebSocket's."""
        # sockjs-node 0.3.24: whatever the c frame says, the WebSocket is closed with 1000.
        return [text_frame(encode_close_frame(code, reason))], NORMAL_CLOSURE

    def _sign_of_life(self) -> None:
        self._put(_HEARTBEAT)

    # -- sending

    def send(self, messages: list[bytes]) -> None:
        frames = self._encode(messages)
        if self._state is OPEN:
            for frame in frames:
                self._put(frame)
            waiting = self._bytes_waiting + self._bytes_in_buffer
            if waiting > self._options.max_buffered:
                self._overflow()
            elif waiting:
                self._account()

    def _put(self, frame: bytes) -> None:
        if self._websocket is None or self._buffer_full or self._waiting:
            self._wait(frame)
        else:
            self._transmit(self._websocket, frame)

    def _wait(self, frame: bytes) -> None:
        if self._waiting:
            self._waiting.append(frame)
        else:
            self._waiting = deque((frame,))
        self._bytes_waiting += len(frame)

    def _transmit(self, websocket: WebSocketConnection, frame: bytes) -> None:
        size = len(frame)
        self._in_transit.sent += size
        websocket.send_frame(frame)
        if self._buffer_full:
            self._bytes_in_buffer = size

    def _flush(self) -> None:
        if self._websocket is None:
            return
        while self._waiting and not self._buffer_full:
            frame = self._waiting.popleft()
            self._bytes_waiting -= len(frame)
            self._transmit(self._websocket, frame)
        if not self._waiting:
            self._waiting = ()
        if self._close_with is not None and not self._waiting:
            close_with, self._close_with = self._close_with, None
            self._websocket.close(*close_with)

    def _drop_waiting(self) -> None:
        self._waiting = ()
        self._bytes_waiting = 0
        self._account()

    # -- heartbeats

    def _on_beat(self) -> None:
        assert self._websocket is not None
        self._start_beat()
        if self._buffer_full:
            self._stalled += 1
            stall = self._stalled * self._options.heartbeat
            if self._stalled >= _LONGEST_STALL and stall > transfer_time(self._bytes_in_buffer):
                self.transport.close_by_session(*NO_HEARTBEAT)
            return
        self._sign_of_life()
        self._websocket.ping()
        deadline = self._deadline
        awaited = self._pinged and deadline.running and not deadline.held_up
        self._pinged, self._free_pongs = True, _FREE_PONGS
        self._pong_time = self._options.heartbeat_timeout + self._in_transit.delay()
        if not (self._buffer_full or awaited):  # the answer to the ping before has its time
            deadline.start(self._pong_time)

    def _await_nothing(self) -> None:
        """While the session is open, its deadline is that of an answer to a ping."""
        if self._state is OPEN:
            self._deadline.stop()

    def _on_deadline(self) -> None:
        if self._state is not OPEN:
            super()._on_deadline()
        elif self._pinged and not self._reading_paused:  # or an answer would not be read
            self.transport.close_by_session(*NO_HEARTBEAT)

    # -- the end

    def close(self, code: int, reason: str) -> None:
        if not self._begin_close(code, reason) or self._websocket is None:
            return
        self.websocket_closing()
        if (code, reason) == TOO_SLOW:
            self._drop_waiting()
        frames, self._close_with = self._last_words(code, reason)
        for frame in frames:
            self._wait(frame)
        self._flush()

    def _violation(self, code: int, reason: str) -> None:
        """Close the WebSocket without a ``c`` frame: the peer sent an invalid one."""
        if self._begin_close(code, reason) and self._websocket is not None:
            self.websocket_closing()
            self._drop_waiting()
            if code == _NOT_UTF8[0]:
                self._websocket.fail(code, reason)
            else:
                self._websocket.close(code, reason)

    def abort(self) -> None:
        self._await_nothing()
        super().abort()
        if self._websocket is not None and self._state is not ENDED:
            self._websocket.abort()

    def _input_exceeded(self) -> None:
        super()._input_exceeded()
        if self._websocket is not None:
            self._websocket.ignore_input()

    def shed(self) -> None:
        super().shed()
        if self._websocket is not None:
            self._websocket.ignore_input()

    # -- reading

    def pause_reading(self) -> None:
        self._reading_paused = True
        if self._websocket is not None and self._state is OPEN:
            self._websocket.pause()

    def resume_reading(self) -> None:
        self._reading_paused = False
        self._bytes_undelivered = 0
        self._account()
        if self._websocket is not None and self._state is not ENDED:
            self._websocket.resume()

    def limit_input(self, limits: InputLimits, exceeded: Callable[[], object]) -> None:
        super().limit_input(limits, exceeded)
        if self._websocket is not None:
            self._websocket.limit_messages(self.frame_size)

    def _bytes_held(self) -> int:
        waiting = self._bytes_waiting + self._bytes_in_buffer
        return waiting + self._bytes_undelivered + self._bytes_unfinished


class RawWebSocketSession(WebSocketSession):
    """
    A session without SockJS frames: a WebSocket message is a message, the close is the
    WebSocket's own, and the heartbeat is a WebSocket ping alone (sockjs-node has none).
    """

    __slots__ = ()

    _violation_close = (3000, "Only text in UTF-8 is understood.")

    def _open(self) -> None:
        pass

    def _decode(self, payload: bytes) -> list[bytes]:
        if not is_utf8(payload):
            raise FrameError("a text message that is not UTF-8")
        return [payload]

    def _decode_all(self, payloads: list[bytes]) -> list[list[bytes]]:
        return [self._decode(payload) for payload in payloads]

    def _encode(self, messages: list[bytes]) -> list[bytes]:
        try:
            for message in messages:
                message.decode()
        except UnicodeDecodeError:
            raise InvalidData("a SockJS message must be text in UTF-8") from None
        return [text_frame(message) for message in messages]

    def _last_words(self, code: int, reason: str) -> tuple[list[bytes], tuple[int, str]]:
        return [], (code, reason)

    def _sign_of_life(self) -> None:
        pass
