"""
TLS as a step of connecting.
"""

from __future__ import annotations

from typing import Any

from OpenSSL.SSL import ZeroReturnError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from ...support.timeouts import Unanswered

__all__ = ["TLSEndpoint", "TLSUnanswered"]


class TLSUnanswered(Unanswered):
    """Connecting was cancelled before the TLS handshake was complete."""

    def __init__(self) -> None:
        super().__init__("TLS was not answered, is it http:// there?")


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """
    Connects with TLS.

    Unlike with Twisted's ``wrapClientTLS``, the connection counts as made when the handshake
    is complete: an error of it is a failure to connect, and its time is part of connecting.
    (As of TLS 1.3 a server refuses a client's certificate only after that.)

    :param reactor: schedules the sending of small writes, which are gathered.
    :param creator: makes the TLS connections, and verifies certificates.
    :param endpoint: connects to the server.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        creator: IOpenSSLClientConnectionCreator,
        endpoint: IStreamClientEndpoint,
    ) -> None:
        self._reactor = reactor
        self._creator = creator
        self._endpoint = endpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        :return: fires with the factory's protocol, which is built when the handshake is
            complete.  Fails with the endpoint's error, with OpenSSL's errors, with
            ``ConnectionLost`` if the server closes the connection instead, and with what the
            factory raises.  Cancelling it, and every failure, drops the connection; if it is
            cancelled during the handshake, it fails with :class:`TLSUnanswered`.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        handshakes = _Handshakes(factory)
        tls = TLSMemoryBIOFactory(self._creator, True, handshakes, clock=self._reactor)
        tls.protocol = _TLS
        await self._endpoint.connect(tls)
        assert handshakes.latest is not None
        return await handshakes.latest


class _TLS(TLSMemoryBIOProtocol):
    """Twisted 26.10 raises where a peer closes TLS in the middle of the handshake."""

    def dataReceived(self, data: bytes) -> None:
        try:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        except IndexError as problem:
            if not isinstance(problem.__context__, ZeroReturnError):
                raise
            self.transport.loseConnection()  # type: ignore[union-attr]


class _Handshakes(Factory):
    """
    Builds a protocol that waits for the handshake.

    :ivar latest: the ``done`` of the connection that was made last.
    """

    noisy = False

    def __init__(self, factory: IProtocolFactory) -> None:
        self._factory = factory
        self.latest: Deferred[IProtocol] | None = None

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: Any) -> _Handshake:
        handshake = _Handshake(self._factory, addr)
        self.latest = handshake.done
        return handshake


@implementer(IHandshakeListener)
class _Handshake(Protocol):
    """
    Waits for the end of the handshake, and is then replaced by the protocol.

    :ivar done: fires with the protocol; cancelling it drops the connection.
    """

    transport: Any

    def __init__(self, factory: IProtocolFactory, address: IAddress) -> None:
        self._factory = factory
        self._address = address
        self.done: Deferred[IProtocol] = Deferred(lambda _: self._fail(Failure(TLSUnanswered())))

    def handshakeCompleted(self) -> None:
        try:
            protocol = self._factory.buildProtocol(self._address)
            if protocol is None:
                raise NoProtocol()
            if not self.done.called:  # the factory may have cancelled the attempt
                self.transport.wrappedProtocol = protocol
                protocol.makeConnection(self.transport)
        except Exception:
            self.transport.wrappedProtocol = self
            self._fail(Failure())
        else:
            if not self.done.called:
                self.done.callback(protocol)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.done.called:
            return
        if reason.check(ConnectionDone, ConnectionLost):
            reason = Failure(
                ConnectionLost("the server closed the connection instead of speaking TLS")
            )
        self.done.errback(reason)

    def _fail(self, failure: Failure) -> None:
        if not self.done.called:
            self.done.errback(failure)
        self.transport.abortConnection()
