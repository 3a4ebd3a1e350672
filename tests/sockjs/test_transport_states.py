"""
Every input of a SockJS transport in every state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txtokensock.sockjs import ISockJSProtocol
from txtokensock.sockjs.transport import SockJSTransport, State

from .states import EveryState
from .test_transport import Events, Session


@implementer(ISockJSProtocol)
class Told(Events):
    """A protocol that is told of an end before it has come."""

    def connectionClosing(self, reason: Failure) -> None:
        self.events.append(f"closing:{type(reason.value).__name__}")


class Stage:
    """
    A transport in some state, with what was noted before forgotten.

    :ivar heard: what the protocol heard.
    """

    def __init__(self) -> None:
        self.session = Session()
        self.transport = SockJSTransport(self.session)
        self.protocol = Told()

    @property
    def outcome(self) -> str:
        """What the session was told, what the protocol heard, and the state."""
        told = [self._word(call) for call in self.session.calls]
        heard = [self._word(event) for event in self.protocol.events]
        return " ".join([*told, "|", *heard, "|", self.state.name])

    @property
    def state(self) -> State:
        """Where it is."""
        return self.transport._state

    def _word(self, noted: Any) -> str:
        match noted:
            case bytes():
                return str(noted.decode())
            case (int() | str() as code, _):
                return f"close:{code}"
            case [*messages]:
                return "send:" + ",".join(message.decode() for message in messages)
            case Exception():
                return type(noted).__name__
        return str(noted)

    def forget(self) -> None:
        """Note what comes from now on."""
        self.session.calls.clear()
        self.protocol.events.clear()

    def end(self, reason: Exception) -> None:
        """The session is over."""
        self.transport.ended(Failure(reason))

    def raising(self) -> None:
        """A message at which the protocol raises."""

        def react(_: bytes) -> None:
            raise ZeroDivisionError

        self.protocol.react = react
        self.transport.messages_received([b"x", b"y"])


def waiting(stage: Stage) -> None:
    """No protocol, and a message that waits for one."""
    stage.transport.messages_received([b"early"])


def open_(stage: Stage) -> None:
    """Messages go both ways."""
    stage.transport.connect(stage.protocol)


def paused(stage: Stage) -> None:
    """They wait, for the protocol paused."""
    open_(stage)
    stage.transport.pauseProducing()
    stage.transport.messages_received([b"a"])


def half_closed(stage: Stage) -> None:
    """The other side closes."""
    open_(stage)
    stage.transport.closing(Failure(ConnectionLost()))


def half_closed_paused(stage: Stage) -> None:
    """So it does while a message waits."""
    paused(stage)
    stage.transport.closing(Failure(ConnectionLost()))


def closing(stage: Stage) -> None:
    """The protocol closed."""
    open_(stage)
    stage.transport.loseConnection()


def closing_paused(stage: Stage) -> None:
    """It had paused before."""
    paused(stage)
    stage.transport.loseConnection()


def draining(stage: Stage) -> None:
    """The session is over, and a message waits."""
    paused(stage)
    stage.end(ConnectionLost())


def ended(stage: Stage) -> None:
    """Nothing is left."""
    open_(stage)
    stage.end(ConnectionLost())


STATES: dict[str, Callable[[Stage], None]] = {
    "waiting": waiting,
    "open": open_,
    "paused": paused,
    "half closed": half_closed,
    "half closed paused": half_closed_paused,
    "closing": closing,
    "closing paused": closing_paused,
    "draining": draining,
    "ended": ended,
}

INPUTS: dict[str, Callable[[Stage], object]] = {
    "message": lambda stage: stage.transport.messages_received([b"b"]),
    "raising": Stage.raising,
    "closing": lambda stage: stage.transport.closing(Failure(ConnectionLost())),
    "ended": lambda stage: stage.end(ConnectionDone()),
    "write": lambda stage: stage.transport.write(b"w"),
    "sequence": lambda stage: stage.transport.writeSequence([b"v", b"w"]),
    "close": lambda stage: stage.transport.close(3000, ""),
    "abort": lambda stage: stage.transport.abortConnection(),
    "pause": lambda stage: stage.transport.pauseProducing(),
    "resume": lambda stage: stage.transport.resumeProducing(),
}

PASSED_ON: dict[str, Callable[[Stage], object]] = {
    "register": lambda stage: stage.transport.registerProducer("producer", True),
    "unregister": lambda stage: stage.transport.unregisterProducer(),
}
"""What a session is told in every state; it knows when it has ended."""

EXPECTED = {
    "waiting": {
        "message": "| | WAITING",
        "raising": "| | WAITING",
        "closing": "| | WAITING",
        "ended": "| | ENDED",
        "write": "| | WAITING",
        "sequence": "| | WAITING",
        "close": "close:3000 | | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | WAITING",
        "resume": "| | WAITING",
    },
    "open": {
        "message": "| b | OPEN",
        "raising": "abort | x | CLOSING",
        "closing": "| closing:ConnectionLost | HALF_CLOSED",
        "ended": "| ConnectionDone | ENDED",
        "write": "send:w | | OPEN",
        "sequence": "send:v,w | | OPEN",
        "close": "close:3000 | | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "pause | | OPEN",
        "resume": "| | OPEN",
    },
    "paused": {
        "message": "| | OPEN",
        "raising": "| | OPEN",
        "closing": "| | HALF_CLOSED",
        "ended": "| | DRAINING",
        "write": "send:w | | OPEN",
        "sequence": "send:v,w | | OPEN",
        "close": "close:3000 | | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | OPEN",
        "resume": "resume | a | OPEN",
    },
    "half closed": {
        "message": "| | HALF_CLOSED",
        "raising": "| | HALF_CLOSED",
        "closing": "| | HALF_CLOSED",
        "ended": "| ConnectionDone | ENDED",
        "write": "| | HALF_CLOSED",
        "sequence": "| | HALF_CLOSED",
        "close": "close:3000 | | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | HALF_CLOSED",
        "resume": "| | HALF_CLOSED",
    },
    "half closed paused": {
        "message": "| | HALF_CLOSED",
        "raising": "| | HALF_CLOSED",
        "closing": "| | HALF_CLOSED",
        "ended": "| | DRAINING",
        "write": "| | HALF_CLOSED",
        "sequence": "| | HALF_CLOSED",
        "close": "close:3000 | | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | HALF_CLOSED",
        "resume": "resume | a closing:ConnectionLost | HALF_CLOSED",
    },
    "closing": {
        "message": "| | CLOSING",
        "raising": "| | CLOSING",
        "closing": "| | CLOSING",
        "ended": "| ConnectionDone | ENDED",
        "write": "| | CLOSING",
        "sequence": "| | CLOSING",
        "close": "| | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | CLOSING",
        "resume": "| | CLOSING",
    },
    "closing paused": {
        "message": "| | CLOSING",
        "raising": "| | CLOSING",
        "closing": "| | CLOSING",
        "ended": "| ConnectionDone | ENDED",
        "write": "| | CLOSING",
        "sequence": "| | CLOSING",
        "close": "| | CLOSING",
        "abort": "abort | | CLOSING",
        "pause": "| | CLOSING",
        "resume": "| | CLOSING",
    },
    "draining": {
        "message": "| | DRAINING",
        "raising": "| | DRAINING",
        "closing": "| | DRAINING",
        "ended": "| | DRAINING",
        "write": "| | DRAINING",
        "sequence": "| | DRAINING",
        "close": "| ConnectionLost | ENDED",
        "abort": "| ConnectionLost | ENDED",
        "pause": "| | DRAINING",
        "resume": "| a ConnectionLost | ENDED",
    },
    "ended": {
        "message": "| | ENDED",
        "raising": "| | ENDED",
        "closing": "| | ENDED",
        "ended": "| | ENDED",
        "write": "| | ENDED",
        "sequence": "| | ENDED",
        "close": "| | ENDED",
        "abort": "| | ENDED",
        "pause": "| | ENDED",
        "resume": "| | ENDED",
    },
}
"""What each input does: the session is told, the protocol hears, the state after it."""


class TransportStatesTests(EveryState, SynchronousTestCase):
    """All pairs of a state and an input."""

    states, ways, inputs, expected = State, STATES, INPUTS, EXPECTED

    def new_stage(self) -> Stage:
        return Stage()

    def test_every_pair(self) -> None:
        """Each input does in each state what the table says."""
        super().test_every_pair()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_producers(self) -> None:
        """Producers are the session's business, in every state."""
        for state in STATES:
            for name, action in PASSED_ON.items():
                with self.subTest(state=state, input=name):
                    stage = self.stage(state)
                    before = stage.state
                    action(stage)
                    self.assertEqual(len(stage.session.calls), 1)
                    self.assertEqual((stage.protocol.events, stage.state), ([], before))

    def test_exactly_one_end(self) -> None:
        """
        Whatever comes in whatever state, a protocol that is there hears of the end once
        when the session is over and it reads again, and of nothing after it.
        """
        for state in STATES:
            for first in INPUTS:
                for second in INPUTS:
                    with self.subTest(state=state, inputs=(first, second)):
                        stage = Stage()
                        STATES[state](stage)
                        INPUTS[first](stage)
                        INPUTS[second](stage)
                        stage.end(ConnectionAborted())
                        stage.transport.resumeProducing()
                        stage.protocol.react = lambda _: None
                        INPUTS["message"](stage)
                        ends = [isinstance(event, Exception) for event in stage.protocol.events]
                        there = state != "waiting"
                        self.assertEqual(ends.count(True), int(there))
                        self.assertEqual(ends[-1:], [True] if there else [])
        self.flushLoggedErrors(ZeroDivisionError)

    def test_connect_once(self) -> None:
        """A protocol that comes late gets what waits; there is one."""
        stage = self.stage("waiting")
        stage.transport.connect(stage.protocol)
        self.assertEqual(stage.outcome, "| made early | OPEN")
        for state in STATES:
            if state != "waiting":
                self.assertRaises(AssertionError, self.stage(state).transport.connect, Events())
