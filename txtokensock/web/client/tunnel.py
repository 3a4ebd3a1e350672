"""
A connection through a proxy: what all kinds of proxies have in common.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError, NoProtocol
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from ...address import url_host
from ...errors import ConnectFailed, ConnectionFailed, ProxyRefused
from ...support.timeouts import Unanswered
from ..tls.policy import explain, tls_failure

__all__ = ["Negotiation", "ProxyUnanswered", "TunnelEndpoint"]


class ProxyUnanswered(Unanswered):
    """Connecting was cancelled before the proxy was reached, or before it answered."""


class Negotiation(typing.Protocol):
    """The negotiation with a proxy on one connection (no I/O)."""

    def start(self, write: Callable[[bytes], object]) -> None:
        """
        Begin the negotiation.

        :param write: sends bytes to the proxy.
        """

    def received(self, data: bytes) -> bytes | None:
        """
        Take bytes from the proxy, in pieces of any size.

        :return: None until the proxy has connected us, then what came after its answer.
        :raises ProxyRefused: if the proxy does not connect us.
        """


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """
    Connects to a proxy, and has it connect us: a kind of proxy says how in :meth:`negotiate`.

    :param proxy_endpoint: connects to the proxy, with TLS if that speaks it.
    :param host: where the proxy is to connect us: a name, which the proxy resolves, or an
        IP address, IPv6 without brackets.
    :param port: the same.
    :param proxy_name: the proxy in error texts; it must hold no password.
    """

    def __init__(
        self, proxy_endpoint: IStreamClientEndpoint, host: str, port: int, *, proxy_name: str
    ) -> None:
        self.target = f"{url_host(host)}:{port}"
        self.proxy_name = proxy_name
        self._proxy_endpoint = proxy_endpoint

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self.target} through {self.proxy_name}>"

    def negotiate(self) -> Negotiation:
        """
        :return: the negotiation with the proxy, for one connection.
        """
        raise NotImplementedError

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect to the proxy, have it connect us, and put the factory's protocol on the result.

        From then on that protocol has the connection's own transport, so that writing, flow
        control and TLS cost nothing more; ``getPeer()`` is the proxy.

        :return: fires with the protocol when the proxy has connected us; what came behind
            its answer is delivered after that.  Fails with
            :class:`~txtokensock.errors.ConnectFailed` if the proxy cannot be reached
            (:class:`~txtokensock.errors.TLSFailed` if TLS with it cannot be had), with
            :class:`~txtokensock.errors.ProxyRefused` if it does not connect us, with what
            the factory raised, and with ``NoProtocol`` if it built none.  It has no
            deadline of its own.  Cancelling it, and every failure, drops the connection;
            cancelled, it fails with :class:`ProxyUnanswered`.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        entrances = _Entrances(self.negotiate, factory, self.proxy_name)
        try:
            entrance = await self._proxy_endpoint.connect(entrances)
        except (CancelledError, ConnectingCancelledError) as cancelled:
            why = f": {cancelled}" if isinstance(cancelled, Unanswered) else ""
            raise ProxyUnanswered(f"the proxy {self.proxy_name} was not reached{why}") from None
        except Exception as problem:
            what = _unreachable(self.proxy_name)
            failed = tls_failure(problem, "connect", what)
            raise failed or ConnectFailed(f"{what}: {explain(problem)}", "connect") from problem
        assert isinstance(entrance, _Entrance)
        return await entrance.opened


class _Entrances(Factory):
    """Starts and stops the user's factory, as Twisted's own endpoints do."""

    noisy = False

    def __init__(
        self, negotiate: Callable[[], Negotiation], factory: IProtocolFactory, proxy_name: str
    ) -> None:
        self._negotiate = negotiate
        self._factory = factory
        self._proxy_name = proxy_name

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()

    def buildProtocol(self, addr: Any) -> _Entrance:
        return _Entrance(self._negotiate(), self._factory, addr, self._proxy_name)


class _Entrance(Protocol):
    """
    Negotiates with the proxy, and then stands between transport and protocol.

    :ivar opened: fires with the protocol; cancelling it drops the connection.
    """

    def __init__(
        self,
        negotiation: Negotiation,
        factory: IProtocolFactory,
        address: IAddress,
        proxy_name: str,
    ) -> None:
        self.opened: Deferred[IProtocol] = Deferred(self._cancel)
        self._negotiation = negotiation
        self._factory = factory
        self._address = address
        self._proxy_name = proxy_name
        self._inner: IProtocol | None = None
        self._dropped = False

    def connectionMade(self) -> None:
        assert self.transport is not None
        self._negotiation.start(self.transport.write)

    def dataReceived(self, data: bytes) -> None:
        if self._inner is not None:
            self._inner.dataReceived(data)
        elif not self._dropped:
            self._negotiate(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif not self._dropped:
            self.opened.errback(self._lost(reason))

    def _negotiate(self, data: bytes) -> None:
        try:
            rest = self._negotiation.received(data)
        except ProxyRefused:
            self._fail()
            return
        if rest is not None:
            self._open()
            hung_up = getattr(self.transport, "disconnecting", False)
            if rest and self._inner is not None and not hung_up:
                self._inner.dataReceived(rest)

    def _open(self) -> None:
        assert self.transport is not None
        try:
            inner = self._factory.buildProtocol(self._address)
            if inner is None:
                raise NoProtocol()
            if self._dropped:  # the factory cancelled the attempt
                return
            self._inner = inner
            inner.makeConnection(self.transport)
        except Exception:
            self._fail()
        else:
            if not self._dropped:
                self.opened.callback(inner)

    def _cancel(self, opened: Deferred[IProtocol]) -> None:
        self._drop()
        opened.errback(ProxyUnanswered(f"the proxy {self._proxy_name} has not connected us"))

    def _fail(self) -> None:
        """Fail with the exception that is being handled."""
        failure = Failure()
        if not self._dropped:
            self._drop()
            self.opened.errback(failure)

    def _lost(self, reason: Failure) -> ConnectionFailed:
        # A TLS handshake fails after the connection was made.
        assert reason.value is not None
        failed = tls_failure(reason.value, "connect", _unreachable(self._proxy_name))
        return failed or ProxyRefused(
            f"the proxy {self._proxy_name} closed the connection instead of answering"
        )

    def _drop(self) -> None:
        self._dropped = True
        # Every stream transport of a client has abortConnection, though ITransport does not
        # declare it.
        self.transport.abortConnection()  # type: ignore[union-attr]


def _unreachable(proxy_name: str) -> str:
    return f"cannot reach the proxy {proxy_name}"
