"""
TCP ports of 127.0.0.1.
"""

from __future__ import annotations

import socket
import sys

from twisted.internet import reactor
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

__all__ = ["ReservedPort", "accepts_connections"]


class ReservedPort:
    """
    A free port of 127.0.0.1 that nobody else is given until it is released.

    A socket that is bound but does not listen keeps it: the child can bind the port too
    (both sides set SO_REUSEADDR), while the system does not hand it to anybody else when
    the child is down, not even to a client of ours that connects from a port of the
    system's choice.  Only Linux lets two sockets share a port that way; elsewhere the
    port is merely known to be free.
    """

    def __init__(self) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", 0))
        self.number: int = self._socket.getsockname()[1]
        if sys.platform != "linux":
            self.release()

    def release(self) -> None:
        self._socket.close()


async def accepts_connections(port: int) -> None:
    """Wait until somebody listens there: without a deadline, it is cancelled."""
    endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port)
    while True:
        try:
            connected = await connectProtocol(endpoint, Protocol())
        except ConnectError:
            await deferLater(reactor, 0.02)
        else:
            connected.transport.abortConnection()
            return
