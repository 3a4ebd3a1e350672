"""
Messages for one peer, gathered over one turn of the reactor.

A SockJS frame costs several times what a message in it costs, so the answers to a burst of
calls, and the copies of a broadcast, leave in one frame.
"""

from __future__ import annotations

from ..sockjs.interfaces import ISockJSTransport
from ..support.slices import Slices
from .ops.observer import Observer

__all__ = ["Outbox"]

_FRAME_SIZE = 64 * 1024
"""Bytes after which a frame is sent: receivers limit the size of one."""


class Outbox:
    """
    Writes messages to a transport, several in one frame.

    :param transport: takes the messages.
    :param slices: says when to hand them over.
    :param observer: is told how many leave.
    """

    def __init__(self, transport: ISockJSTransport, slices: Slices, observer: Observer) -> None:
        self._transport = transport
        self._slices = slices
        self._observer = observer
        self._messages: list[bytes] = []
        self._size = 0
        self._due = False

    def write(self, message: bytes) -> None:
        """Send a message at the end of this turn, or at once if a frame is full."""
        self._messages.append(message)
        self._size += len(message)
        if self._size >= _FRAME_SIZE:
            self.flush()
        elif not self._due:
            self._due = True
            self._slices.call(self._turn_ended)

    def flush(self) -> None:
        """Send everything that was written, at once."""
        if self._messages:
            messages, size = self._messages, self._size
            self._messages, self._size = [], 0
            self._observer.messages_sent(len(messages), size)
            self._transport.writeSequence(messages)

    def _turn_ended(self) -> None:
        self._due = False
        self.flush()
