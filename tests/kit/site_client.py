"""
The client's end of an HTTP connection, over a TCP connection in memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.web.server import Site

from .http import Response, parse_response, request, split_chunks

__all__ = ["TCP", "TCP_BUFFER", "Connection"]

TCP_BUFFER = 64 * 1024


class TCP(StringTransport):
    """
    A TCP connection whose peer may stop reading: then what is written stays in the
    buffer, which tells its producer when it is full, and when it has drained.
    """

    def __init__(self, clock: Clock, peer: str) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", peer, 54321))
        self.clock = clock
        self.protocol: Any = None
        self.reading = True
        self.buffered = 0
        self.producer_paused = False
        self.lost = False

    def write(self, data: bytes) -> None:
        if self.lost:
            return
        super().write(data)
        self._fill(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def _fill(self, data: bytes) -> None:
        if not self.reading:
            self.buffered += len(data)
            if self.buffered > TCP_BUFFER and self.producer and not self.producer_paused:
                self.producer_paused = True
                self.producer.pauseProducing()

    def pauseProducing(self) -> None:
        if not self.disconnecting:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        if not self.disconnecting:
            super().resumeProducing()

    def stop_reading(self) -> None:
        """The peer reads no more."""
        self.reading = False

    def read_again(self) -> None:
        """The peer reads all there is."""
        self.reading = True
        self.buffered = 0
        if self.producer_paused:
            self.producer_paused = False
            self.producer.resumeProducing()
        if self.disconnecting:
            self.lose(ConnectionDone())

    def unregisterProducer(self) -> None:
        super().unregisterProducer()
        self.producer_paused = False

    def loseConnection(self) -> None:
        self.disconnecting = True
        if self.reading:
            self.clock.callLater(0, self.lose, ConnectionDone())

    def abortConnection(self) -> None:
        self.disconnected = self.aborting = True
        self.clock.callLater(0, self.lose, ConnectionAborted())

    def lose(self, reason: Exception) -> None:
        if not self.lost:
            self.lost = True
            protocol, self.protocol, self.producer = self.protocol, None, None
            protocol.connectionLost(Failure(reason))

    aborting = False


class Serving(Protocol):
    """What a client connects to."""

    clock: Clock
    site: Site


class Connection:
    """One client's TCP connection to the site."""

    def __init__(self, server: Serving, peer: str) -> None:
        self.tcp = TCP(server.clock, peer)
        self.tcp.protocol = server.site.buildProtocol(self.tcp.getPeer())
        self.tcp.protocol.makeConnection(self.tcp)

    def send(self, data: bytes) -> None:
        """Bytes reach the server, and turns of its reactor pass until it has read them."""
        if not self.tcp.lost:
            self.tcp.protocol.dataReceived(data)
        self.tcp.clock.advance(0)

    def take(self) -> bytes:
        """What the server sent since this was last asked."""
        data: bytes = self.tcp.value()
        self.tcp.clear()
        return data

    def drop(self) -> None:
        """The client goes without a word."""
        self.tcp.lose(ConnectionLost())

    def request(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes = b"",
        version: str = "1.1",
    ) -> Response:
        """Send a request; the response may be incomplete, as a poll's is."""
        whole = body if body or method == "POST" else None
        self.send(request(method, path, headers, whole, version))
        return self.response()

    def response(self) -> Response:
        """The response to the last request, as far as it came."""
        return parse_response(self.tcp.value())

    def chunks(self) -> list[bytes]:
        """The chunks of a streaming response; the last is empty if it has ended."""
        data = self.tcp.value()
        chunks, complete = split_chunks(data.partition(b"\r\n\r\n")[2])
        return [*chunks, b""] if complete else chunks
