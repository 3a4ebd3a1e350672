"""
What waits for those who are slower than the server, and what that does to the reading
from the network.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from ..support.overflow import Overflow

__all__ = ["Buffer", "ReadFlow", "RunningCalls"]


class ReadFlow(Protocol):
    """Stops reading from the network while anyone holds it."""

    def hold(self, holder: object) -> None:
        """Stop reading, until ``holder`` releases."""

    def release(self, holder: object) -> None:
        """Read again, unless others hold."""

    def in_turn(self, function: Callable[[], None]) -> None:
        """
        Have ``function`` called in a turn of the reactor.  This itself may be called from
        any thread, and in the middle of anything.
        """


class Buffer:
    """
    Messages that wait, and no more of them than ``limit``.

    :param overflow: what is done about more: ``"pause"`` stops the reading when it is
        full, until it is half empty; the others make room for the newest message, or
        drop that.
    :param flow: is held.
    :ivar messages: what waits, the oldest first.
    :ivar wanted: whether there is anybody to take messages.  Where there is not, nothing
        is held up for him: the oldest make room, instead of a pause.
    :ivar dropped: how many messages were dropped so far.
    """

    def __init__(self, limit: int, overflow: Overflow, flow: ReadFlow) -> None:
        self._limit = limit
        self._overflow = overflow
        self._flow = flow
        self.messages: deque[Any] = deque()
        self._wanted = False
        self._ended = False
        self.dropped = 0

    @property
    def wanted(self) -> bool:
        return self._wanted

    @wanted.setter
    def wanted(self, wanted: bool) -> None:
        self._wanted = wanted
        if wanted:
            self._pause_if_full()
        else:
            self.release()

    def append(self, message: Any) -> None:
        """One more message waits; or another one, or this, is dropped."""
        if self._overflow == "drop-newest" and len(self.messages) >= self._limit:
            self.dropped += 1
            return
        self.messages.append(message)
        self._pause_if_full()
        # Also with "pause": a connection that is not authenticated yet is read whoever
        # holds it, for the answer to ``auth`` must be received, whatever else a server sends
        # before that.
        if len(self.messages) > self._limit:
            self.messages.popleft()
            self.dropped += 1

    def pop(self) -> Any:
        """
        The oldest message.  Others may come in, and be appended, before this returns.
        """
        message = self.messages.popleft()
        if len(self.messages) <= self._limit // 2:
            self.release()
        return message

    def clear(self) -> None:
        """Nobody will take what waits."""
        self.messages.clear()
        self.release()

    def release(self) -> None:
        """Stand in the way of reading no more."""
        self._flow.release(self)

    def end(self) -> None:
        """No more messages come: to stop the reading for what waits would help nobody."""
        self._ended = True
        self.release()

    def _pause_if_full(self) -> None:
        pauses = self._overflow == "pause" and self._wanted and not self._ended
        if pauses and len(self.messages) >= self._limit:
            self._flow.hold(self)


class RunningCalls:
    """
    What was begun and is not done: stops the reading at ``limit``, until half is done.

    :param flow: is held.
    """

    def __init__(self, limit: int, flow: ReadFlow) -> None:
        self._limit = limit
        self._flow = flow
        self._count = 0

    @property
    def full(self) -> bool:
        """Whether so much runs that no more should be begun."""
        return self._count >= self._limit

    def add(self, running: Deferred[Any]) -> None:
        """
        :param running: fires, without a failure, when it is done.
        """
        self._count += 1
        if self.full:
            self._flow.hold(self)
        running.addCallback(self._done)

    def _done(self, result: Any) -> Any:
        self._count -= 1
        if self._count <= self._limit // 2:
            self._flow.release(self)
        return result  # the Deferred is a listener's: others may wait for it
