"""
Answers to WebSocket pings, for client and server.
"""

from __future__ import annotations

__all__ = ["Pongs"]


class Pongs:
    """
    Answers pings: at once, or, while the write buffer is full, only the last one, as soon as
    there is room.  A peer that pings without reading cannot fill the memory with pongs that
    way, and only its last ping needs an answer (RFC 6455, section 5.5.3).

    :ivar held: whether the write buffer is full.
    """

    __slots__ = ("_unanswered", "held")

    def __init__(self) -> None:
        self.held = False
        self._unanswered: bytes | None = None

    def pinged(self, payload: bytes) -> bytes | None:
        """:return: the payload of the pong to send now; None if the ping is kept."""
        if not self.held:
            return payload
        self._unanswered = payload
        return None

    def hold(self) -> None:
        """Send no more pongs, for the write buffer is full."""
        self.held = True

    def release(self) -> bytes | None:
        """:return: the payload of the pong to send now that there is room, if one waited."""
        self.held = False
        unanswered, self._unanswered = self._unanswered, None
        return unanswered
