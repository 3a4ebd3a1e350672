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
from twisted.internet.protocol import Protocol, connectionDone
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


class _Paced(Protocol):
    """Reads in slices; bytes of a peer must not reach the reactor as an exception."""

    transport: Any
    log = Quiet()

    def connectionMade(self) -> None:
        self._reads = PacedReads(self.factory.clock, self.transport, self._take)
        super().connectionMade()  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        self._reads.received(data)

    def _take(self, data: bytes) -> None:
        try:
            self._parse(data)
        except Exception:
            self.transport.abortConnection()

    def _parse(self, data: bytes) -> None:
        raise NotImplementedError

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._reads.stop()
        super().connectionLost(reason)
        self.factory.session.wire_lost(self._why(reason))

    def _why(self, reason: Failure) -> Failure:
        return reason


# Autobahn's own base classes do not fit each other.
class _WebSocket(_Paced, WampWebSocketClientProtocol):  # type: ignore[misc]
    def _parse(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and len(self.data) > _LONGEST_HANDSHAKE:
            self.transport.abortConnection()
        else:
            self._dataReceived(data)

    def _why(self, reason: Failure) -> Failure:
        cause: Any = reason.value
        if is_tls_problem(cause):
            return reason
        return Failure(RealmLost(shorten(self.wasNotCleanReason or reason.getErrorMessage())))


class _RawSocket(_Paced, WampRawSocketClientProtocol):
    def _parse(self, data: bytes) -> None:
        WampRawSocketClientProtocol.dataReceived(self, data)

    def lengthLimitExceeded(self, length: int) -> None:
        self.transport.abortConnection()


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
