"""
Messages for one peer, gathered over one turn of the reactor.

A SockJS frame costs several times what a message in it costs, so the answers to a burst of
calls, and the copies of a broadcast, leave in one frame.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ..sockjs.interfaces import ISockJSTransport
from ..support.timer import NextTurn
from .ops.observer import Observer

__all__ = ["Outbox", "TurnEnd"]

_FRAME_SIZE = 64 * 1024
"""Bytes after which a frame is sent: receivers limit the size of one."""


class TurnEnd:
    """
    Calls functions when the current turn of the reactor is over, with one timer for all.

    :param reactor: whose turns count.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._due: list[Callable[[], None]] = []
        self._turn = NextTurn(reactor, self._turn_ended)

    def call(self, function: Callable[[], None]) -> None:
        """
        Call a function at the end of this turn.

        :param function: called without arguments; it must not raise.
        """
        self._due.append(function)
        self._turn.schedule()

    def stop(self) -> None:
        """Drop the calls that are due, and any timer."""
        self._due.clear()
        self._turn.cancel()

    def _turn_ended(self) -> None:
        due, self._due = self._due, []
        for function in due:
            function()


class Outbox:
    """
    Writes messages to a transport, several in one frame.

    :param transport: takes the messages.
    :param turn_end: says when to hand them over.
    :param observer: is told how many leave.
    """

    def __init__(self, transport: ISockJSTransport, turn_end: TurnEnd, observer: Observer) -> None:
        self._transport = transport
        self._turn_end = turn_end
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
            self._turn_end.call(self._turn_ended)

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
