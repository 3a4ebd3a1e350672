"""
Answers to WebSocket pings, on both sides.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Pongs"]


class Pongs:
    """
    Answers pings: at once, or, while the write buffer is full, the last one as soon as
    there is room.  A peer that pings and does not read must not fill the memory with
    pongs, and only its last ping needs an answer: RFC 6455 section 5.5.3.

    :param answer: sends a pong with the payload of a ping.
    :ivar held: whether the write buffer is full.
    """

    def __init__(self, answer: Callable[[bytes], object]) -> None:
        self._answer = answer
        self.held = False
        self._unanswered: bytes | None = None

    def pinged(self, payload: bytes) -> None:
        """A ping came in."""
        if self.held:
            self._unanswered = payload
        else:
            self._answer(payload)

    def hold(self) -> None:
        """The write buffer is full."""
        self.held = True

    def release(self) -> None:
        """The write buffer has room."""
        self.held = False
        unanswered, self._unanswered = self._unanswered, None
        if unanswered is not None:
            self._answer(unanswered)
