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
    A server and the ports that it listens on, which stop in order: first no client can
    connect any more, then the server ends its peers, and the admin pages end last.

    :param server: the server.
    :param listening: listens for clients.
    :param admin: serves the pages for operators.
    :param welcome: a text that is printed to standard output once it serves.
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
        """Start all, and print the welcome."""
        super().startService()  # type: ignore[no-untyped-call]
        if self._welcome is not None:
            # Not in the log: its time stamps would be copied with the commands.
            print(self._welcome, file=sys.__stdout__, flush=True)

    def stopService(self) -> Deferred[None]:
        """
        :return: fires with None when the last answer was sent or given up, see
            :meth:`TokenSocketServer.stopService`, and nothing listens any more.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        # Both in one turn, in this order: no client can connect between them.
        closed = self._listening.stopService()
        stopped = self._server.stopService()
        count = len(self._server.peers())
        self._log.info("stopping: {count} peers may finish their requests", count=count)
        await closed
        await stopped
        if self._admin is not None:
            await self._admin.stopService()
