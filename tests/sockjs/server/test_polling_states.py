"""
Every input of a polling session in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.server.polling_session import PollingSession
from txtokensock.sockjs.server.session import State
from txtokensock.support.slices import Slices

from ..states import EveryState, row
from .stages import CLOSE_TIMEOUT, DISCONNECT_DELAY, HEARTBEAT, TRANSPORT, Stage


class Stream:
    """A response with frames that notes what it is told."""

    writable = True
    full = False
    written = 0

    def __init__(self, note: Callable[[str], None], *, single: bool) -> None:
        self._note = note
        self._single = single
        self.lost: Callable[[], object] = lambda: None

    def follow(self, lost: Callable[[], object], writable: Callable[[], object]) -> None:
        self.lost = lost

    def write(self, frame: bytes) -> None:
        self._note(frame.decode()[:6])
        self.full = self._single

    def flush(self) -> None:
        """What was written leaves by itself."""

    def finish(self) -> None:
        self._note("finish")

    def abort(self) -> None:
        self._note("abort")


class PollingStage(Stage):
    """A session over HTTP requests."""

    session: PollingSession

    def __init__(self) -> None:
        super().__init__()
        self.session = PollingSession(
            self.protocol,
            self.info,
            self.options,
            self.clock,
            Slices(self.clock),
            self.on_end,
            self.buffers,
            self.beats,
            lambda: self.noted.append("forgotten"),
        )

    def attach(self, *, single: bool) -> None:
        """A request for frames."""
        self.stream: Any = Stream(self.noted.append, single=single)
        self.session.attach(self.stream)

    def receive(self) -> None:
        """A request with a message."""
        reply: Any = lambda status: self.noted.append(str(status))  # noqa: E731
        status = self.session.received([b"m"], 1, lambda: reply)
        if status is not None:
            reply(status)


def polled(stage: PollingStage) -> None:
    """A poll waits for frames."""
    stage.attach(single=True)
    stage.attach(single=True)


def absent(stage: PollingStage) -> None:
    """No request waits for frames."""
    stage.attach(single=True)


def streaming(stage: PollingStage) -> None:
    """A response goes on."""
    stage.attach(single=False)


def holding(stage: PollingStage) -> None:
    """The protocol paused, and a request with a message waits for its answer."""
    streaming(stage)
    stage.session.pause_reading()
    stage.receive()


def unread(stage: PollingStage) -> None:
    """Something was written, and no request is there to take it."""
    absent(stage)
    stage.session.send([b"w"])


def closing(stage: PollingStage) -> None:
    """This side closed, which nobody has fetched yet."""
    absent(stage)
    stage.session.close(1000, "")


def closed(stage: PollingStage) -> None:
    """This side closed, and a request took the news; the protocol hears in a later turn."""
    streaming(stage)
    stage.session.close(1000, "")


def aborted(stage: PollingStage) -> None:
    """This side dropped the session; the protocol hears in a later turn."""
    streaming(stage)
    stage.session.abort()


def ended(stage: PollingStage) -> None:
    """The session is over, and requests may still hear how it ended."""
    closed(stage)
    stage.clock.advance(0)


def forgotten(stage: PollingStage) -> None:
    """Nobody can ask any more."""
    absent(stage)
    stage.clock.advance(DISCONNECT_DELAY)


WAYS: dict[str, Callable[[Any], object]] = {
    "opening": lambda _: None,
    "polled": polled,
    "absent": absent,
    "streaming": streaming,
    "holding": holding,
    "unread": unread,
    "closing": closing,
    "closed": closed,
    "aborted": aborted,
    "ended": ended,
    "forgotten": forgotten,
}
INPUTS: dict[str, Callable[[Any], object]] = {
    "poll": lambda stage: stage.attach(single=True),
    "stream": lambda stage: stage.attach(single=False),
    "message": PollingStage.receive,
    "broken": lambda stage: stage.session._interrupted(),
    "absent": lambda stage: stage.session._on_absence(),
    "turn": lambda stage: stage.clock.advance(0),
    "deadline": lambda stage: stage.clock.advance(CLOSE_TIMEOUT),
    "heartbeat": lambda stage: stage.clock.advance(HEARTBEAT),
    "forget": lambda stage: stage.session.forget(),
    **TRANSPORT,
}

EXPECTED = {
    "opening": row(
        INPUTS,
        "OPENING",
        poll="o finish made 7s OPEN",
        stream="o made 25s OPEN",
        message="204 OPENING",
        broken="counted 7s ENDED",
        absent="counted forgotten ENDED",
        forget="forgotten OPENING",
        close="4s CLOSING",
        abort="0s CLOSING",
    ),
    "polled": row(
        INPUTS,
        "25s OPEN",
        poll="c[2010 finish 25s OPEN",
        stream="c[2010 finish 25s OPEN",
        message="204 m 25s OPEN",
        broken="abort counted lost:ConnectionLost 7s ENDED",
        absent="abort counted forgotten lost:ConnectionLost ENDED",
        deadline="21s OPEN",
        heartbeat="h finish 7s OPEN",
        forget="forgotten 25s OPEN",
        send="0s 25s OPEN",
        close="c[3000 finish 0s 7s CLOSING",
        abort="abort 0s CLOSING",
    ),
    "absent": row(
        INPUTS,
        "7s OPEN",
        poll="25s OPEN",
        stream="25s OPEN",
        message="204 m 7s OPEN",
        broken="counted lost:ConnectionLost 7s ENDED",
        absent="counted forgotten lost:ConnectionLost ENDED",
        deadline="3s OPEN",
        heartbeat="counted forgotten lost:ConnectionLost ENDED",
        forget="forgotten OPEN",
        close="4s 7s CLOSING",
        abort="0s 7s CLOSING",
    ),
    "streaming": row(
        INPUTS,
        "25s OPEN",
        poll="c[2010 finish 25s OPEN",
        stream="c[2010 finish 25s OPEN",
        message="204 m 25s OPEN",
        broken="abort counted lost:ConnectionLost 7s ENDED",
        absent="abort counted forgotten lost:ConnectionLost ENDED",
        deadline="21s OPEN",
        heartbeat="h 25s OPEN",
        forget="forgotten 25s OPEN",
        send="0s 25s OPEN",
        close="c[3000 finish 0s 7s CLOSING",
        abort="abort 0s CLOSING",
    ),
    "holding": row(
        INPUTS,
        "25s OPEN",
        poll="c[2010 finish 25s OPEN",
        stream="c[2010 finish 25s OPEN",
        message="m 25s OPEN",
        broken="abort 404 counted lost:ConnectionLost 7s ENDED",
        absent="abort 404 counted forgotten lost:ConnectionLost ENDED",
        deadline="21s OPEN",
        heartbeat="h 25s OPEN",
        forget="forgotten 25s OPEN",
        send="0s 25s OPEN",
        close="c[3000 finish 0s 7s CLOSING",
        abort="abort 0s CLOSING",
        resume="204 25s OPEN",
    ),
    "unread": row(
        INPUTS,
        "7s OPEN",
        poll='a["w"] finish 7s OPEN',
        stream='a["w"] 25s OPEN',
        message="204 m 7s OPEN",
        broken="counted lost:ConnectionLost 7s ENDED",
        absent="counted forgotten lost:ConnectionLost ENDED",
        deadline="3s OPEN",
        heartbeat="counted forgotten lost:ConnectionLost ENDED",
        forget="forgotten OPEN",
        close="4s 7s CLOSING",
        abort="0s 7s CLOSING",
    ),
    "closing": row(
        INPUTS,
        "4s 7s CLOSING",
        poll="c[1000 finish 0s 7s CLOSING",
        stream="c[1000 finish 0s 7s CLOSING",
        message="204 4s 7s CLOSING",
        broken="counted lost:SockJSClosed 7s ENDED",
        absent="counted forgotten lost:SockJSClosed ENDED",
        deadline="counted lost:SockJSClosed 7s ENDED",
        heartbeat="counted lost:SockJSClosed 7s ENDED",
        forget="forgotten 4s CLOSING",
        abort="0s 7s CLOSING",
    ),
    "closed": row(
        INPUTS,
        "0s 7s CLOSING",
        poll="c[1000 finish 0s 7s CLOSING",
        stream="c[1000 finish 0s 7s CLOSING",
        message="204 0s 7s CLOSING",
        broken="counted lost:SockJSClosed 7s ENDED",
        absent="counted forgotten lost:SockJSClosed ENDED",
        turn="counted lost:SockJSClosed 7s ENDED",
        deadline="counted lost:SockJSClosed 7s ENDED",
        heartbeat="counted lost:SockJSClosed 7s ENDED",
        forget="forgotten 0s CLOSING",
    ),
    "aborted": row(
        INPUTS,
        "0s CLOSING",
        poll="c[1002 finish 0s 7s CLOSING",
        stream="c[1002 finish 0s 7s CLOSING",
        message="204 0s CLOSING",
        broken="counted lost:ConnectionAborted 7s ENDED",
        absent="counted forgotten lost:ConnectionAborted ENDED",
        turn="counted lost:ConnectionAborted 7s ENDED",
        deadline="counted lost:ConnectionAborted 7s ENDED",
        heartbeat="counted lost:ConnectionAborted 7s ENDED",
        forget="forgotten 0s CLOSING",
    ),
    "ended": row(
        INPUTS,
        "7s ENDED",
        poll="c[1000 finish 7s ENDED",
        stream="c[1000 finish 7s ENDED",
        message="204 7s ENDED",
        absent="forgotten ENDED",
        deadline="3s ENDED",
        heartbeat="forgotten ENDED",
        forget="forgotten ENDED",
    ),
    "forgotten": row(
        INPUTS,
        "ENDED",
        poll="c[2010 finish ENDED",
        stream="c[2010 finish ENDED",
        message="204 ENDED",
        absent="forgotten ENDED",
        forget="forgotten ENDED",
    ),
}
"""
What comes of each input: what the session was told and told others, what the protocol heard,
the seconds after which something is due, and the state.
"""


class PollingStatesTests(EveryState, SynchronousTestCase):
    """All pairs of a state and an input."""

    states, ways, inputs, expected = State, WAYS, INPUTS, EXPECTED

    def new_stage(self) -> PollingStage:
        return PollingStage()

    def test_one_end(self) -> None:
        """
        Whatever comes in whatever state: when nobody asks any more, the session is counted
        as ended once, its protocol has heard of it once, every request with a message has
        its answer, and nothing is due.
        """
        for way in WAYS:
            for first in INPUTS:
                for second in INPUTS:
                    with self.subTest(state=way, inputs=(first, second)):
                        stage = PollingStage()
                        WAYS[way](stage)
                        INPUTS[first](stage)
                        INPUTS[second](stage)
                        stage.session._on_absence()
                        lost = sum(isinstance(e, Exception) for e in stage.protocol.events)
                        self.assertEqual(lost, stage.protocol.events.count("made"))
                        self.assertEqual(stage.noted.count("counted"), 1)
                        sent = [way == "holding", first == "message", second == "message"]
                        answers = [note for note in stage.noted if note in ("204", "404")]
                        self.assertEqual(len(answers), sum(sent))
                        self.assertEqual(stage.clock.getDelayedCalls(), [])
