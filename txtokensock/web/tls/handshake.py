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
    """Connecting was cancelled while TLS was awaited, which a server may not speak."""

    def __init__(self) -> None:
        super().__init__("TLS was not answered, is it http:// there?")


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """
    Connects with TLS.

    Other than with Twisted's ``wrapClientTLS`` the connection counts as made when both
    sides agree on TLS: what goes wrong with that is a failure to connect, and takes its
    time.  (What the server thinks of our certificate it says later, as of TLS 1.3.)

    :param reactor: collects small writes.
    :param creator: decides on the server's certificate.
    :param endpoint: the way to the server.
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
        :return: fires with the factory's protocol, which is built when TLS is there.
            Fails with what the endpoint fails with, with OpenSSL's errors, with
            ``ConnectionLost`` if the server hangs up instead, and with what the factory
            raises.  Cancelling it, and every failure, drops the connection; once there is
            one, it fails with :class:`TLSUnanswered` then.
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
    """A peer may close TLS in the middle of its handshake, for which Twisted 26.10 raises."""

    def dataReceived(self, data: bytes) -> None:
        try:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        except IndexError as problem:
            if not isinstance(problem.__context__, ZeroReturnError):
                raise
            self.transport.loseConnection()  # type: ignore[union-attr]


class _Handshakes(Factory):
    """
    :ivar latest: of the connection that was made, fires with the protocol when TLS is
        there; cancelling it drops the connection.
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
    Waits for the end of the handshake, and gives its place to the protocol then.

    :ivar done: fires with that.
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
            if not self.done.called:  # the factory may cancel the attempt
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
            reason = Failure(ConnectionLost("the server hung up instead of speaking TLS"))
        self.done.errback(reason)

    def _fail(self, failure: Failure) -> None:
        if not self.done.called:
            self.done.errback(failure)
        self.transport.abortConnection()
