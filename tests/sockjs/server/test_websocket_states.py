"""
Every input of a session over a WebSocket in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.server.session import State
from txtokensock.sockjs.server.websocket_session import WebSocketSession
from txtokensock.support.slices import Slices

from ..states import EveryState, row
from .stages import CLOSE_TIMEOUT, HEARTBEAT, HEARTBEAT_TIMEOUT, TRANSPORT, Stage


class WebSocket:
    """A WebSocket that notes what it is told."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def send_frame(self, frame: bytes) -> None:
        self._note(frame[2:].decode()[:4])

    def ping(self) -> None:
        self._note("ping")

    def close(self, code: int, reason: str) -> None:
        self._note(f"close:{code}")

    def fail(self, code: int, reason: str) -> None:
        self._note(f"fail:{code}")

    def abort(self) -> None:
        self._note("abort")

    def pause(self) -> None:
        self._note("pause")

    def resume(self) -> None:
        self._note("resume")


class WebSocketStage(Stage):
    """A session over a WebSocket."""

    session: WebSocketSession

    def __init__(self) -> None:
        super().__init__()
        self.session = WebSocketSession(
            self.protocol,
            self.info,
            self.options,
            self.clock,
            Slices(self.clock),
            self.on_end,
            self.buffers,
            self.beats,
        )

    def open(self) -> None:
        """The handshake is done."""
        websocket: Any = WebSocket(self.noted.append)
        self.session.websocket_open(websocket)

    def lose(self) -> None:
        """The WebSocket is gone."""
        self.session.websocket_lost(Failure(ConnectionDone()))


def open_(stage: WebSocketStage) -> None:
    """Messages go both ways."""
    stage.open()


def full(stage: WebSocketStage) -> None:
    """The TCP buffer is full."""
    stage.open()
    stage.session.buffer_full()


def pinged(stage: WebSocketStage) -> None:
    """A ping has not been answered yet."""
    stage.open()
    stage.clock.advance(HEARTBEAT)


def closing(stage: WebSocketStage) -> None:
    """This side closed."""
    stage.open()
    stage.session.close(1000, "")


def flushing(stage: WebSocketStage) -> None:
    """This side closed, and what was written before has to leave first."""
    full(stage)
    stage.session.send([b"m"])
    stage.session.close(1000, "")


def closed_by_peer(stage: WebSocketStage) -> None:
    """The other side did."""
    stage.open()
    stage.session.websocket_closing()


def aborted(stage: WebSocketStage) -> None:
    """This side dropped the WebSocket."""
    stage.open()
    stage.session.abort()


def ended(stage: WebSocketStage) -> None:
    """Nothing is left."""
    stage.open()
    stage.lose()


WAYS: dict[str, Callable[[Any], object]] = {
    "opening": lambda _: None,
    "open": open_,
    "full": full,
    "pinged": pinged,
    "closing": closing,
    "flushing": flushing,
    "closed by peer": closed_by_peer,
    "aborted": aborted,
    "ended": ended,
}
INPUTS: dict[str, Callable[[Any], object]] = {
    "open": WebSocketStage.open,
    "bytes": lambda stage: stage.session.bytes_received(),
    "message": lambda stage: stage.session.texts_received([b'["m"]']),
    "binary": lambda stage: stage.session.binary_received(b""),
    "nonsense": lambda stage: stage.session.texts_received([b"{}"]),
    "not_utf8": lambda stage: stage.session.texts_received([b'["\xff"]']),
    "pong": lambda stage: stage.session.activity(),
    "buffer_full": lambda stage: stage.session.buffer_full(),
    "buffer_empty": lambda stage: stage.session.buffer_empty(),
    "closing": lambda stage: stage.session.websocket_closing(),
    "lost": WebSocketStage.lose,
    "heartbeat": lambda stage: stage.clock.advance(HEARTBEAT),
    "silence": lambda stage: stage.clock.advance(HEARTBEAT_TIMEOUT),
    "deadline": lambda stage: stage.clock.advance(CLOSE_TIMEOUT),
    **TRANSPORT,
}

