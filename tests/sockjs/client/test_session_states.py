"""
Every input of a client's session in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import HandshakeRefused, SockJSClosed
from txtokensock.sockjs.client.session import ClientSession, State

from ..states import EveryState, row
from ..test_transport import Events

CLOSE_TIMEOUT = 5


class Connection:
    """A frame connection that notes what it is told."""

    def __init__(self, note: Callable[[str], None]) -> None:
        self._note = note

    def send(self, messages: list[bytes]) -> None:
        self._note("send")

    def close(self, code: int, reason: str) -> None:
        self._note(f"close:{code}")

    def end(self) -> None:
        self._note("end")

    def abort(self) -> None:
        self._note("abort")

    def pause(self) -> None:
        self._note("pause")

    def resume(self) -> None:
        self._note("resume")

    def register_producer(self, producer: object, streaming: bool) -> None:
        self._note("register")

    def unregister_producer(self) -> None:
        self._note("unregister")

    def peer_address(self) -> Any:
        return "peer"

    def host_address(self) -> Any:
        return "host"


class Stage:
    """
    A session, and everybody who is told something.

    :ivar noted: what they were told, in order.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []
        self.clock = Clock()
        self.protocol = Events()
        factory = Factory.forProtocol(lambda: self.protocol)  # type: ignore[arg-type]
        self.session = ClientSession(factory, self.clock, CLOSE_TIMEOUT, "test")
        self.session.ready.addCallbacks(self._fired("ready"), self._failed("ready"))
        self.session.opened.addCallbacks(self._fired("opened"), self._failed("opened"))

    def _fired(self, name: str) -> Callable[[object], None]:
        return lambda _: self.noted.append(name)

    def _failed(self, name: str) -> Callable[[Failure], None]:
        return lambda failure: self.noted.append(f"{name}:{type(failure.value).__name__}")

    def forget(self) -> None:
        """Note what comes from now on."""
        self.noted.clear()
        self.protocol.events.clear()

    @property
    def state(self) -> State:
        """Where it is."""
        return self.session._state

    @property
    def outcome(self) -> str:
        """What was noted, what the protocol heard, a running deadline, and the state."""
        heard = [
            event.decode() if isinstance(event, bytes) else str(event) if event == "made"
            else f"lost:{type(event).__name__}"
            for event in self.protocol.events
        ]  # fmt: skip
        deadline = ["deadline"] * len(self.clock.getDelayedCalls())
        return " ".join([*self.noted, *heard, *deadline, self.state.name])

    def connect(self) -> None:
        """There is a connection."""
        self.session.connection_made(Connection(self.noted.append))

    def lose(self) -> None:
        """It is gone."""
        self.session.connection_lost(Failure(ConnectionDone()))


def handshake(stage: Stage) -> None:
    """The connection cannot carry frames yet."""
    stage.connect()


def opening(stage: Stage) -> None:
    """The ``o`` has not come."""
    handshake(stage)
    stage.session.connection_open()


def open_(stage: Stage) -> None:
    """Messages go both ways."""
    opening(stage)
    stage.session.frames_received([b"o"])


def given_up(stage: Stage) -> None:
    """Aborted before there was a connection."""
    stage.session.abort()


def refused(stage: Stage) -> None:
    """The server said no before the session was open."""
    opening(stage)
    stage.session.frames_received([b'c[3000,"no"]'])


def closing(stage: Stage) -> None:
    """The protocol closed."""
    open_(stage)
    stage.session.close(1000, "")


def closed_by_server(stage: Stage) -> None:
    """The server did, without a reason that is known."""
    open_(stage)
    stage.session.connection_closing()


def ended(stage: Stage) -> None:
    """Nothing is left."""
    open_(stage)
    stage.lose()


WAYS: dict[str, Callable[[Stage], object]] = {
    "connecting": lambda _: None,
    "handshake": handshake,
    "opening": opening,
    "open": open_,
    "given up": given_up,
    "refused": refused,
    "closing": closing,
    "closed by server": closed_by_server,
    "ended": ended,
}

