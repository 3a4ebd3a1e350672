"""
Connections to a router: WebSocket and RawSocket, on Autobahn.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp.serializer import create_transport_serializer
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from ...errors import shorten
from ...support.paced_reads import PacedReads
from ...support.quiet_log import Quiet
from ...web.tls.policy import is_tls_problem
from ..config.wamp import WampConfig
from .realm import RealmLost
from .router_endpoint import Joined, client_endpoint
from .router_session import RouterSession

__all__ = ["connect"]

_LONGEST_HANDSHAKE = 64 * 1024


class _WebSocket(WampWebSocketClientProtocol):
    transport: Any
    log = Quiet()

    def connectionMade(self) -> None:
        self._reads = PacedReads(self.factory.clock, self.transport, self._take)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        self._reads.received(data)

    def _take(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and len(self.data) > _LONGEST_HANDSHAKE:
            self.transport.abortConnection()
            return
        try:
            self._dataReceived(data)
        except Exception:  # bytes of a peer must not reach the reactor as an exception
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reads.stop()
        super().connectionLost(reason)
        cause: Any = reason.value
        if not is_tls_problem(cause):
            why = self.wasNotCleanReason or reason.getErrorMessage()
            reason = Failure(RealmLost(shorten(why)))
        self.factory.session.wire_lost(reason)


class _RawSocket(WampRawSocketClientProtocol):
    transport: Any
    log = Quiet()

    def connectionMade(self) -> None:
        self._reads = PacedReads(self.factory.clock, self.transport, self._take)
        super().connectionMade()  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        self._reads.received(data)

    def _take(self, data: bytes) -> None:
        try:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        except Exception:
            self.transport.abortConnection()

    def lengthLimitExceeded(self, length: int) -> None:
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reads.stop()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.factory.session.wire_lost(reason)


def _factory(section: WampConfig, session: RouterSession, reactor: Any) -> Any:
    serializer = create_transport_serializer(section.serializer)
    factory: Any
    if urlsplit(section.url).scheme in ("ws", "wss"):
        factory = WampWebSocketClientFactory(
            lambda: session,
            section.url,
            serializers=[serializer],
            useragent=None,
            reactor=reactor,
        )
        factory.protocol = _WebSocket
        factory.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
            autoPingInterval=0,
            maxMessagePayloadSize=section.max_message_size,
            maxFramePayloadSize=section.max_message_size,
        )
    else:
        factory = WampRawSocketClientFactory(lambda: session, serializer)
        factory.protocol = _RawSocket
        factory.setProtocolOptions(maxMessagePayloadSize=section.max_message_size)
    factory.log = Quiet()
    factory.noisy = False
    factory.session = session
    factory.clock = reactor
    return factory


async def connect(
    section: WampConfig, reactor: Any, endpoint: IStreamClientEndpoint | None = None
) -> Joined:
    """
    Connect to the router and join the realm.

    :param endpoint: instead of the section's.
    :return: the session.  Every failure, cancelling included, leaves nothing open.
    """
    session = RouterSession(section, reactor)
    endpoint = endpoint or client_endpoint(section, reactor)
    connection: Any = await endpoint.connect(_factory(section, session, reactor))
    try:
        await session.joined
    except BaseException:
        connection.transport.abortConnection()
        raise
    return Joined(session, connection.transport)
