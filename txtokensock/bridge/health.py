"""
Whether each part of a bridge is up, and since when: for ``/readyz`` and for metrics.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Any

__all__ = ["Condition", "Health", "SideState"]


class Condition(Enum):
    """What a side is; the values are those of ``/readyz``."""

    STOPPED = "stopped"
    STARTING = "starting"
    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def works(self) -> bool:
        """Whether the side can do its work; one that is degraded can do some of it."""
        return self in (Condition.UP, Condition.DEGRADED)


@dataclass(frozen=True, slots=True)
class SideState:
    """
    How a side is at one moment.

    :ivar name: such as ``upstream``, ``wamp``, ``http``, ``webhooks``.
    :ivar condition: what it is.
    :ivar since: seconds since the epoch at which it became able, or unable, to do its work.
    :ivar detail: for people, in one line, and without secrets: why it is not simply up.
    """

    name: str
    condition: Condition
    since: float
    detail: str = ""

    @property
    def up(self) -> bool:
        """Whether it can do its work now."""
        return self.condition.works

    def described(self, now: float, details: bool) -> dict[str, Any]:
        """
        For ``/readyz``.

        :param now: seconds since the epoch.
        :param details: whether who asks may know why the side is down.
        """
        since = datetime.fromtimestamp(self.since, UTC).isoformat(timespec="milliseconds")
        described = {
            "up": self.up,
            "state": self.condition.value,
            "since": since,
            "seconds": round(max(0.0, now - self.since), 3),
        }
        return described | {"detail": self.detail} if details else described


class Health:
    """
    Keeps the state of one side.

    :param name: of the side.
    :param seconds: the time, since the epoch.
    """

    def __init__(self, name: str, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._state = SideState(name, Condition.STOPPED, seconds(), "not started")

    @property
    def state(self) -> SideState:
        """How the side is now."""
        return self._state

    def become(self, condition: Condition, detail: str = "") -> None:
        """
        Take note of what the side is now; nothing changes where that is known.

        :param detail: why it is not simply up.
        """
        before = self._state
        since = before.since if condition.works == before.up else self._seconds()
        self._state = SideState(before.name, condition, since, detail)

    def works(self, detail: str = "") -> None:
        """
        The side can do its work.

        :param detail: what is wrong all the same, if anything: then it is degraded.
        """
        self.become(Condition.DEGRADED if detail else Condition.UP, detail)

    def fails(self, detail: str) -> None:
        """
        The side cannot do its work.

        :param detail: why.
        """
        self.become(Condition.DOWN, detail)