EXPECTED = {
    "opening": row(
        INPUTS,
        "OPENING",
        open="o made 25s OPEN",
        closing="4s CLOSING",
        lost="counted ENDED",
        close="CLOSING",
        abort="CLOSING",
    ),
    "open": row(
        INPUTS,
        "25s OPEN",
        open="abort 25s OPEN",
        message="m 25s OPEN",
        binary="resume close:3000 4s CLOSING",
        nonsense="resume close:3000 4s CLOSING",
        not_utf8="resume fail:1007 4s CLOSING",
        closing="resume 4s CLOSING",
        lost="counted lost:ConnectionDone ENDED",
        heartbeat="h ping 10s 25s OPEN",
        silence="15s OPEN",
        deadline="21s OPEN",
        send='a["m 25s OPEN',
        close="resume c[30 close:1000 4s CLOSING",
        abort="abort CLOSING",
        pause="pause 25s OPEN",
        resume="resume 25s OPEN",
    ),
    "full": row(
        INPUTS,
        "25s OPEN",
        open="abort 25s OPEN",
        message="m 25s OPEN",
        binary="resume close:3000 4s CLOSING",
        nonsense="resume close:3000 4s CLOSING",
        not_utf8="resume fail:1007 4s CLOSING",
        closing="resume 4s CLOSING",
        lost="counted lost:ConnectionDone ENDED",
        silence="15s OPEN",
        deadline="21s OPEN",
        close="resume 4s CLOSING",
        abort="abort CLOSING",
        pause="pause 25s OPEN",
        resume="resume 25s OPEN",
    ),
    "pinged": row(
        INPUTS,
        "10s 25s OPEN",
        open="abort 10s 25s OPEN",
        message="m 10s 25s OPEN",
        binary="resume close:3000 4s CLOSING",
        nonsense="resume close:3000 4s CLOSING",
        not_utf8="resume fail:1007 4s CLOSING",
        buffer_full="25s OPEN",
        closing="resume 4s CLOSING",
        lost="counted lost:ConnectionDone ENDED",
        heartbeat="h ping 10s 25s OPEN",  # noticed as late as that, the peer is asked again
        silence="resume c[30 close:1000 4s CLOSING",
        deadline="21s 6s OPEN",
        send='a["m 10s 25s OPEN',
        close="resume c[30 close:1000 4s CLOSING",
        abort="abort CLOSING",
        pause="pause 10s 25s OPEN",
        resume="resume 10s 25s OPEN",
    ),
    "closing": row(
        INPUTS,
        "4s CLOSING",
        open="abort 4s CLOSING",
        closing="resume 4s CLOSING",
        lost="counted lost:SockJSClosed ENDED",
        heartbeat="abort CLOSING",
        silence="abort CLOSING",
        deadline="abort CLOSING",
        abort="abort 4s CLOSING",
        resume="resume 4s CLOSING",
    ),
    "flushing": row(
        INPUTS,
        "4s CLOSING",
        open="abort 4s CLOSING",
        buffer_empty='a["m c[10 close:1000 4s CLOSING',
        closing="resume 4s CLOSING",
        lost="counted lost:SockJSClosed ENDED",
        heartbeat="abort CLOSING",
        silence="abort CLOSING",
        deadline="abort CLOSING",
        abort="abort 4s CLOSING",
        resume="resume 4s CLOSING",
    ),
    "closed by peer": row(
        INPUTS,
        "4s CLOSING",
        open="abort 4s CLOSING",
        closing="resume 4s CLOSING",
        lost="counted lost:ConnectionDone ENDED",
        heartbeat="abort CLOSING",
        silence="abort CLOSING",
        deadline="abort CLOSING",
        abort="abort 4s CLOSING",
        resume="resume 4s CLOSING",
    ),
    "aborted": row(
        INPUTS,
        "CLOSING",
        open="abort CLOSING",
        closing="resume 4s CLOSING",
        lost="counted lost:ConnectionAborted ENDED",
        abort="abort CLOSING",
        resume="resume CLOSING",
    ),
    "ended": row(
        INPUTS,
        "ENDED",
        open="abort ENDED",
    ),
}
"""
What comes of each input: what the WebSocket was told and told others, what the protocol heard,
the seconds after which something is due, and the state.
"""


class WebSocketStatesTests(EveryState, SynchronousTestCase):
    """All pairs of a state and an input."""

    states, ways, inputs, expected = State, WAYS, INPUTS, EXPECTED

    def new_stage(self) -> WebSocketStage:
        return WebSocketStage()

    def test_one_end(self) -> None:
        """
        Whatever comes in whatever state: when the WebSocket is lost, the session is counted
        as ended once, its protocol has heard of it once, and nothing is due.
        """
        for way in WAYS:
            for first in INPUTS:
                for second in INPUTS:
                    with self.subTest(state=way, inputs=(first, second)):
                        stage = WebSocketStage()
                        WAYS[way](stage)
                        INPUTS[first](stage)
                        INPUTS[second](stage)
                        stage.lose()
                        lost = sum(isinstance(e, Exception) for e in stage.protocol.events)
                        self.assertEqual(lost, stage.protocol.events.count("made"))
                        self.assertEqual(stage.noted.count("counted"), 1)
                        self.assertEqual(stage.clock.getDelayedCalls(), [])
