"""
The frames of SockJS, as a client reads them.
"""

from __future__ import annotations

import json

__all__ = ["ReceivedFrames"]


class ReceivedFrames:
    """
    The reading half of a client: what the server's frames said.

    :ivar messages: that were not taken yet.
    :ivar closed: code and reason of the ``c`` frame, or None.
    """

    def __init__(self) -> None:
        self.closed: tuple[int, str] | None = None
        self.messages: list[str] = []

    def read_frame(self, frame: bytes) -> None:
        """One more frame; ``o`` and ``h`` say nothing."""
        if frame[:1] == b"a":
            self.messages += json.loads(frame[1:])
        elif frame[:1] == b"c":
            code, reason = json.loads(frame[1:])
            self.closed = code, reason

    def take_messages(self) -> list[str]:
        """The messages that came since this was last asked."""
        messages, self.messages = self.messages, []
        return messages
