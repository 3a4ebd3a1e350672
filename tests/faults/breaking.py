"""
Faults of connections: whatever was due, something happens to the bytes.
"""

from __future__ import annotations

from .scene import Fault, Scene

__all__ = ["BREAKING", "CONNECTING"]

_A_TURN = 0.01


def refuse(scene: Scene) -> None:
    """Refuses TCP: there is no connection that this could be played on."""
    raise AssertionError("a refused connection was made")


def ignore(scene: Scene) -> None:
    """Never answers TCP."""
    refuse(scene)


def stall(scene: Scene) -> None:
    """Says nothing more on this connection, and reads on."""
    scene.out.mute()


def half_open(scene: Scene) -> None:
    """Is gone without a word: says nothing more, and reads nothing more."""
    scene.out.mute()
    scene.out.deafen()


def reset(scene: Scene) -> None:
    """Resets the connection."""
    scene.out.reset()


def close(scene: Scene) -> None:
    """Closes the connection without a word."""
    scene.out.close()


def truncate(scene: Scene) -> None:
    """Sends half of the answer, and closes."""
    scene.out.write(_half(scene))
    scene.out.close()


def break_off(scene: Scene) -> None:
    """Sends half of the answer, and resets the connection."""
    scene.out.write(_half(scene))
    scene.out.later(_A_TURN, scene.out.reset)


def stop_halfway(scene: Scene) -> None:
    """Sends half of the answer, and then nothing more."""
    scene.out.write(_half(scene))
    scene.out.mute()


def answer_and_reset(scene: Scene) -> None:
    """Answers, and resets the connection at once."""
    scene.give()
    scene.out.later(_A_TURN, scene.out.reset)


def omit(scene: Scene) -> None:
    """Never gives this one answer, and is well otherwise."""
    scene.keep()


def late(scene: Scene) -> None:
    """Answers when the deadline is over."""
    scene.give_later(scene.deadline + 1)


def hesitate(scene: Scene) -> None:
    """Answers late, though in time."""
    scene.give_later(scene.deadline / 2)


def drip(scene: Scene) -> None:
    """Sends a byte at a time, and is done in time."""
    scene.out.drip(scene.honest, 0.005, scene.proceed)


def trickle(scene: Scene) -> None:
    """Sends a byte at a time, too slowly."""
    scene.out.drip(scene.honest, scene.deadline / 2, scene.proceed)


def twice(scene: Scene) -> None:
    """Answers twice."""
    carrier = scene.carrier
    if scene.texts and carrier is not None:
        scene.messages(*scene.texts, *scene.texts)
    elif carrier is not None and carrier.single:
        scene.frame(b"o\no")
    else:
        scene.give_instead(scene.honest * 2)


def flood(scene: Scene) -> None:
    """Sends bytes without end, instead."""
    scene.out.flood(b"x" * 4096)


def banner(scene: Scene) -> None:
    """Speaks first, and not our language."""
    scene.out.write(b"220 mail.test ESMTP ready\r\n")


def _half(scene: Scene) -> bytes:
    return scene.honest[: max(1, len(scene.honest) // 2)]


CONNECTING: dict[str, Fault] = {"refuses": refuse, "ignores": ignore}
"""Of TCP: these are played by not making a connection, see :meth:`~.peer.Peer.accepts`."""

BREAKING: dict[str, Fault] = {
    "stalls": stall,
    "half-opens": half_open,
    "resets": reset,
    "closes": close,
    "truncates": truncate,
    "breaks off": break_off,
    "stops halfway": stop_halfway,
    "answers and resets": answer_and_reset,
    "omits": omit,
    "answers late": late,
    "hesitates": hesitate,
    "drips": drip,
    "trickles": trickle,
    "answers twice": twice,
    "floods": flood,
    "speaks first": banner,
}
