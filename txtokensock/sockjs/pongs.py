"""
Answers to WebSocket pings, for client and server.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pongs"]


class Pongs:
    """
    Answers pings: at once, or, while the write buffer is full, only the last one, as soon as
    there is room.  A peer that pings without reading cannot fill the memory with pongs that
    way, and only its last ping needs an answer (RFC 6455, section 5.5.3).

    :param answer: sends a pong with the payload of a ping.
    :ivar held: whether the write buffer is full.
    """

    def __init__(self, answer: Callable[[bytes], object]) -> None:
        self._answer = answer
        self.held = False
        self._unanswered: bytes | None = None

    def pinged(self, payload: bytes) -> None:
        """Answer a ping that came in, or keep it."""
        if self.held:
            self._unanswered = payload
        else:
            self._answer(payload)

    def hold(self) -> None:
        """Send no more pongs, for the write buffer is full."""
        self.held = True

    def release(self) -> None:
        """Send pongs again, the last one that waited first."""
        self.held = False
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None:
            self._answer(unanswered)
