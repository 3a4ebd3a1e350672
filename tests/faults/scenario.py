"""
What is done to a client, and what it makes of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from .closing import CLOSING
from .functions import HOOKS
from .misbehaviour import KINDS
from .poison import LIMITS
from .scene import Fault
from .session import PeerSession
from .stage import Handed, Stage
from .table import Pair

__all__ = ["CONNECTING_STEPS", "TRIGGERS", "Seen", "attempted", "recovered", "spoilt", "staged"]

CONNECTING_STEPS = (
    *("token-connect", "token", "info", "connect", "handshake", "open", "auth"),
    *("authentication", "headers", "established", "failed"),
)

LONG = 95.0
"""Seconds after which nothing more comes of a fault: calls and silence have their deadlines."""


@dataclass
class Seen:
    """
    What came of one fault.

    :ivar failures: seconds and errors of attempts that failed by it.
    :ivar lost: seconds until the connection was lost by it, and why; or None.
    :ivar asked: what was asked for at the moment of the fault, or None.
    :ivar in_flight: what was asked for before.
    :ivar waiting: what was asked for before, and not sent yet at the moment of the fault.
    :ivar meanwhile: what was asked for when the peer had said that it closes.
    :ivar queued: what was asked for while there was no connection.
    :ivar reported: errors that went to ``error`` listeners.
    :ivar ignored: how many messages could not be read.
    :ivar heard: what the subscription delivered.
    """

    failures: list[tuple[float, Exception]] = field(default_factory=list)
    lost: tuple[float, Exception] | None = None
    asked: Handed | None = None
    in_flight: list[Handed] = field(default_factory=list)
    waiting: list[Handed] = field(default_factory=list)
    meanwhile: list[Handed] = field(default_factory=list)
    queued: list[Handed] = field(default_factory=list)
    reported: list[Exception] = field(default_factory=list)
    ignored: int = 0
    heard: list[Any] = field(default_factory=list)


def staged(pair: Pair, transport: str) -> Stage:
    """A client for that, with what only some of the faults need."""
    step, kind, _ = pair
    stage = Stage(transport, info=step == "info")
    if step == "retry_policy":
        stage = Stage(
            transport, retry_policy=lambda failure, number: stage.function("retry_policy", 0.1)
        )
    if kind == "requests":
        stage.peer.limits = LIMITS
    elif kind == "closing" and step in CALLS:
        stage.peer.limits = {"calls": CALLS[step]}
    return stage


# -- while connecting


def attempted(
    stage: Stage, step: str, fault: Fault, *, failures: int, times: float = float("inf")
) -> Seen:
    """
    The client is not connected, and its attempts meet the fault.

    :param failures: wait for so many, or for a connection in spite of the fault.
    :param times: how often the fault is there.
    """
    seen = Seen()
    before, since = len(stage.failures), stage.now
    stage.gave_up = False
    _arm(stage, step, fault, times)
    stage.client.startService()
    seen.queued += [stage.rpc("echo"), stage.publish(), stage.subscribe("d")]
    if "c" not in stage.client.channels():
        stage.subscribe("c")
    stage.until(
        lambda: (
            stage.client.connected or len(stage.failures) - before >= failures or stage.gave_up
        ),
        failures * LONG,
    )
    seen.failures = stage.failures[before:]
    seen.reported = [error for _, _, error in stage.seen("error", since=since)]
    _disarm(stage)
    return seen


def _arm(stage: Stage, step: str, fault: Any, times: float) -> None:
    """The peer is to misbehave, or functions of the user's are."""
    if step in HOOKS:
        stage.misbehave(HOOKS[step], fault)
        if step in BEHIND:
            stage.peer.arm(*BEHIND[step], times)
    else:
        stage.peer.arm(ARMED.get(step, step), fault, times)


def _disarm(stage: Stage) -> None:
    stage.misbehave((), None)
    stage.peer.disarm()


