"""
A Twisted client endpoint whose stream is a SockJS session.
"""

from __future__ import annotations

import secrets
import string
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectingCancelledError
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from twisted.web.client import BrowserLikePolicyForHTTPS
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ...address import Address
from ...errors import (
    AttemptTimeout,
    ConnectFailed,
    ConnectionFailed,
    InvalidOption,
    Phase,
)
from ...web.tls import explain
from .session import ClientSession
from .websocket import websocket_factory

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
    :param headers: sent with every HTTP request of the session.
    :param transports: what to try; only ``"websocket"`` so far.
    :param tls: decides on certificates; by default the platform's authorities and the
        host's name.
    :param endpoint: connects instead of TCP to the URL's host (and TLS where the URL
        says so); the URL still names the host to the server.
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
        headers: Mapping[str, str] | None = None,
        transports: Sequence[str] = TRANSPORTS,
        tls: IPolicyForHTTPS | None = None,
        endpoint: IStreamClientEndpoint | None = None,
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
        self._headers = check_headers(headers or {})
        self._endpoint = endpoint or _tcp_or_tls(reactor, self._address, tls)
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

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        session = ClientSession(factory, self._reactor, self._close_timeout)
        try:
            await self._within("connect", self._connect_timeout, self._open_wire(session))
            await self._within("handshake", self._handshake_timeout, session.ready)
            return await self._within("open", self._open_timeout, session.opened)
        except BaseException:  # cancelled, too
            session.abort()
            raise

    async def _within(self, phase: Phase, seconds: float, step: Deferred[T]) -> T:
        """Await one step of connecting; its deadline and its failures name the phase."""

        def timed_out(*_: object) -> Failure:
            return Failure(AttemptTimeout(phase, seconds))

        try:
            return await step.addTimeout(seconds, self._reactor, timed_out)
        except (ConnectionFailed, CancelledError):
            raise
        except ConnectingCancelledError:  # what Twisted's own endpoints say instead
            raise CancelledError from None
        except Exception as problem:
            raise ConnectFailed(
                f"cannot connect to {self._address.authority}: {explain(problem)}", phase
            ) from problem

    def _open_wire(self, session: ClientSession) -> Deferred[IProtocol]:
        server = f"{secrets.randbelow(1000):03}"
        session_id = "".join(secrets.choice(_SESSION_ALPHABET) for _ in range(16))
        address = self._address
        factory = websocket_factory(
            session,
            self._reactor,
            host_header=f"[{address.host}]" if ":" in address.host else address.host,
            port=address.port,
            resource=f"{address.prefix}/{server}/{session_id}/websocket",
            headers=self._headers,
            max_message_size=self._max_message_size,
        )
        return self._endpoint.connect(factory)


_SESSION_ALPHABET = string.ascii_lowercase + string.digits


def _tcp_or_tls(
    reactor: Any, address: Address, tls: IPolicyForHTTPS | None
) -> IStreamClientEndpoint:
    tcp = HostnameEndpoint(reactor, address.host.encode("ascii"), address.port)
    if not address.secure:
        return tcp
    policy = tls or BrowserLikePolicyForHTTPS()
    creator = policy.creatorForNetloc(address.host.encode("ascii"), address.port)
    return wrapClientTLS(creator, tcp)


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """
    :return: a copy.
    :raises InvalidOption: for a name or value that could break out of its line.
    """
    if not isinstance(headers, Mapping):
        raise InvalidOption("headers must be a mapping of names to text")
    for name, value in headers.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise InvalidOption("headers must be a mapping of names to text")
        if not name.isascii() or not name or any(mark in name for mark in " \t\r\n:"):
            raise InvalidOption(f"headers has the name {name!r}: no HTTP header has it")
        if any(mark in value for mark in "\r\n\0"):
            raise InvalidOption(f"headers has a line break in the value of {name!r}")
    return dict(headers)
