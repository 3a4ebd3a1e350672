"""
A Twisted client endpoint whose stream is a SockJS session.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ...address import Address
from ...errors import ConnectFailed, ConnectionFailed, InvalidOption, Phase
from ...web.headers import HeadersOption
from ...web.outlet import Outlet
from ...web.phases import within_phase
from ...web.proxies import ProxyOption
from ...web.tls import explain
from .destination import Destination
from .session import ClientSession
from .websocket import open_websocket

__all__ = ["SockJSClientEndpoint"]

T = TypeVar("T")

TRANSPORTS = ("websocket",)
"""The transports there are: each is a coroutine method of the endpoint, see ``_connect``."""


@implementer(IStreamClientEndpoint)
class SockJSClientEndpoint:
    """
    Connects any Twisted protocol to a SockJS server.

    The protocol's transport is an
    :class:`~txtokensock.sockjs.interfaces.ISockJSTransport`.

    :param reactor: provides :class:`IReactorTCP`, :class:`IReactorTime` and, for a
        name, a resolver.
    :param url: the SockJS prefix: ``http``, ``https``, ``ws`` or ``wss``, host, port and
        path, as in ``"https://example.com/sockets"``.
    :param headers: sent with every HTTP request of the session: a mapping, or a function
        that gives one (or a Deferred or coroutine of one), asked before every attempt.
    :param transports: what to try; only ``"websocket"`` so far.
    :param tls: decides on certificates; by default the platform's authorities and the
        host's name.
    :param proxy: the URL of a proxy for everything; True for that of the environment,
        False for none.
    :param endpoint: connects instead of TCP to the URL's host (and TLS where the URL
        says so); the URL still names the host to the server.  An endpoint, or the text of
        one such as ``"unix:/run/app.sock"``.
    :param outlet: what other requests share, in place of ``headers``, ``tls``,
        ``proxy`` and ``endpoint``.
    :param connect_timeout: seconds for TCP and TLS.
    :param handshake_timeout: seconds for the WebSocket handshake.
    :param open_timeout: seconds for the server's ``o`` frame after that.
    :param close_timeout: seconds that an orderly close may take.
    :param max_message_size: bytes of one WebSocket message; a larger one ends the
        session.
    :raises InvalidOption: for an option that cannot be.
    """

    def __init__(
        self,
        reactor: Any,
        url: str,
        *,
        headers: HeadersOption | None = None,
        transports: Sequence[str] = TRANSPORTS,
        tls: IPolicyForHTTPS | None = None,
        proxy: ProxyOption = True,
        endpoint: IStreamClientEndpoint | str | None = None,
        outlet: Outlet | None = None,
        connect_timeout: float = 10.0,
        handshake_timeout: float = 10.0,
        open_timeout: float = 10.0,
        close_timeout: float = 5.0,
        max_message_size: int = 16 * 1024 * 1024,
    ) -> None:
        unknown = [name for name in transports if name not in TRANSPORTS]
        if unknown or isinstance(transports, str) or not transports:
            raise InvalidOption(f"transports is {transports!r}: choose from {TRANSPORTS}")
        self._reactor = reactor
        self._address = Address.parse(url)
        self._outlet = outlet or Outlet(
            reactor, headers=headers, tls=tls, proxy=proxy, endpoint=endpoint
        )
        address = self._address  # a mistake in the environment is reported now
        self._outlet.dialer.proxy(address.host, address.port, secure=address.secure)
        self._connect_timeout = connect_timeout
        self._handshake_timeout = handshake_timeout
        self._open_timeout = open_timeout
        self._close_timeout = close_timeout
        self._max_message_size = max_message_size

    def __repr__(self) -> str:
        return f"<SockJSClientEndpoint {self._address}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Open a session.

        :return: fires with the factory's protocol when the server has opened the
            session.  Fails with a :class:`~txtokensock.errors.ConnectionFailed` whose
            ``phase`` is ``connect``, ``handshake`` or ``open``, at the latest when that
            phase's deadline is over.  Cancelling it, and every failure, drops the
            connection.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    def connect_with(
        self, factory: IProtocolFactory, headers: Mapping[str, str]
    ) -> Deferred[IProtocol]:
        """
        The same, with headers that were asked for already.

        :param headers: instead of those of the outlet.
        """
        return Deferred.fromCoroutine(self._open(factory, headers))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        asked = Deferred.fromCoroutine(self._outlet.ask_headers())
        headers = await self._within("connect", self._connect_timeout, asked)
        return await self._open(factory, headers)

    async def _open(self, factory: IProtocolFactory, headers: Mapping[str, str]) -> IProtocol:
        session = ClientSession(factory, self._reactor, self._close_timeout)
        try:
            wire = open_websocket(session, self._destination(headers))
            await self._within("connect", self._connect_timeout, wire)
            await self._within("handshake", self._handshake_timeout, session.ready)
            return await self._within("open", self._open_timeout, session.opened)
        except BaseException:  # cancelled, too
            session.abort()
            raise

    async def _within(self, phase: Phase, seconds: float, step: Deferred[T]) -> T:
        """Await one step of connecting; its deadline and its failures name the phase."""
        try:
            return await within_phase(step, phase, seconds, self._reactor)
        except (ConnectionFailed, CancelledError):
            raise
        except ConnectingCancelledError:  # what Twisted's own endpoints say instead
            raise CancelledError from None
        except Exception as problem:
            raise ConnectFailed(
                f"cannot connect to {self._address.authority}: {explain(problem)}", phase
            ) from problem

    def _destination(self, headers: Mapping[str, str]) -> Destination:
        return Destination(self._outlet, self._address, headers, self._max_message_size, 30.0)
