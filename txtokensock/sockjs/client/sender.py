"""
Sends messages over HTTP: one request after the other.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ...support.timer import NextTurn
from ..producer import ProducerFlow

__all__ = ["Sender"]

_LARGEST_BATCH = 64 * 1024
"""Bytes of one request; a larger message gets a request of its own."""

_HIGH_WATER = 64 * 1024
"""Bytes that may wait for a request; above that the protocol's producer is paused."""


class Sender:
    """
    Sends messages in order, as many in one request as wait for it: those that were sent while
    the request before was under way, or until :meth:`flush`, or in one turn of the reactor.

    :param reactor: for the next turn.
    :param post: sends one body; :meth:`posted` is called when the server has taken it.
    :param flow: the protocol's producer.
    :param limits: the most bytes and messages of one request, each None for any; a message
        that is larger by itself is sent all the same.
    :ivar posting: whether a request is under way.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        post: Callable[[bytes], object],
        flow: ProducerFlow,
        limits: Callable[[], tuple[int | None, int | None]],
    ) -> None:
        self._post = post
        self._flow = flow
        self._limits = limits
        self._waiting: deque[bytes] = deque()
        self._bytes_waiting = 0
        self._next_turn = NextTurn(reactor, self._send)
        self.posting = False
        self._when_idle: Callable[[], object] | None = None
        self._stopped = False

    def send(self, texts: list[bytes]) -> None:
        """
        Send messages.

        :param texts: each as JSON.
        """
        if self._stopped:
            return
        self._waiting.extend(texts)
        self._bytes_waiting += sum(map(len, texts))
        if self._bytes_waiting > _HIGH_WATER:
            self._flow.hold()
        if not self.posting:
            self._next_turn.schedule()

    def flush(self) -> None:
        """Do not wait for the next turn: what belongs together has been sent."""
        if self._next_turn.scheduled:
            self._next_turn.cancel()
            self._send()

    def when_idle(self, action: Callable[[], object]) -> None:
        """Call ``action`` as soon as the server has taken everything: perhaps now."""
        if self._waiting or self.posting:
            self._when_idle = action
        else:
            action()

    def stop(self) -> None:
        """Forget what waits, and send nothing more."""
        self._stopped = True
        self._next_turn.cancel()
        self._waiting.clear()
        self._when_idle = None

    def _send(self) -> None:
        batch = self._take()
        self.posting = True
        self._post(b"[" + b",".join(batch) + b"]")
        if self._bytes_waiting <= _HIGH_WATER:
            self._flow.release()

    def _take(self) -> list[bytes]:
        largest, most = self._limits()
        largest = min(largest or _LARGEST_BATCH, _LARGEST_BATCH)
        most = min(most or len(self._waiting), len(self._waiting))
        batch = [self._waiting.popleft()]
        size = len(batch[0]) + 2  # with brackets, or commas
        while len(batch) < most and size + len(self._waiting[0]) < largest:
            batch.append(self._waiting.popleft())
            size += len(batch[-1]) + 1
        self._bytes_waiting -= size - len(batch) - 1
        return batch

    def posted(self) -> None:
        """Send what waits, now that the server has taken what was sent before."""
        self.posting = False
        if self._stopped:
            return
        if self._waiting:
            self._send()
        elif self._when_idle is not None:
            self._when_idle()