INPUTS: dict[str, Callable[[Stage], object]] = {
    "connection": Stage.connect,
    "carries": lambda stage: stage.session.connection_open(),
    "session_open": lambda stage: stage.session.session_open(),
    "o": lambda stage: stage.session.frames_received([b"o"]),
    "h": lambda stage: stage.session.frames_received([b"h"]),
    "a": lambda stage: stage.session.frames_received([b'a["m"]']),
    "c": lambda stage: stage.session.frames_received([b'c[3000,"bye"]']),
    "nonsense": lambda stage: stage.session.frames_received([b"?"]),
    "message": lambda stage: stage.session.message_received(b"m"),
    "violation": lambda stage: stage.session.violation("test"),
    "closing": lambda stage: stage.session.connection_closing(SockJSClosed(3000, "")),
    "refusal": lambda stage: stage.session.connection_closing(HandshakeRefused("no")),
    "lost": Stage.lose,
    "deadline": lambda stage: stage.clock.advance(CLOSE_TIMEOUT),
    "send": lambda stage: stage.session.send([b"m"]),
    "close": lambda stage: stage.session.close(3000, ""),
    "abort": lambda stage: stage.session.abort(),
    "cancel_ready": lambda stage: stage.session.ready.cancel(),
    "cancel_opened": lambda stage: stage.session.opened.cancel(),
    "pause": lambda stage: stage.session.pause_reading(),
    "resume": lambda stage: stage.session.resume_reading(),
    "register": lambda stage: stage.session.register_producer(object(), True),
    "unregister": lambda stage: stage.session.unregister_producer(),
}

EXPECTED = {
    "connecting": row(
        INPUTS,
        "CONNECTING",
        connection="HANDSHAKE",
        o="CLOSING",
        a="CLOSING",
        c="CLOSING",
        nonsense="CLOSING",
        violation="CLOSING",
        closing="deadline CLOSING",
        refusal="deadline CLOSING",
        lost="ready:HandshakeRefused ENDED",
        abort="CLOSING",
        cancel_ready="ready:CancelledError CLOSING",
        cancel_opened="opened:CancelledError CLOSING",
    ),
    "handshake": row(
        INPUTS,
        "HANDSHAKE",
        connection="abort HANDSHAKE",
        carries="ready OPENING",
        o="abort CLOSING",
        a="abort CLOSING",
        c="abort CLOSING",
        nonsense="abort CLOSING",
        violation="abort CLOSING",
        closing="deadline CLOSING",
        refusal="deadline CLOSING",
        lost="ready:HandshakeRefused ENDED",
        abort="abort CLOSING",
        cancel_ready="abort ready:CancelledError CLOSING",
        cancel_opened="abort opened:CancelledError CLOSING",
        resume="resume HANDSHAKE",
        register="register HANDSHAKE",
        unregister="unregister HANDSHAKE",
    ),
    "opening": row(
        INPUTS,
        "OPENING",
        connection="abort OPENING",
        session_open="opened made OPEN",
        o="opened made OPEN",
        a="abort CLOSING",
        c="end deadline CLOSING",
        nonsense="abort CLOSING",
        violation="abort CLOSING",
        closing="deadline CLOSING",
        refusal="deadline CLOSING",
        lost="opened:SockJSRefused ENDED",
        abort="abort CLOSING",
        cancel_opened="abort opened:CancelledError CLOSING",
        resume="resume OPENING",
        register="register OPENING",
        unregister="unregister OPENING",
    ),
    "open": row(
        INPUTS,
        "OPEN",
        connection="abort OPEN",
        o="abort CLOSING",
        a="m OPEN",
        c="end deadline CLOSING",
        nonsense="abort CLOSING",
        message="m OPEN",
        violation="abort CLOSING",
        closing="deadline CLOSING",
        refusal="deadline CLOSING",
        lost="lost:ConnectionDone ENDED",
        send="send OPEN",
        close="resume close:3000 deadline CLOSING",
        abort="abort CLOSING",
        pause="pause OPEN",
        resume="resume OPEN",
        register="register OPEN",
        unregister="unregister OPEN",
    ),
    "given up": row(
        INPUTS,
        "CLOSING",
        connection="abort CLOSING",
        lost="ready:CancelledError ENDED",
        cancel_ready="ready:CancelledError CLOSING",
        cancel_opened="opened:CancelledError CLOSING",
    ),
    "refused": row(
        INPUTS,
        "deadline CLOSING",
        connection="abort deadline CLOSING",
        lost="opened:SockJSRefused ENDED",
        deadline="abort CLOSING",
        close="resume close:3000 deadline CLOSING",
        abort="abort deadline CLOSING",
        cancel_opened="abort opened:CancelledError deadline CLOSING",
        resume="resume deadline CLOSING",
        register="register deadline CLOSING",
        unregister="unregister deadline CLOSING",
    ),
    "closing": row(
        INPUTS,
        "deadline CLOSING",
        connection="abort deadline CLOSING",
        lost="lost:SockJSClosed ENDED",
        deadline="abort CLOSING",
        close="resume close:3000 deadline CLOSING",
        abort="abort deadline CLOSING",
        resume="resume deadline CLOSING",
        register="register deadline CLOSING",
        unregister="unregister deadline CLOSING",
    ),
    "closed by server": row(
        INPUTS,
        "deadline CLOSING",
        connection="abort deadline CLOSING",
        lost="lost:ConnectionDone ENDED",
        deadline="abort CLOSING",
        close="resume close:3000 deadline CLOSING",
        abort="abort deadline CLOSING",
        resume="resume deadline CLOSING",
        register="register deadline CLOSING",
        unregister="unregister deadline CLOSING",
    ),
    "ended": row(
        INPUTS,
        "ENDED",
        connection="abort ENDED",
        register="register ENDED",
        unregister="unregister ENDED",
    ),
}
"""
What comes of each input: what the connection was told and which Deferreds fired, what the
protocol heard, whether the deadline runs, and the state after it.
"""

