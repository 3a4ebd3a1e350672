"""
A real server in memory.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.task import Clock

from ..server import TokenSocketServer
from .host import MemoryHost

__all__ = ["MemoryServer"]


class MemoryServer(MemoryHost):
    """
    A :class:`~txtokensock.server.TokenSocketServer` in memory, for tests of applications
    that hold a client, a server, or both::

        memory = MemoryServer(lambda clock: TokenSocketServer(authenticate, reactor=clock))
        socket = memory.client()
        socket.startService()
        memory.settle()
        answer = socket.rpc("echo", 1)
        memory.settle()

    Both ends are the real ones, down to HTTP and the WebSockets; only TCP and the time
    are not.  At the end, stop both, and let ``memory.settle()`` see them off.

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
