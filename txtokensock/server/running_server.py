"""
The server from one start of the service to the stop that follows.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..sockjs.server.resource import SockJSResource
from ..support.waiters import Waiters
from .close_codes import SHUTTING_DOWN
from .server_context import ServerContext
from .store.interface import IStore

__all__ = ["RunningServer"]


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
        context.peers.set_open(True, context.reactor.seconds())
        self.sockjs = sockjs
        self.stopping = False
        self._stopped = False
        self._ends: Waiters[None] = Waiters()

    def stop(self) -> Deferred[None]:
        """:return: fires with None when all has ended; cancelling it only stops the wait."""
        if not self.stopping:
            self.stopping = True
            Deferred.fromCoroutine(self._stop()).addErrback(self._surprised)
        return succeed(None) if self._stopped else self._ends.wait()

    async def _stop(self) -> None:
        context = self._context
        context.peers.set_open(False, context.reactor.seconds())
        context.peers.ask_to_leave(context.slices)
        try:
            empty = context.peers.when_empty()
            await empty.addTimeout(context.limits.shutdown_timeout, context.reactor)
        except TimeoutError:
            left = context.peers.all()
            self._log.warn(
                "{count} peers did not finish in time", event="server.unfinished", count=len(left)
            )
            await context.slices.for_each(left, lambda peer: peer.close(*SHUTTING_DOWN))
        await self.sockjs.close_sessions(*SHUTTING_DOWN)
        context.hub.stop()
        context.slices.stop()
        context.peers.set_open(False, context.reactor.seconds())
        await self._link.close()
        self._over()

    def _surprised(self, failure: Failure) -> None:
        self._log.failure("the server could not stop in order", failure, event="server.failed")
        self._over()

    def _over(self) -> None:
        self._stopped = True
        self._ends.fire()
