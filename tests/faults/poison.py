"""
Faults of requests that a server cannot take: it closes for them, or has said so before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.kit.http import response

from .carriers import close_frame
from .scene import Fault, Scene

if TYPE_CHECKING:
    from .stage import Handed, Stage

__all__ = ["LIMITS", "POISON", "REQUESTS"]


def _closes(code: int) -> Fault:
    """For what it has read, not for the request that brought it."""

    def close(scene: Scene) -> None:
        if scene.carrier is None:
            scene.give()
        else:
            scene.give_instead(scene.carrier.closing(code, "I cannot take this"))

    return close


def _too_big(scene: Scene) -> None:
    if scene.carrier is None:
        scene.taken = False
        scene.give_instead(response(413))
    else:
        scene.give()


def _closes_websocket(scene: Scene) -> None:
    assert scene.carrier is not None
    scene.give_instead(close_frame(1009, "Too big"))


POISON: dict[str, Fault] = {
    **{f"closes with {code}": _closes(code) for code in (1009, 4413, 4414, 4415, 4416)},
    "closes its WebSocket with 1009": _closes_websocket,
    "answers 413": _too_big,
}
"""Where a call is due to be answered that the peer cannot take."""

LIMITS = {
    "message_size": 2_000,
    "frame_size": 3_000,
    "json_depth": 10,
    "channel_length": 20,
    "channels": 2,
}
"""What a peer announces to take where those below are asked for."""


def _deep(depth: int) -> Any:
    return [_deep(depth - 1)] if depth else "deep"


def _one_more(stage: Stage) -> Handed:
    stage.subscribe("d")
    return stage.subscribe("e")


def _call(data: Any, **options: Any) -> Callable[[Stage], Handed]:
    return lambda stage: stage.rpc("echo", data, **options)


REQUESTS: dict[str, Callable[[Stage], Handed]] = {
    "a call that is too large": _call("x" * 2_000),
    "an idempotent call that is too large": _call("x" * 2_000, idempotent=True),
    "a call that is too large with its backslashes": _call('"' * 900),
    "a publish that is too large": lambda stage: stage.publish("c", "x" * 2_000),
    "a call that nests too deep": _call(_deep(12)),
    "an idempotent call that nests too deep": _call(_deep(12), idempotent=True),
    "a call of NaN": _call(float("nan")),
    "a call of half a surrogate": _call("\ud800"),
    "a call of what has no JSON": _call(object()),
    "a publish to a name that is too long": lambda stage: stage.publish("c" * 21),
    "a subscription to a name that is too long": lambda stage: stage.subscribe("c" * 21),
    "a channel too many": _one_more,
}
"""What a user asks for that the server does not take, or that no server does."""
