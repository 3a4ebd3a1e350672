"""
A client endpoint that connects and authenticates, or fails and leaves nothing open.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from ..address import Address
from ..errors import AttemptTimeout
from ..sockjs import ISockJSTransport, SockJSClientEndpoint
from .timeouts import Timeouts
from .tokens import TokenRequest

__all__ = ["AuthenticatingProtocol", "TokenSocketEndpoint"]


class AuthenticatingProtocol(Protocol):
    """
    What :class:`TokenSocketEndpoint` connects: an ``IProtocol`` that can authenticate.

    It must exist before it is authenticated, for the server may call the client's
    actions, and wait for their answers, before it answers ``auth`` (C21).
    """

    transport: ISockJSTransport

    def authenticate(self, token: str) -> Deferred[None]:
        """
        Send ``auth``.

        :return: fires when the server accepted the token; fails with an
            :class:`~txtokensock.errors.AuthenticationError` when it refused it or closed.
        """


@implementer(IStreamClientEndpoint)
class TokenSocketEndpoint:
    """
    Connects to a token-sockjs server: a token over HTTP, a SockJS session, ``auth``.

    :param reactor: see :class:`~txtokensock.sockjs.SockJSClientEndpoint`.
    :param address: the server.
    :param tokens: buys a fresh token for every attempt.
    :param socket_prefix: the path of SockJS below the address.
    :param headers: for the SockJS session; cookies of the token route are added.
    :param timeouts: of every phase.
    :param tls: decides on certificates.
    :param endpoint: connects instead of TCP (and TLS) to the address.
    :param max_message_size: bytes of one message from the server.
    """

    def __init__(
        self,
        reactor: Any,
        address: Address,
        tokens: TokenRequest,
        *,
        socket_prefix: str,
        headers: Mapping[str, str],
        timeouts: Timeouts,
        tls: IPolicyForHTTPS | None = None,
        endpoint: IStreamClientEndpoint | None = None,
        max_message_size: int = 16 * 1024 * 1024,
    ) -> None:
        self._reactor = reactor
        self._url = address.http_url(socket_prefix)
        self._tokens = tokens
        self._headers = headers
        self._timeouts = timeouts
        self._tls = tls
        self._endpoint = endpoint
        self._max_message_size = max_message_size

    def __repr__(self) -> str:
        return f"<TokenSocketEndpoint {self._url}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        :param protocolFactory: builds an :class:`AuthenticatingProtocol`.
        :return: fires with the protocol once the server accepted its token.  Fails with
            a :class:`~txtokensock.errors.ConnectionFailed` whose ``phase`` says how far
            it came, within the sum of the phases' deadlines.  Cancelling it, and every
            failure, drops what was open.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        token = await self._tokens.send()
        protocol: Any = await self._sockjs().connect(factory)
        seconds = self._timeouts.auth

        def timed_out(*_: object) -> Failure:
            return Failure(AttemptTimeout("auth", seconds))

        try:
            await protocol.authenticate(token).addTimeout(seconds, self._reactor, timed_out)
        except BaseException:
            protocol.transport.abortConnection()
            raise
        return protocol  # type: ignore[no-any-return]

    def _socket_headers(self) -> dict[str, str]:
        """The headers for SockJS; the cookies in them are the caller's and the route's."""
        headers = {name: text for name, text in self._headers.items() if name.lower() != "cookie"}
        cookies = [text for name, text in self._headers.items() if name.lower() == "cookie"]
        cookies.append(self._tokens.cookie_header(f"{self._url}/"))
        if any(cookies):
            headers["Cookie"] = "; ".join(filter(None, cookies))
        return headers

    def _sockjs(self) -> SockJSClientEndpoint:
        return SockJSClientEndpoint(
            self._reactor,
            self._url,
            headers=self._socket_headers(),
            tls=self._tls,
            endpoint=self._endpoint,
            connect_timeout=self._timeouts.connect,
            handshake_timeout=self._timeouts.handshake,
            open_timeout=self._timeouts.open,
            close_timeout=self._timeouts.close,
            max_message_size=self._max_message_size,
        )
