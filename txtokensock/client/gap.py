"""
The time in which messages of a channel may have been missed.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Gap"]


@dataclass(frozen=True)
class Gap:
    """
    What was published to a channel in this time, or just before it, may not have come.

    Both times are seconds of the reactor's clock, which on a real reactor are those since the
    epoch, as ``time.time()`` has them.

    :ivar channel: its name.
    :ivar since: when anything was received for the last time on the connection that was lost,
        heartbeats included; or when the server ended the subscription, or heard its own store,
        a Redis, for the last time.
    :ivar until: when the server had confirmed the subscription anew, or heard its store again.
    """

    channel: str
    since: float
    until: float
