"""
The way to a WAMP router.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from urllib.parse import urlsplit

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, clientFromString
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

from ...client.service import ServiceConnection
from ...web.tls.handshake import TLSEndpoint
from ..config.wamp import WampConfig
from .realm import Realm, RequestTimeout

__all__ = ["Joined", "RouterEndpoint", "Session", "client_endpoint"]

_PORTS = {"ws": 80, "wss": 443}


def client_endpoint(section: WampConfig, reactor: Any) -> IStreamClientEndpoint:
    """
    Connects to the host of the URL, or to ``endpoint``; with TLS where the URL says so.

    :raises InvalidOption: for certificates that cannot be read.
    """
    url = urlsplit(section.url)
    host, port = url.hostname or "", url.port or _PORTS.get(url.scheme, 0)
    endpoint: IStreamClientEndpoint
    if section.endpoint is not None:
        endpoint = clientFromString(reactor, section.endpoint)
    else:
        # What bounds the whole attempt bounds this too.
        endpoint = HostnameEndpoint(reactor, host, port, timeout=section.connect_timeout)
    if url.scheme in ("wss", "rss"):
        creator = section.tls.policy().creatorForNetloc(host.encode("ascii"), port)
        endpoint = TLSEndpoint(reactor, creator, endpoint)
    return endpoint


class Session(Realm, Protocol):
    """A session over a connection of our own."""

    lost: bool
    received_at: float
    on_lost: Callable[[Failure], object]

    def close(self) -> None:
        """Leave the realm, then close the connection."""

    def abort(self) -> None:
        """End the connection without leaving the realm first."""


class _Transport:
    """What ``ClientService`` ends a connection with."""

    def __init__(self, session: Session, transport: Any) -> None:
        self._session = session
        self.getPeer = transport.getPeer
        self.getHost = transport.getHost

    def loseConnection(self) -> None:
        """Leave the realm, then close the connection."""
        self._session.close()

    def abortConnection(self) -> None:
        """End the connection without leaving the realm first."""
        self._session.abort()


class Joined(ServiceConnection):
    """
    A joined session, as :class:`~txtokensock.client.service.ReconnectingClientService`
    keeps one.

    :param session: the session.
    :param transport: Twisted's.
    :ivar realm: the session.
    """

    def __init__(self, session: Session, transport: Any) -> None:
        self.realm = session
        self.transport: Any = _Transport(session, transport)
        self.when_lost: Callable[[Failure], object] = lambda _: None
        session.on_lost = lambda reason: self.when_lost(reason)

    @property
    def closing(self) -> bool:
        """Whether the connection is gone."""
        return self.realm.lost


@implementer(IStreamClientEndpoint)
@define(eq=False, repr=False)
class RouterEndpoint:
    """
    Connects and joins, or fails and leaves nothing open.

    :param connect: does so, without a deadline.
    :param section: says whereto, and how long it may take.
    :param reactor: for the deadline.
    """

    _connect: Callable[[WampConfig, Any], Awaitable[Joined]]
    _section: WampConfig
    _reactor: Any

    def __repr__(self) -> str:
        return f"<WAMP router {self._section.url}>"

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        :param protocolFactory: not used: a session is its own protocol.
        :return: fires with a :class:`Joined`.
        """
        seconds = self._section.connect_timeout

        async def connecting() -> Any:
            return await self._connect(self._section, self._reactor)

        late = RequestTimeout(f"the realm was not joined within {seconds:g} seconds")
        joining: Deferred[Any] = Deferred.fromCoroutine(connecting())
        return joining.addTimeout(seconds, self._reactor, lambda *_: Failure(late))