def dropped(stage: Stage) -> list[Handed]:
    """
    The client loses its connection by something that is no fault here.

    :return: what was in flight.
    """
    stage.peer.holding = True
    in_flight = [stage.rpc("hold"), stage.rpc("hold", idempotent=True)]
    stage.peer.call("slow", None, lambda _: None)
    stage.settle()
    stage.peer.holding = False
    stage.peer.expecting = "token"
    stage.peer.drop()
    return in_flight


# -- while connected


def _call(stage: Stage) -> Handed:
    return stage.rpc("echo")


def _send(stage: Stage) -> Handed:
    """More than any buffer takes at once."""
    for _ in range(3):
        stage.publish("other", "x" * 30_000)
    return stage.rpc("echo")


def _action(stage: Stage) -> None:
    stage.peer.call("ask", "args", lambda _: None)


def _acting(stage: Stage) -> None:
    stage.peer.call("slow", "args", lambda _: None)
    _idle(stage)


def _receive(stage: Stage) -> None:
    for number in (2, 3):
        stage.peer.publish("c", number)


def _again(stage: Stage) -> None:
    stage.peer.publish("c", 2)
    _session(stage).finish_response()


def _idle(stage: Stage) -> None:
    _session(stage).beat("idle")


def _drop(stage: Stage) -> None:
    stage.peer.expecting = "token"
    stage.peer.drop()


def _lose(stage: Stage) -> None:
    """What is asked for again is answered then."""
    stage.peer.holding = False
    _drop(stage)


def _replay(stage: Stage) -> Handed:
    _drop(stage)
    stage.settle()
    return stage.rpc("echo")


def _ask(stage: Stage) -> None:
    stage.peer.call("ask", "args", stage.answers.append)


def _report(stage: Stage) -> None:
    _session(stage).say("error", {"error": "out of order"})


def _confirm(stage: Stage) -> Handed:
    listener = lambda subscription, error: stage.function("on_confirmation")  # noqa: E731
    return stage.subscribe("d", on_confirmation=listener)


def _refused(stage: Stage) -> Handed:
    """By the peer, once; the policy is asked what follows from that."""
    return stage.subscribe("d", retry=lambda failure, number: stage.function("retry", 0.1))


def _close(stage: Stage) -> Handed:
    return stage.hand("end", stage.client.end())


def _sending_close(stage: Stage) -> Handed:
    """The answer to what is being sent comes, or does not, when the client has closed."""
    stage.rpc("echo")
    stage.settle()
    return _close(stage)


def _session(stage: Stage) -> PeerSession:
    session = stage.peer.session
    assert session is not None
    return session


TRIGGERS: dict[str, Callable[[Stage], Handed | None]] = {
    "call": _call,
    "subscribe": lambda stage: stage.subscribe("d"),
    "publish": lambda stage: stage.publish(),
    "action": _action,
    "acting": _acting,
    "receive": _receive,
    "again": _again,
    "idle": _idle,
    "ping": lambda stage: None,
    "send": _send,
    "replay": _replay,
    "poison": lambda stage: stage.rpc("poison", idempotent=True),
    "poison once": lambda stage: stage.rpc("poison"),
    "poison alone": lambda stage: stage.rpc("poison", idempotent=True),
    "disconnect": _drop,
    "retry_policy": _drop,
    "gap": _lose,
    "error": _report,
    "message": _receive,
    "handler": _receive,
    "on_confirmation": _confirm,
    "retry": _refused,
    "action function": _ask,
    "close": _close,
    "sending-close": _sending_close,
}
"""What makes the peer come to a step, in a connection that is there."""


ARMED = {
    "acting": "idle",
    "sending-close": "send",
    "poison once": "poison",
    "poison alone": "poison",
}
"""The steps of the peer, where they are not called so."""

BEHIND: dict[str, tuple[str, Fault]] = {
    "failed": ("token", KINDS["HTTP"]["fails"]),
    "retry": ("subscribe", KINDS["messages"]["refuses"]),
}
"""What the peer does, where otherwise a function of the user's would not be called."""

