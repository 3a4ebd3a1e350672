"""
What one peer is sent, gathered over one turn of the reactor.

Every SockJS frame costs several times what a message in it costs: the answers to a
burst of calls, and the copies of a broadcast, leave in one.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ..sockjs.interfaces import ISockJSTransport
from ..support.timer import NextTurn
from .ops.observer import Observer

__all__ = ["Outbox", "TurnEnd"]

_FRAME_SIZE = 64 * 1024
"""Bytes after which a frame is full: receivers limit the size of one."""


class TurnEnd:
    """
    Calls things once the current turn of the reactor is over, with one timer for all.

    :param reactor: whose turns.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._due: list[Callable[[], None]] = []
        self._turn = NextTurn(reactor, self._turn_ended)

    def call(self, function: Callable[[], None]) -> None:
        """
        :param function: called with nothing; it does not raise.
        """
        self._due.append(function)
        self._turn.schedule()

    def stop(self) -> None:
        """Call nothing any more."""
        self._due.clear()
        self._turn.cancel()

    def _turn_ended(self) -> None:
        due, self._due = self._due, []
        for function in due:
            function()


class Outbox:
    """
    :param transport: what takes the messages.
    :param turn_end: when to hand them over.
    :param observer: hears of them.
    """

    def __init__(self, transport: ISockJSTransport, turn_end: TurnEnd, observer: Observer) -> None:
        self._transport = transport
        self._turn_end = turn_end
        self._observer = observer
        self._messages: list[bytes] = []
        self._size = 0
        self._due = False

    def write(self, message: bytes) -> None:
        """Send a message in this turn."""
        self._messages.append(message)
        self._size += len(message)
        if self._size >= _FRAME_SIZE:
            self.flush()
        elif not self._due:
            self._due = True
            self._turn_end.call(self._turn_ended)

    def flush(self) -> None:
        """Send now what was written."""
        if self._messages:
            messages, size = self._messages, self._size
            self._messages, self._size = [], 0
            self._observer.messages_sent(len(messages), size)
            self._transport.writeSequence(messages)

    def _turn_ended(self) -> None:
        self._due = False
        self.flush()
