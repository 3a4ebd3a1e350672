"""
The server between its start and its stop.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..sockjs.server.resource import SockJSResource
from .close_codes import SHUTTING_DOWN
from .server_context import Core
from .store.interface import IStore

__all__ = ["Run"]


class Run:
    """
    Starts at once.

    :param core: what the server's peers share.
    :param store: to connect to.
    :param sockjs: whose sessions the peers are.
    :ivar sockjs: the same.
    :ivar stopping: whether it was told to stop.
    """

    _log = Logger()

    def __init__(self, core: Core, store: IStore, sockjs: SockJSResource) -> None:
        self._core = core
        self._link = store.connect(core.hub, core.reactor)
        core.hub.link = self._link
        core.peers.set_open(True, core.reactor.seconds())
        self.sockjs = sockjs
        self.stopping = False
        self._stopped = False
        self._waiting: list[Deferred[None]] = []

    def stop(self) -> Deferred[None]:
        """:return: fires with None when all is over; cancelling it stops the wait alone."""
        if not self.stopping:
            self.stopping = True
            Deferred.fromCoroutine(self._stop()).addErrback(self._surprised)
        if self._stopped:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    async def _stop(self) -> None:
        core = self._core
        core.peers.set_open(False, core.reactor.seconds())
        for peer in core.peers.all():
            peer.leave()
        try:
            empty = core.peers.when_empty()
            await empty.addTimeout(core.limits.shutdown_timeout, core.reactor)
        except TimeoutError:
            left = core.peers.all()
            self._log.warn("{count} peers did not finish in time", count=len(left))
            for peer in left:
                peer.close(*SHUTTING_DOWN)
        await self.sockjs.close_sessions(*SHUTTING_DOWN)
        core.turn_end.stop()
        core.hub.link = None
        core.peers.set_open(False, core.reactor.seconds())
        await self._link.close()
        self._over()

    def _surprised(self, failure: Failure) -> None:
        self._log.failure("the server could not stop in order", failure)
        self._over()

    def _over(self) -> None:
        self._stopped = True
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done.callback(None)
