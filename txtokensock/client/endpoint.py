"""
A client endpoint that connects and authenticates, or fails and leaves nothing open.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from ..address import Address
from ..errors import CredentialsUnavailable, InvalidOption
from ..sockjs import (
    ISockJSTransport,
    SockJSClientEndpoint,
)
from ..sockjs.transport_names import Transport
from ..support.timeouts import Timeouts, within_phase
from ..web.client.http_context import HTTPContext
from .token_renewal import TokenRenewal
from .token_request import TokenRequest

__all__ = ["AuthenticatingProtocol", "TokenSocketEndpoint"]


class AuthenticatingProtocol(Protocol):
    """
    What :class:`TokenSocketEndpoint` connects: an ``IProtocol`` that can authenticate.

    It must exist before it is authenticated, for the server may call the client's
    actions, and wait for their answers, before it answers ``auth``.

    :ivar renewal: set before that; is told when the server ends the connection, and of its end.
    """

    transport: ISockJSTransport
    renewal: TokenRenewal | None

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

    :param http_context: what the token request and the session share: cookies, headers, and
        the way to connect.
    :param address: the server.
    :param tokens: buys a fresh token for every attempt.
    :param socket_prefix: the path of SockJS below the address.
    :param timeouts: of every phase.
    :param transports: see :class:`~txtokensock.sockjs.SockJSClientEndpoint`.
    :param info: see there.
    :param max_message_size: bytes of one message from the server.
    """

    def __init__(
        self,
        http_context: HTTPContext,
        address: Address,
        tokens: TokenRequest,
        *,
        socket_prefix: str,
        timeouts: Timeouts,
        transports: Sequence[Transport],
        info: bool,
        max_message_size: int,
    ) -> None:
        self._http_context = http_context
        self._url = address.http_url(socket_prefix)
        self._tokens = tokens
        self._timeouts = timeouts
        self._sockjs = SockJSClientEndpoint(
            http_context.reactor,
            self._url,
            http_context=http_context,
            transports=transports,
            info=info,
            timeouts=timeouts,
            max_message_size=max_message_size,
        )

    def __repr__(self) -> str:
        return f"<TokenSocketEndpoint {self._url}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        :param protocolFactory: builds an :class:`AuthenticatingProtocol`.
        :return: fires with the protocol once the server accepted its token.  Fails with
            a :class:`~txtokensock.errors.ConnectionFailed` whose ``phase`` says how far
            it came, within the sum of the deadlines of all phases.  Cancelling it, and every
            failure, drops what was open.
        """
        return Deferred.fromCoroutine(self._connect(protocolFactory))

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        reactor, timeouts = self._http_context.reactor, self._timeouts
        asked = Deferred.fromCoroutine(self._ask())
        headers, token = await within_phase(asked, "token", timeouts, reactor)
        protocol: Any = await self._sockjs.connect_with(factory, headers)
        protocol.renewal = TokenRenewal(protocol, self._fresh_token, timeouts, reactor)
        try:
            answer = protocol.authenticate(token)
            await within_phase(answer, "auth", timeouts, reactor)
        except BaseException:
            protocol.transport.abortConnection()
            raise
        return protocol  # type: ignore[no-any-return]

    def _fresh_token(self) -> Deferred[str]:
        return Deferred.fromCoroutine(self._ask()).addCallback(lambda asked: asked[1])

    async def _ask(self) -> tuple[dict[str, str], str]:
        """The headers of this attempt, and a token."""
        try:
            headers = await self._http_context.ask_headers()
        except InvalidOption as problem:
            raise CredentialsUnavailable(str(problem)) from problem.__cause__ or problem
        return headers, await self._tokens.send(headers)
