"""
A real server in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ..server import TokenSocketServer
from .host import MemoryHost

__all__ = ["MakeServer", "MemoryServer"]


class MemoryServer(MemoryHost):
    """
    A :class:`~txtokensock.server.TokenSocketServer` in memory, for tests of applications
    that hold a client, a server, or both::

        memory = MemoryServer(lambda clock: TokenSocketServer(authenticate, reactor=clock))
        socket = memory.client()
        socket.startService()
        assert memory.result(socket.rpc("echo", 1)) == 1
        memory.finish()

    Both ends are the real ones, down to HTTP and the WebSockets; only TCP and the time
    are not.  At the end, ``memory.finish()`` stops both.

    :param build: builds the server, given the clock; it is started.
    :param clock: the time; a new one by default.
    :ivar server: what was built.
    """

    def __init__(
        self, build: Callable[[Clock], TokenSocketServer], clock: Clock | None = None
    ) -> None:
        clock = clock or Clock()
        self.server = build(clock)
        site = self.server.site()
        site.timeOut = None  # the only timers are the server's and its clients'
        super().__init__(site, clock)
        self.server.startService()

    def _stop(self) -> list[Deferred[None]]:
        return [self.server.stopService()]


MakeServer: TypeAlias = Callable[[Callable[[Clock], TokenSocketServer]], MemoryServer]
"""The type of the fixture ``tokensock_server``."""
