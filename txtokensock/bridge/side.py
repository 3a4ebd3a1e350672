"""
What a bridge is made of: sides, each between the upstream socket and one neighbour.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred

from .health import SideState

__all__ = ["Side"]


class Side(Protocol):
    """
    An ``IService`` between the upstream socket and one neighbour.

    While one end is down, calls from the other end are answered at once, and what
    is published waits within bounds; what does not fit is counted and logged.

    One method may be left out: ``needs_restart(section)``, which yields a
    :class:`~txtokensock.config.section.Problem` for each change that :meth:`reload` cannot make.
    """

    name: str

    def privilegedStartService(self) -> None:
        """Take ports that only root may have, if any."""

    def startService(self) -> None:
        """Start; the upstream socket may not be connected yet."""

    def stopService(self) -> Deferred[None] | None:
        """Take nothing new, finish what is in flight, close; within its own deadline."""

    def state(self) -> SideState:
        """How it is now."""

    def reload(self, section: Any) -> None:
        """
        Take other rules, in one step, without dropping a connection that they do not
        concern.

        :param section: this side's checked section of the configuration.
        """
