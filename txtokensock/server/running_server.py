"""
The server from one start of the service to the stop that follows.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..sockjs.server.resource import SockJSResource
from ..support.timer import Pause
from ..support.waiters import Waiters
from .close_codes import SHUTTING_DOWN
from .server_context import ServerContext
from .store.interface import IStore

__all__ = ["RunningServer"]

_TICK = 0.02
"""The shortest wait between closes, in seconds: what is due within it is closed together."""


class RunningServer:
    """
    Connects to the store and takes peers, until it is stopped.

    :param context: what the server's peers share.
    :param store: to connect to.
    :param sockjs: whose sessions the peers are.
    :ivar sockjs: the same.
    :ivar stopping: whether it was told to stop.
    """

    _log = Logger()

    def __init__(self, context: ServerContext, store: IStore, sockjs: SockJSResource) -> None:
        self._context = context
        self._link = store.connect(context.hub, context.reactor)
        context.hub.link = self._link
        context.peers.open = True
        context.peers.set_ready(True, context.reactor.seconds())
        self.sockjs = sockjs
        self.stopping = False
        self._drained = _Once(self._drain, self._surprised)
        self._ended = _Once(self._stop, self._surprised)
        self._pause = Pause(context.reactor)
        self._finishing: Deferred[None] | None = None
        self._hurried = False

    def drain(self) -> Deferred[None]:
        """:return: fires with None when every peer is gone, or has had its time."""
        return self._drained.wait()

    def hurry(self) -> None:
        """Wait no more: neither to close a peer, nor for requests in flight."""
        self._hurried = True
        self._pause.end()
        if self._finishing is not None:
            self._finishing.cancel()

    def stop(self) -> Deferred[None]:
        """:return: fires with None when all has ended; cancelling it only stops the wait."""
        self.stopping = True
        return self._ended.wait()

    async def _drain(self) -> None:
        context = self._context
        context.peers.set_ready(False, context.reactor.seconds())
        if context.drain_delay:
            await self._pause.wait(context.drain_delay)
        context.peers.open = False
        empty = context.peers.when_empty().addCallback(lambda _: self._pause.end())
        await self._ask_to_leave()
        if self._hurried:
            return
        self._finishing = empty
        with suppress(TimeoutError, CancelledError):  # the latter from hurry()
            await empty.addTimeout(context.limits.shutdown_timeout, context.reactor)

    async def _ask_to_leave(self) -> None:
        """Let every peer finish what it asked for, and close it: evenly over ``drain`` seconds."""
        context, asked = self._context, 0
        leaves, seconds = context.peers.leaves(), context.drain
        if leaves and seconds:
            self._log.info(
                "closing {count} peers within {seconds} seconds",
                event="server.draining",
                count=len(leaves),
                seconds=seconds,
            )
        begun = context.reactor.seconds()
        while asked < len(leaves) and len(context.peers):
            passed = context.reactor.seconds() - begun
            due = len(leaves)
            if passed < seconds and not self._hurried:
                due = min(due, int(passed / seconds * due) + 1)
            await context.slices.for_each(leaves[asked:due], lambda leave: leave())
            asked = due
            if asked < len(leaves) and not self._hurried:
                next_one = begun + asked / len(leaves) * seconds
                await self._pause.wait(max(_TICK, next_one - context.reactor.seconds()))

    async def _stop(self) -> None:
        context = self._context
        await self.drain()
        # The others are gone, or their clients have yet to see that they are closed.
        if left := [peer for peer in context.peers.all() if peer.authenticated]:
            self._log.warn(
                "{count} peers did not finish in time", event="server.unfinished", count=len(left)
            )
            await context.slices.for_each(left, lambda peer: peer.close(*SHUTTING_DOWN))
        await self.sockjs.close_sessions(*SHUTTING_DOWN)
        context.hub.stop()
        context.slices.stop()
        context.deadlines.stop()
        context.peers.set_ready(False, context.reactor.seconds())
        await self._link.close()

    def _surprised(self, failure: Failure) -> None:
        self._log.failure("the server could not stop in order", failure, event="server.failed")


class _Once:
    """
    Something that is done once, and for which many can wait.

    :param begin: does it.
    :param failed: called if that raises; it counts as done.
    """

    def __init__(
        self,
        begin: Callable[[], Coroutine[Any, Any, None]],
        failed: Callable[[Failure], None],
    ) -> None:
        self._begin = begin
        self._failed = failed
        self._begun = self._done = False
        self._waiting: Waiters[None] = Waiters()

    def wait(self) -> Deferred[None]:
        """Begin it, unless it has begun; fires with None when it is done."""
        if not self._begun:
            self._begun = True
            doing = Deferred.fromCoroutine(self._begin())
            doing.addErrback(self._failed).addBoth(self._over)
        return succeed(None) if self._done else self._waiting.wait()

    def _over(self, _: object) -> None:
        self._done = True
        self._waiting.fire()
