"""
A slow link in memory, on a Clock: so many bytes a second, behind a kernel that takes many.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.protocols.policies import WrappingFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from txtokensock.support.timer import Timer

__all__ = ["SlowWire"]

_KERNEL = 1_000_000
"""Bytes that this side's kernel takes; then the buffer of the transport fills."""

_BUFFER = 64 * 1024
_TICK = 0.05


class _Wire(Protocol):
    """The transport of a client, and the protocol of the connection behind it."""

    transport: Any

    def __init__(self, clock: Clock, speed: int, protocol: Any) -> None:
        self._protocol = protocol
        self._step = int(speed * _TICK)
        self._out = bytearray()
        self._in = bytearray()
        self._timer = Timer(clock, self._tick)
        self._producer: Any = None
        self._full = self._closing = self._deaf = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def connectionMade(self) -> None:
        self._protocol.makeConnection(self)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._timer.stop()
        if self._in:
            self._protocol.dataReceived(bytes(self._in))
        self._protocol.connectionLost(reason)

    # -- both directions

    def _go_on(self) -> None:
        if not self._timer.running and (self._out or (self._in and not self._deaf)):
            self._timer.start(_TICK)

    def _tick(self) -> None:
        out, self._out = self._out[: self._step], self._out[self._step :]
        if out:
            self.transport.write(bytes(out))
        if self._full and len(self._out) <= _KERNEL:
            self._full = False
            self._producer.resumeProducing()
        if self._closing and not self._out:
            self.transport.loseConnection()
        if not self._deaf and self._in:
            data, self._in = self._in[: self._step], self._in[self._step :]
            self._protocol.dataReceived(bytes(data))
        self._look()
        self._go_on()

    def _look(self) -> None:
        """Read no more from the server than a link holds."""
        if len(self._in) > _BUFFER:
            self.transport.pauseProducing()
        else:
            self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        self._in += data
        self._look()
        self._go_on()

    # -- the transport

    def write(self, data: bytes) -> None:
        """Leave it to the kernel."""
        self._out += data
        if len(self._out) > _KERNEL + _BUFFER and self._producer is not None and not self._full:
            self._full = True
            self._producer.pauseProducing()
        self._go_on()

    def writeSequence(self, data: list[bytes]) -> None:
        """The same."""
        self.write(b"".join(data))

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Follow the buffer."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """Do not."""
        self._producer, self._full = None, False

    def pauseProducing(self) -> None:
        """Hand no more up."""
        self._deaf = True

    def resumeProducing(self) -> None:
        """Hand it up."""
        self._deaf = False
        self._go_on()

    def loseConnection(self) -> None:
        """When all has left."""
        self._closing = True
        if not self._out:
            self.transport.loseConnection()


@implementer(IStreamClientEndpoint)
class SlowWire:
    """
    :param endpoint: connects.
    :param speed: bytes a second of each connection, in each direction.
    """

    def __init__(self, endpoint: IStreamClientEndpoint, clock: Clock, speed: int) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._speed = speed

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        wrapping = WrappingFactory(protocolFactory)  # type: ignore[arg-type]
        wrapping.noisy = False
        wrapping.protocol = lambda _, inner: _Wire(self._clock, self._speed, inner)  # type: ignore[assignment]
        connecting = self._endpoint.connect(wrapping)
        return connecting.addCallback(lambda wire: wire._protocol)  # type: ignore[attr-defined]
