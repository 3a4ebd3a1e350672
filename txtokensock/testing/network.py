"""
TCP in memory, on a Clock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeAlias, get_args

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import (
    IConsumer,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.task import Clock, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.iweb import IAgent, IAgentEndpointFactory
from zope.interface import implementer

from ..support.checks import check_choice
from ..support.providers import AnyFactory
from ..support.timer import NextTurn

__all__ = ["Accept", "MemoryNetwork", "MemoryTransport", "NetworkFault"]

_READ = 64 * 1024
_BUFFER = 64 * 1024

NetworkFault: TypeAlias = Literal["drop", "hang up", "refuse", "silence"]
"""
What goes wrong with a network:

``"drop"``
    every connection is reset, now;
``"hang up"``
    the server closes every connection, now;
``"refuse"``
    from now on, every new connection is refused;
``"silence"``
    from now on, nothing arrives, on old connections and on new ones.
"""

Accept = Callable[[], bool | None]
"""Asked for each connection: True makes it, False refuses it, None never answers."""


@implementer(ITransport, IConsumer, IPushProducer)
class MemoryTransport:
    """
    One end of a connection, which behaves as a TCP transport of Twisted does: writes go
    out in a later turn, what the other end does not read stays in the buffer and pauses
    the producer, an orderly close waits for the buffer, a paused end does not notice
    that the connection is gone.

    :ivar other: the other end.
    :ivar silent: whether what is written stays here.
    :ivar connected: whether this end has not lost the connection yet.
    :ivar bytes_written: by the protocol at this end, so far.
    """

    _log = Logger()
    disconnecting = False

    def __init__(self, clock: Clock, host: IPv4Address, peer: IPv4Address) -> None:
        self._clock = clock
        self._host = host
        self._peer = peer
        self._protocol: IProtocol | None = None
        self._buffer = bytearray()
        self._schedule = NextTurn(clock, self._turn).schedule
        self._loss: Exception | None = None
        self._reading = True
        self._producer: Any = None
        self._streaming = True
        self._producer_paused = False
        self.other: MemoryTransport = self
        self.silent = False
        self.connected = True
        self.bytes_written = 0

    def __repr__(self) -> str:
        state = "connected" if self.connected else "closed"
        return f"<MemoryTransport {self._host.port}-{self._peer.port} {state}>"

    def start(self, protocol: IProtocol) -> None:
        """Put ``protocol`` on this end."""
        self._protocol = protocol
        protocol.makeConnection(self)

    # -- ITransport

    def write(self, data: bytes) -> None:
        """Send, in a later turn."""
        if not self.connected or self.disconnecting:
            return
        self._buffer += data
        self.bytes_written += len(data)
        is_full = len(self._buffer) > _BUFFER and self._producer is not None and self._streaming
        if is_full and not self._producer_paused:
            self._producer_paused = True
            self._producer.pauseProducing()
        self._schedule()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send, in a later turn."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close, once the other end has read what was written."""
        if self.connected:
            self.disconnecting = True
            self._schedule()

    def abortConnection(self) -> None:
        """Close in the next turn; what was not read yet is lost, in both directions."""
        if self.connected:
            self._end(ConnectionAborted(), ConnectionLost())

    def cut(self) -> None:
        """
        The connection is gone at this very moment, as a reactor may find out in the turn
        in which it delivered the last bytes.
        """
        if self.connected:
            self._end(ConnectionLost(), ConnectionLost())
            self._lost(ConnectionLost())

    def getHost(self) -> IPv4Address:
        """The address of this end."""
        return self._host

    def getPeer(self) -> IPv4Address:
        """The other end's address."""
        return self._peer

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing waits for more here."""

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Nothing is lost here."""

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """Stop reading from the other end."""
        self._reading = False

    def resumeProducing(self) -> None:
        """Read from the other end again."""
        self._reading = True
        self._schedule()
        self.other._schedule()

    def stopProducing(self) -> None:
        """Close, as the protocol wants no more."""
        self.loseConnection()

    # -- IConsumer

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        :raises RuntimeError: if there is one.
        """
        if self._producer is not None:
            raise RuntimeError(f"{producer!r} cannot be registered: {self._producer!r} is")
        if not self.connected:
            producer.stopProducing()
            return
        self._producer = producer
        self._streaming = streaming
        self._producer_paused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Do not pause or resume the producer any more."""
        self._producer = None

    # -- turns of the reactor

    def speak_again(self) -> None:
        """Send what was kept while the network was silent."""
        self.silent = False
        self._schedule()

    def _turn(self) -> None:
        if not self.connected:
            return
        if self._loss is not None:
            if self._reading or self.disconnecting:
                self._lost(self._loss)
            return
        if self._buffer and self.other._reading and not self.silent:
            data = bytes(self._buffer[:_READ])
            del self._buffer[:_READ]
            self.other._received(data)
            self._schedule()
        elif not self._buffer:
            self._drained()

    def _drained(self) -> None:
        if self._producer is not None and (not self._streaming or self._producer_paused):
            self._producer_paused = False
            self._producer.resumeProducing()
        elif self.disconnecting:
            self._end(ConnectionDone(), ConnectionDone())

    def _received(self, data: bytes) -> None:
        if not self.connected or self._loss is not None or self._protocol is None:
            return
        try:
            self._protocol.dataReceived(data)
        except Exception:
            # As the reactor does; trial fails the test for it.
            self._log.failure("the protocol raised from dataReceived")
            self.abortConnection()

    def _end(self, own: Exception, others: Exception) -> None:
        for end, reason in ((self, own), (self.other, others)):
            if end.connected and end._loss is None:
                end._loss = reason
                end._buffer.clear()
                end._schedule()
        self.disconnecting = True  # its own end is no news, however little it reads

    def _lost(self, reason: Exception) -> None:
        self.connected = False
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if self._protocol is not None:
            self._protocol.connectionLost(Failure(reason))


