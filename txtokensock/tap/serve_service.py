"""
What ``twistd tokensock serve`` runs: a server, and the ports that lead to it.
"""

from __future__ import annotations

import sys

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ..server import TokenSocketServer
from .endpoint_service import EndpointService

__all__ = ["ServeService"]


class ServeService(MultiService):
    """
    A server and where it listens, which end in order: first nobody new comes in, then the
    server takes leave of those who are there, and last the pages go that say so.

    :param server: the server.
    :param listening: where its clients come in.
    :param admin: where its pages for operators are.
    :param welcome: for people, on the standard output.
    """

    _log = Logger()

    def __init__(
        self,
        server: TokenSocketServer,
        listening: EndpointService,
        admin: EndpointService | None = None,
        *,
        welcome: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._server = server
        self._listening = listening
        self._admin = admin
        self._welcome = welcome
        for service in (server, listening, admin):
            if service is not None:
                service.setServiceParent(self)  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Serve, and say so."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._welcome is not None:
            # Beside the log, whose time stamps would be in the way of copying.
            print(self._welcome, file=sys.__stdout__, flush=True)

    def stopService(self) -> Deferred[None]:
        """
        :return: fires with None when the last answer was sent or given up, see
            :meth:`TokenSocketServer.stopService`, and nothing listens any more.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Both at once, in this order: nobody can come in between.
        closed = self._listening.stopService()
        stopped = self._server.stopService()
        count = len(self._server.peers())
        self._log.info("stopping, {count} peers finish what they asked for", count=count)
        await closed
        await stopped
        if self._admin is not None:
            await self._admin.stopService()
