"""
Readiness: whether clients can come in, and since when.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ..server_context import ServerContext

__all__ = ["Readiness", "State", "readiness"]

State: TypeAlias = Literal["running", "stopping", "stopped"]


@dataclass(frozen=True, slots=True)
class Readiness:
    """
    Whether clients can come in.  Times are in seconds by the reactor's clock.

    :ivar state: of the server, which takes clients while it is "running".
    :ivar state_since: since when.
    :ivar store_available: whether the store can be reached, as far as is known; None while
        the server is stopped and does not ask.
    :ivar store_since: since when.
    :ivar store_problem: why the store cannot be reached, or what it does not do, in one line,
        where it says so.
    """

    state: State
    state_since: float
    store_available: bool | None
    store_since: float | None
    store_problem: str | None = None

    @property
    def ready(self) -> bool:
        """Whether a token request has a chance."""
        return self.state == "running" and bool(self.store_available)


def readiness(context: ServerContext) -> Readiness:
    """
    The readiness of a server at this moment.

    :param context: of the server.
    """
    peers, link = context.peers, context.hub.link
    if link is None:
        return Readiness("stopped", peers.since, None, None)
    state: State = "running" if peers.ready else "stopping"
    problem = getattr(link, "problem", None)  # a store of somebody else's may not say
    return Readiness(state, peers.since, link.available, link.since, problem)
