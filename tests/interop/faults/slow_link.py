"""
A slow network: a relay that passes so many bytes a second each way, and holds few.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

__all__ = ["SlowLink"]

_BUFFER = 16 * 1024
"""Bytes of the sockets' buffers, which the kernel doubles."""


class _End(Protocol):
    """
    One of the two sockets of a connection, which reads as slowly as the link is.

    :param link: see :class:`SlowLink`.
    """

    transport: Any
    other: _End

    def __init__(self, link: SlowLink) -> None:
        self._link = link
        self._resuming: IDelayedCall | None = None

    def connectionMade(self) -> None:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            self.transport.getHandle().setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        self.transport.readBufferSize = self.transport.bufferSize = 4096
        self.transport.setTcpNoDelay(True)
        self._link.ends.add(self)

    def dataReceived(self, data: bytes) -> None:
        self._link.passed += len(data)
        self.other.transport.write(data)
        self.transport.pauseProducing()
        seconds = len(data) / self._link.bytes_per_second
        self._resuming = reactor.callLater(seconds, self.read_on)

    def read_on(self) -> None:
        """The network has room for more."""
        self._resuming = None
        self.transport.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._resuming is not None:
            self._resuming.cancel()
        self._link.ends.discard(self)
        self.other.transport.loseConnection()


class _Near(_End):
    """The client's side, which reads nothing until there is another."""

    def connectionMade(self) -> None:
        super().connectionMade()
        self.transport.pauseProducing()
        far = _End(self._link)
        far.other, self.other = self, far
        connecting = HostnameEndpoint(reactor, "127.0.0.1", self._link.port).connect(
            Factory.forProtocol(lambda: far)
        )
        connecting.addCallbacks(
            lambda _: self.read_on(), lambda _: self.transport.abortConnection()
        )


class SlowLink:
    """
    :param port: of the server, on this machine.
    :param bytes_per_second: of each connection, in each direction.
    :ivar passed: bytes so far.
    """

    def __init__(self, port: int, bytes_per_second: int) -> None:
        self.port = port
        self.bytes_per_second = bytes_per_second
        self.passed = 0
        self.ends: set[_End] = set()
        factory = Factory.forProtocol(lambda: _Near(self))
        factory.noisy = False
        self._listening: IListeningPort = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self._listening.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)

    @property
    def number(self) -> int:
        """The port that it listens on."""
        number: int = self._listening.getHost().port
        return number

    async def close(self) -> None:
        """Take no more connections, and drop those that there are."""
        for end in tuple(self.ends):
            end.transport.abortConnection()
        await self._listening.stopListening()
