"""
Faults of a close: a peer says that it closes, and its connection ends when it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

from .carriers import Carrier, close_frame
from .scene import Fault, Scene

__all__ = ["CLOSING", "ENDS", "SIGNS", "closing"]

SIGNS: dict[str, Callable[[Carrier], bytes]] = {
    "c": lambda carrier: carrier.frame(b'c[3000,"Go away!"]'),
    "a close frame": lambda carrier: close_frame(1001),
    "c and a close frame": lambda carrier: carrier.closing(3000, "Go away!"),
}
"""What comes first; the second and third where there is a WebSocket."""

ENDS: dict[str, float | None] = {"at once": 0.0, "200 ms later": 0.2, "never": None}
"""Seconds after which the connection ends."""


def _closing(sign: Callable[[Carrier], bytes], ends: float | None, *, answers: bool) -> Fault:
    def close(scene: Scene) -> None:
        assert scene.carrier is not None
        scene.out.write((scene.honest if answers else b"") + sign(scene.carrier))
        scene.out.leave(ends)

    return close


def closing(sign: str, end: str, *, answers: bool = False) -> str:
    """The name of a fault."""
    return f"{'answers and ' * answers}says {sign}, and ends {end}"


CLOSING: dict[str, Fault] = {
    closing(sign, end, answers=answers): _closing(SIGNS[sign], ENDS[end], answers=answers)
    for answers, sign, end in product((False, True), SIGNS, ENDS)
}
"""Where frames are due; the answer and the sign are in one segment."""