ALIVE = ("connecting", "handshake", "opening", "open")


class ClientSessionStatesTests(EveryState, SynchronousTestCase):
    """All pairs of a state and an input."""

    states, ways, inputs, expected = State, WAYS, INPUTS, EXPECTED

    def new_stage(self) -> Stage:
        return Stage()

    def test_nothing_is_sent_after_the_first_sign_of_an_end(self) -> None:
        """
        Whatever ends a session, of either side: from then on nothing more is sent or
        delivered.
        """
        for way in ALIVE:
            for name, action in INPUTS.items():
                stage = self.stage(way)
                action(stage)
                if stage.state not in (State.CLOSING, State.ENDED):
                    continue
                with self.subTest(state=way, input=name):
                    stage.forget()
                    for late in ("send", "a", "message", "o", "session_open", "carries", "pause"):
                        INPUTS[late](stage)
                    self.assertEqual((stage.noted, stage.protocol.events), ([], []))

    def test_whoever_waits_hears_once(self) -> None:
        """
        Whatever comes in whatever state, when the connection is lost either the protocol
        has heard of the end once, or whoever waited for the session has.
        """
        for way in WAYS:
            for first in INPUTS:
                for second in INPUTS:
                    with self.subTest(state=way, inputs=(first, second)):
                        stage = Stage()
                        WAYS[way](stage)
                        INPUTS[first](stage)
                        INPUTS[second](stage)
                        stage.lose()
                        lost = sum(isinstance(e, Exception) for e in stage.protocol.events)
                        failed = sum(":" in note for note in stage.noted if note[0] in "ro")
                        there = "made" in stage.protocol.events
                        self.assertEqual(lost, int(there))
                        self.assertEqual(stage.noted.count("opened"), int(there))
                        self.assertGreaterEqual(failed, int(not there))
                        self.assertEqual(stage.clock.getDelayedCalls(), [])

    def test_factory_that_cancels(self) -> None:
        """A factory that gives the attempt up gets no session for its protocol."""
        stage = self.stage("opening")

        def build(_: object) -> object:
            stage.session.opened.cancel()
            return stage.protocol

        stage.session._factory.buildProtocol = build  # type: ignore[method-assign, assignment]
        INPUTS["o"](stage)
        self.assertEqual(stage.outcome, "abort opened:CancelledError CLOSING")
        stage.lose()
        self.assertEqual(stage.protocol.events, [])
