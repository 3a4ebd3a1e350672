"""
One subscription to one channel, as its user holds it.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Generic, cast

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from ..errors import UnexpectedData, UsageError
from ..support.overflow import Overflow
from ..support.threads import wrong_thread
from ..support.waiters import Waiters
from .events import Listener, call_listener
from .flow import Buffer, ReadFlow
from .gap import Gap
from .retries import RetryPolicy, ask_policy

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    M = TypeVar("M", default=Any)
else:
    from typing import TypeVar

    M = TypeVar("M")

__all__ = ["Subscription", "TypedSubscription"]


class Subscription(AsyncIterable[M], Generic[M]):
    """
    A subscription, confirmed by the server.  It outlives connections: messages that
    were published while there was none are missing, as in any publish/subscribe; ``on_gap``
    of :meth:`TokenSocket.subscribe` is told of that.

    Where it was made with a ``handler``, every message is passed to that.  Otherwise
    iterate over it::

        subscription = await socket.subscribe("channel1")
        async for message in subscription:
            ...

    The iteration ends when the subscription does; it raises what ended it
    (:class:`~txtokensock.errors.Forbidden`, ``SubscriptionEnded``) where that was the
    server.  A subscription with a handler cannot be iterated over
    (:class:`~txtokensock.errors.UsageError`).

    Messages wait for a slow reader: up to ``buffer_limit`` of them, and then ``overflow``
    says what happens; see :meth:`TokenSocket.subscribe`.

    :ivar channel: its name.
    :ivar confirmation: who waits for the server to confirm.
    :ivar persistent: whether that may take any number of attempts.
    """

    def __init__(
        self,
        channel: str,
        handler: Listener | None,
        flow: ReadFlow,
        drop: Callable[[Subscription[Any]], Deferred[None]],
        *,
        overflow: Overflow,
        buffer_limit: int,
        retry: RetryPolicy = lambda failure, number: None,
        persistent: bool = False,
        on_confirmation: Listener | None = None,
        on_gap: Listener | None = None,
    ) -> None:
        """
        :param retry: whether to ask the server again, and when; see
            :meth:`TokenSocket.subscribe`.
        :param persistent: whether it is asked before the first confirmation, too.
        """
        self.channel = channel
        self.confirmation: Waiters[None] = Waiters()
        self.persistent = persistent
        self._retry = retry
        self._listener = on_confirmation
        self._gap_listener = on_gap
        self._missing_since: float | None = None
        self._confirmed = False
        self._was_confirmed = False
        self._flow = flow
        self._drop = drop
        self._buffer = Buffer(buffer_limit, overflow, flow)
        self._work = _Work(handler, self._buffer, buffer_limit) if handler is not None else None
        self._waiting: Waiters[Any] = Waiters()
        self._iterations = 0
        self._ended = False
        self._reason: Exception | None = None

    def __repr__(self) -> str:
        return f"<Subscription to {self.channel!r}{' (ended)' if self._ended else ''}>"

    @property
    def active(self) -> bool:
        """Whether messages may still come from the server."""
        return not self._ended

    @property
    def confirmed(self) -> bool:
        """
        Whether the server has confirmed it on the present connection, so that what is
        published from now on comes.
        """
        return self._confirmed

    @property
    def dropped(self) -> int:
        """How many messages were dropped so far, for there was no room."""
        return self._buffer.dropped

    def unsubscribe(self) -> Deferred[None]:
        """
        End this subscription; the channel's last one unsubscribes from it.  The handler
        is not called any more; an iteration still takes what waits.

        :return: fires when the server has confirmed, at once where it need not; fails
            with :class:`~txtokensock.errors.CallTimeout` or a
            :class:`~txtokensock.errors.RemoteError`.
        """
        elsewhere = wrong_thread()
        return self._drop(self) if elsewhere is None else fail(elsewhere)

    # -- for those who ask the server

    def confirm(self, now: float) -> Gap | None:
        """
        The server has confirmed it, on this connection.

        :return: the time in which it was not, which its user has been told of, too.
        """
        if self._ended or self._confirmed:
            return None
        since, self._missing_since = self._missing_since, None
        self._confirmed = self._was_confirmed = True
        self._tell(None)
        if since is None:
            return None
        gap = Gap(self.channel, since, now)
        self.miss(gap)
        return gap

    def miss(self, gap: Gap) -> None:
        """Messages may be missing; its user is told of that."""
        if self._gap_listener is not None:
            call_listener(self._gap_listener, self, gap)

    def lose(self, since: float) -> bool:
        """
        It is not confirmed any more; see :meth:`tell`.

        :param since: when messages may have begun to be missing.
        :return: whether it was.
        """
        confirmed, self._confirmed = self._confirmed, False
        if confirmed:
            self._missing_since = since
        return confirmed

    def tell(self, error: Exception) -> None:
        """Tell the listener why it is not confirmed, unless that has changed meanwhile."""
        if not self._ended and not self._confirmed:
            self._tell(error)

    def _tell(self, error: Exception | None) -> None:
        if self._listener is not None:
            call_listener(self._listener, self, error)

    def wait_after(self, failure: Failure, number: int) -> float | None:
        """
        Ask the policy what follows from a failure.

        :param number: 1 for the first failure in a row.
        :return: seconds until the server is to be asked again; None where this ends.
        """
        if not self.persistent and not self._was_confirmed:
            return None
        return ask_policy(self._retry, failure, number)

    def hears(self, *, ends: bool) -> bool:
        """Whether a failure reaches its user in another way than by ``error`` listeners."""
        return self._listener is not None or (ends and len(self.confirmation) > 0)

    # -- for those who deliver

    def deliver(self, message: Any) -> None:
        """Take a message that came in; after the end it is dropped."""
        if self._ended:
            return
        if self._work is not None:
            self._work.deliver(message)
            return
        if not self._waiting.fire_first(message):
            self._buffer.append(message)

    def ended(self, reason: Exception | None, *, discard: bool) -> None:
        """
        No more messages come.

        :param reason: what an iteration raises when it has taken what waits.
        :param discard: whether the handler is not to get what waits for it.
        """
        if discard and self._work is not None:
            self._buffer.clear()
        if self._ended:
            return
        self._ended = True
        self._reason = reason
        self._buffer.end()
        self._confirmed = False
        while self._waiting:
            self._waiting.fire_first(Failure(self._stop()))
        if reason is not None:
            self._tell(reason)

    # -- iteration

    def __aiter__(self) -> AsyncIterator[M]:
        if self._work is not None:
            raise UsageError(f"the messages of {self!r} go to its handler")
        iteration: _Iteration[M] = _Iteration(self)
        self._iterations += 1
        self._buffer.wanted = True
        # A loop that is left does not say so: its iterator just goes.
        weakref.finalize(iteration, self._iteration_gone).atexit = False
        return iteration

    def _iteration_gone(self) -> None:
        # The garbage collector may say so, in any thread and in the middle of anything.
        if not self._ended:
            self._flow.in_turn(self._iteration_left)

    def _iteration_left(self) -> None:
        self._iterations -= 1
        self._buffer.wanted = self._iterations > 0

    async def _next(self) -> M:
        if self._buffer.messages:
            return cast(M, self._buffer.pop())
        if self._ended:
            raise self._stop()
        return cast(M, await self._waiting.wait())

    def _stop(self) -> Exception:
        if self._reason is None:
            return StopAsyncIteration()
        return self._reason.with_traceback(None)  # raised before, maybe


class TypedSubscription(Subscription[M]):
    """
    A subscription whose messages become a type of the user's; others are left out.

    :param read: makes one of a message, or raises ``UnexpectedData``.
    :param report: called with that error.
    """

    def __init__(
        self,
        read: Callable[[Any], M],
        report: Callable[[Exception], None],
        *arguments: Any,
        **options: Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._read = read
        self._report = report

    def deliver(self, message: Any) -> None:
        """Take a message that came in, or report what is wrong with it."""
        if not self.active:
            return
        try:
            message = self._read(message)
        except UnexpectedData as problem:
            self._report(problem)
        else:
            super().deliver(message)


class _Iteration(AsyncIterator[M]):
    """One loop over a subscription, for as long as the loop runs."""

    def __init__(self, subscription: Subscription[M]) -> None:
        self._subscription = subscription

    async def __anext__(self) -> M:
        return await self._subscription._next()


class _Work:
    """
    What a handler has to do: messages in order, up to ``limit`` at a time, and what is
    beyond that waits in the buffer.
    """

    def __init__(self, handler: Listener, buffer: Buffer, limit: int) -> None:
        self._handler = handler
        self._buffer = buffer
        self._limit = limit
        self._running = 0
        self._handing = False
        buffer.wanted = True

    def deliver(self, message: Any) -> None:
        """A message came in, maybe while the handler is being called with another."""
        if self._handing or self._running >= self._limit:
            self._buffer.append(message)
            return
        self._handing = True
        try:
            running = call_listener(self._handler, message)
            if running is not None:
                self._follow(running)
        finally:
            self._handing = False
        if self._buffer.messages:
            self._hand()

    def _hand(self) -> None:
        # Others may come in meanwhile, for to take one is to read on: they wait their turn.
        self._handing = True
        try:
            while self._buffer.messages and self._running < self._limit:
                running = call_listener(self._handler, self._buffer.pop())
                if running is not None:
                    self._follow(running)
        finally:
            self._handing = False

    def _follow(self, running: Deferred[Any]) -> None:
        self._running += 1
        running.addCallback(self._done)

    def _done(self, result: Any) -> Any:
        self._running -= 1
        if self._buffer.messages and not self._handing:
            self._hand()
        return result  # the Deferred is the handler's: others may wait for it