class MemoryNetwork:
    """
    Connects clients to one server in memory.

    :param clock: whose turns move the bytes.
    :param factory: the server's.
    :ivar connections: both ends, (client, server), of every connection ever made.
    """

    def __init__(self, clock: Clock, factory: AnyFactory) -> None:
        self._clock = clock
        self._factory = factory
        self._accepts: bool | None = True
        self.connections: list[tuple[MemoryTransport, MemoryTransport]] = []

    @property
    def open(self) -> list[tuple[MemoryTransport, MemoryTransport]]:
        """The connections that have not ended on both sides."""
        return [pair for pair in self.connections if pair[0].connected or pair[1].connected]

    def fault(self, name: NetworkFault) -> None:
        """
        Let something go wrong.

        :param name: of the fault; ``"refuse"`` and ``"silence"`` last until :meth:`heal`.
        :raises InvalidOption: if there is no such fault.
        """
        check_choice("the fault", name, get_args(NetworkFault))
        for client, server in self.open:
            if name == "drop":
                server.abortConnection()
            elif name == "hang up":
                server.loseConnection()
            elif name == "silence":
                client.silent = server.silent = True
        if name == "refuse":
            self._accepts = False
        elif name == "silence":
            self._accepts = None

    def heal(self) -> None:
        """End every fault.  What waited since a ``"silence"`` arrives, as TCP sends it again."""
        self._accepts = True
        for pair in self.open:
            for end in pair:
                end.speak_again()

    def endpoint(self, accept: Accept = lambda: True, port: int = 80) -> IStreamClientEndpoint:
        """
        An endpoint that connects to the server, whatever its factory speaks.

        :param accept: see :data:`~txtokensock.testing.network.Accept`.
        :param port: the server's, for its address alone.
        """
        return _MemoryEndpoint(self, accept, port)

    def agent(self, accept: Accept = lambda: True) -> IAgent:
        """
        Twisted's own ``Agent``, on connections to the server; it needs no TLS for
        ``https``.
        """
        agent: IAgent = Agent.usingEndpointFactory(
            self._clock, _AgentEndpoints(lambda port: self.endpoint(accept, port))
        )
        return agent

    def connect(self, factory: IProtocolFactory, port: int) -> IProtocol | None:
        """
        :return: the protocol of ``factory``, connected; None if either factory built none.
        """
        client_address = IPv4Address("TCP", "10.0.0.1", 50_000 + len(self.connections))
        server_address = IPv4Address("TCP", "10.0.0.2", port)
        served = self._factory.buildProtocol(client_address)
        protocol = factory.buildProtocol(server_address)
        if protocol is None or served is None:
            return None
        client = MemoryTransport(self._clock, client_address, server_address)
        server = MemoryTransport(self._clock, server_address, client_address)
        client.other, server.other = server, client
        self.connections.append((client, server))
        server.start(served)
        client.start(protocol)
        return protocol


@implementer(IStreamClientEndpoint)
class _MemoryEndpoint:
    def __init__(self, network: MemoryNetwork, accept: Accept, port: int) -> None:
        self._network = network
        self._accept = accept
        self._port = port

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        accepted = self._accept() if self._network._accepts else self._network._accepts
        if accepted is None:
            return Deferred()
        connecting: Deferred[IProtocol] = deferLater(
            self._network._clock, 0, self._connect, protocolFactory, accepted
        )
        return connecting

    def _connect(self, factory: IProtocolFactory, accepted: bool) -> IProtocol:
        protocol = self._network.connect(factory, self._port) if accepted else None
        if protocol is None:
            raise ConnectionRefusedError
        return protocol


@implementer(IAgentEndpointFactory)
class _AgentEndpoints:
    def __init__(self, endpoint: Callable[[int], IStreamClientEndpoint]) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        return self._endpoint(uri.port)