CALLS = {
    "call": 4,
    "subscribe": 4,
    "publish": 4,
    "action": 3,
    "receive": 3,
    "acting": 3,
}
"""Calls that a peer announces to take, with one for a ping: what is asked for then waits."""


def spoilt(stage: Stage, step: str, fault: Any) -> Seen:
    """The client is connected, and one answer is spoilt, or a function of the user's is."""
    seen = Seen()
    stage.peer.holding = True
    if step not in ("replay", "poison alone"):
        seen.in_flight = [stage.rpc("hold"), stage.rpc("hold", idempotent=True)]
        stage.peer.call("slow", None, lambda _: None)
    stage.peer.publish("c", 1)
    stage.settle()
    ignored, since, losses = stage.client.ignored_messages, stage.now, 1
    stage.heard.clear()
    armed = _delayed(fault) if step == "sending-close" else fault
    stage.misbehaved = 0
    before = len(stage.seen("disconnect"))
    if step == "requests":
        seen.asked = fault(stage)
    else:
        _arm(stage, step, armed, times=LONG if "poison" in step else 1)
        seen.asked = TRIGGERS[step](stage)
    if fault in CLOSING.values() and step != "close":
        _ask_around(stage, step, seen)
    if step == "replay":
        losses = 2  # the first is none of the fault's
        stage.until(lambda: not stage.peer.awaits(step), 1.0)
        since = stage.now
    lost = lambda: stage.seen("disconnect")[before + losses - 1 :]  # noqa: E731
    stage.until(lambda: lost() and _met(stage, step, seen), LONG)
    if lost():
        seen.lost = (lost()[0][0] - since, lost()[0][2])
        if stage.client.running:
            seen.queued = [stage.rpc("echo"), stage.publish()]
    seen.reported = [error for _, _, error in stage.seen("error", since=since)]
    seen.ignored = stage.client.ignored_messages - ignored
    seen.heard = stage.heard[:]
    _disarm(stage)
    return seen


def _ask_around(stage: Stage, step: str, seen: Seen) -> None:
    """For more than the peer takes, and again when it has said that it closes."""
    if stage.peer.limits is not None:
        seen.waiting = [stage.rpc("echo"), stage.publish(), stage.rpc("echo", idempotent=True)]
    stage.until(lambda: not stage.peer.awaits(ARMED.get(step, step)), LONG)
    if step != "replay":
        seen.meanwhile = [stage.rpc("echo"), stage.publish(), stage.rpc("echo", idempotent=True)]


def _met(stage: Stage, step: str, seen: Seen) -> bool:
    """Whether all that was to come of it has come."""
    if step in HOOKS:
        return stage.misbehaved > 0
    return "poison" not in step or seen.asked is None or seen.asked.fired > 0


def _delayed(fault: Fault) -> Fault:
    return lambda scene: scene.out.later(0.5, fault, scene)


# -- after the fault


def recovered(stage: Stage, seconds: float) -> bool:
    """
    The fault is over.

    :param seconds: until the client is connected.
    :return: whether it is, its calls are answered, its subscription delivers, and its
        actions are called.
    """
    stage.client.startService()  # where the client was ended, or gave up
    stage.peer.holding = False
    while stage.running:
        stage.running.pop().callback("late")
    if not stage.until(lambda: stage.client.connected, seconds):
        return False
    if "c" not in stage.client.channels():
        stage.subscribe("c")  # that the server ended, or that came to its deadline
    stage.advance(0.1)
    stage.heard.clear()
    answers: list[Any] = []
    call = stage.rpc("echo")
    stage.settle()
    stage.peer.publish("c", "works")
    stage.peer.call("ask", 1, answers.append)
    stage.until(lambda: answers, 1.0)
    return (
        call.outcome == [None, call.key]
        and set(stage.heard) == {"works"}
        and answers == [{"data": 1}]
    )
