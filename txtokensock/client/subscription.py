"""
One subscription to one channel, as its user holds it.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from .events import call_listener

__all__ = ["Flow", "Subscription"]


class Flow(Protocol):
    """Stops reading from the network while anyone holds it."""

    def hold(self, holder: object) -> None:
        """Stop reading."""

    def release(self, holder: object) -> None:
        """Read again, unless others hold."""


class Subscription(AsyncIterable[Any]):
    """
    A subscription, confirmed by the server.  It outlives connections: messages that
    were published while there was none are missing, as in any publish/subscribe.

    Where it was made with a ``handler``, every message is passed to that.  Otherwise
    iterate over it::

        subscription = await socket.subscribe("channel1")
        async for message in subscription:
            ...

    The iteration ends when the subscription does; it raises what ended it
    (:class:`~txtokensock.errors.Forbidden`, ``SubscriptionEnded``) where that was the
    server.  Messages wait for a slow iteration: ``buffer_limit`` of them, then the
    socket is not read until half are taken.  While nobody iterates (before the loop, and
    after a ``break``), the oldest make room for the newest.

    :ivar channel: its name.
    :ivar dropped: how many messages made room so far.
    """

    def __init__(
        self,
        channel: str,
        handler: Callable[[Any], Any] | None,
        buffer_limit: int,
        flow: Flow,
        drop: Callable[[Subscription], Deferred[None]],
    ) -> None:
        self.channel = channel
        self.dropped = 0
        self._handler = handler
        self._buffer_limit = buffer_limit
        self._flow = flow
        self._drop = drop
        self._buffer: deque[Any] = deque()
        self._waiting: deque[Deferred[Any]] = deque()
        self._iterations = 0
        self._ended = False
        self._reason: Exception | None = None

    def __repr__(self) -> str:
        return f"<Subscription to {self.channel!r}{' (ended)' if self._ended else ''}>"

    @property
    def active(self) -> bool:
        """Whether messages may still come."""
        return not self._ended

    def unsubscribe(self) -> Deferred[None]:
        """
        End this subscription; the channel's last one unsubscribes from it.

        :return: fires when the server has confirmed, at once where it need not; fails
            with :class:`~txtokensock.errors.CallTimeout` or a
            :class:`~txtokensock.errors.RemoteError`.
        """
        return self._drop(self)

    # -- for those who deliver

    def deliver(self, message: Any) -> None:
        """A message came in; after the end it is nobody's."""
        if self._ended:
            return
        if self._handler is not None:
            call_listener(self._handler, message)
            return
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.called:
                waiter.callback(message)
                return
        self._buffer.append(message)
        if self._iterations and len(self._buffer) >= self._buffer_limit:
            self._flow.hold(self)
        # A connection that is not authenticated yet is read all the same: the answer to
        # ``auth`` must be heard, whatever else a server sends before it.
        if len(self._buffer) > self._buffer_limit:
            self._buffer.popleft()
            self.dropped += 1

    def ended(self, reason: Exception | None) -> None:
        """No more messages: what waits can still be taken, then the iteration ends."""
        if self._ended:
            return
        self._ended = True
        self._reason = reason
        self._flow.release(self)
        waiting, self._waiting = self._waiting, deque()
        for waiter in waiting:
            if not waiter.called:
                waiter.errback(self._stop())

    # -- iteration

    def __aiter__(self) -> AsyncIterator[Any]:
        iteration = _Iteration(self)
        self._iterations += 1
        # A loop that is left does not say so: its iterator just goes.
        weakref.finalize(iteration, self._iteration_left).atexit = False
        return iteration

    def _iteration_left(self) -> None:
        self._iterations -= 1
        if not self._iterations:
            self._flow.release(self)

    async def _next(self) -> Any:
        if self._buffer:
            message = self._buffer.popleft()
            if len(self._buffer) <= self._buffer_limit // 2:
                self._flow.release(self)
            return message
        if self._ended:
            raise self._stop()
        waiter: Deferred[Any] = Deferred(self._wait_no_longer)
        self._waiting.append(waiter)
        return await waiter

    def _wait_no_longer(self, waiter: Deferred[Any]) -> None:
        if waiter in self._waiting:
            self._waiting.remove(waiter)

    def _stop(self) -> Exception:
        if self._reason is None:
            return StopAsyncIteration()
        return self._reason.with_traceback(None)  # raised before, maybe


class _Iteration(AsyncIterator[Any]):
    """One loop over a subscription, for as long as the loop runs."""

    def __init__(self, subscription: Subscription) -> None:
        self._subscription = subscription

    async def __anext__(self) -> Any:
        return await self._subscription._next()
