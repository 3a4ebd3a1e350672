"""
A store in Redis, which several servers can share, node-token-sockjs's among them.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from functools import partial
from importlib.util import find_spec
from typing import Any, cast

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from zope.interface import implementer

from ...errors import InvalidOption
from ...support.backoff import Backoff
from ...support.checks import check_seconds
from ...support.deprecation import deprecate
from ...support.providers import AnyClientEndpoint, AnyTLSPolicy
from ...web.tls.policy import TLSPolicy
from .interface import IStore, IStoreListener
from .redis_connection import RedisConnection
from .redis_layout import NamespaceLayout, SharedLayout
from .redis_link import OnMessage, RedisLink
from .redis_sentinel import SentinelEndpoint
from .redis_url import Address, RedisURL

__all__ = ["SHARED_WITH_NODE", "RedisStore", "SharedWithNode"]


class SharedWithNode(Enum):
    """The namespace that is none."""

    SHARED_WITH_NODE = "the layout of node-token-sockjs"


SHARED_WITH_NODE = SharedWithNode.SHARED_WITH_NODE
"""In place of a namespace: a Redis that servers of node-token-sockjs use as well."""

_NO_NAMESPACE = deprecate(
    "RedisStore() without a namespace", "a namespace, or SHARED_WITH_NODE", ends="0.3.0"
)

_BACKOFF = Backoff(cap=5.0)
_SENTINEL_BACKOFF = Backoff(cap=1.0)
"""Sentinels know of a new master within seconds, and say so at once."""


@implementer(IStore)
class RedisStore:
    """
    Servers with the same Redis are one cluster: a token issued by one is spent at
    another, and what is published, broadcast or unsubscribed from all on one reaches the
    peers of all.  Needs Redis 6.2 or later, and ``pip install 'txtokensock[redis]'``.

    While Redis does not answer, token requests are answered 503, who publishes is told
    "Store unavailable", and peers stay connected; their subscriptions are restored when it
    is back.  What others published meanwhile is lost, as always with Redis: the log says so, and
    so do the events ``gap`` of our clients.

    It uses the protocols of txredisapi, the one Redis client for Twisted that is maintained
    (1.6, of 2026).  The connections are our own, so that they use the server's reactor,
    notice a Redis that hangs, and restore subscriptions.  With hiredis installed it reads
    three times as many messages a second.

    :param url: ``redis://host:6379/0``, ``rediss://`` for TLS, ``unix:///path?db=0``; with
        ``user:password@`` or ``:password@`` before the host.  For a Redis that sentinels guard,
        ``redis+sentinel://host:26379,host2:26379/MASTER?db=0`` with the sentinels, the name under
        which they know the master, and the credentials of that; ``rediss+sentinel://`` for TLS
        to all of them.
    :param namespace: a prefix for all keys and channels: clients can reach nothing else in
        that Redis, and text that looks like a number stays text.  ``SHARED_WITH_NODE`` for
        node-token-sockjs's own keys and channels, so that its servers can be part of the
        cluster: then any key named by a UUID is a token, and clients may listen to the channels
        of other programs.  To leave it out means the same for now, and warns.
    :param username: of a user of Redis, instead of the URL's.
    :param password: likewise.
    :param sentinel_password: of the sentinels, where they have one.
    :param tls: what TLS connections trust and show, such as ``TLSPolicy(authorities="ca.pem")``;
        without it, the platform's authorities.
    :param endpoint: connects instead of TCP or TLS to the URL's host.
    :param timeout: seconds in which Redis has to answer a command.
    :raises InvalidOption: for an option that is not valid, or if txredisapi is not installed.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        namespace: str | SharedWithNode | None = None,
        *,
        username: str | None = None,
        password: str | None = None,
        sentinel_password: str | None = None,
        tls: AnyTLSPolicy | None = None,
        endpoint: AnyClientEndpoint | None = None,
        timeout: float = 5.0,
    ) -> None:
        target = RedisURL.parse(url)
        if tls is not None and not target.tls:
            raise InvalidOption("tls is for a Redis URL with rediss://")
        if sentinel_password is not None and not target.master:
            raise InvalidOption("sentinel_password is for a Redis URL with redis+sentinel://")
        self._target = replace(
            target, username=username or target.username, password=password or target.password
        )
        if namespace is None:
            _NO_NAMESPACE.warn()
            namespace = SHARED_WITH_NODE
        self._layout = (
            SharedLayout() if isinstance(namespace, SharedWithNode) else NamespaceLayout(namespace)
        )
        self._tls = TLSPolicy() if tls is None else tls
        self._sentinel_password = sentinel_password
        self._endpoint = cast("IStreamClientEndpoint | None", endpoint)
        self._timeout = check_seconds("timeout", timeout)
        if find_spec("txredisapi") is None:
            raise InvalidOption("RedisStore needs txredisapi: pip install 'txtokensock[redis]'")

    def __repr__(self) -> str:
        return f"<RedisStore {self._target}>"

    def connect(self, listener: IStoreListener, reactor: Any) -> RedisLink:
        """Connect a server to Redis, see :meth:`IStore.connect`."""
        endpoint = self._endpoint or self._new_endpoint(reactor)
        backoff = _SENTINEL_BACKOFF if self._target.master else _BACKOFF
        connect = partial(RedisConnection, reactor, endpoint, backoff=backoff)
        return RedisLink(listener, self._layout, connect, self._build, reactor)

    def _new_endpoint(self, reactor: Any) -> IStreamClientEndpoint:
        target, timeout = self._target, self._timeout
        if target.scheme == "unix":
            return UNIXClientEndpoint(reactor, target.path, timeout=timeout)

        def to(address: Address) -> IStreamClientEndpoint:
            host, port = address[0].encode("idna"), address[1]
            tcp = HostnameEndpoint(reactor, host, port, timeout=timeout)
            if not target.tls:
                return tcp
            return wrapClientTLS(self._tls.creatorForNetloc(host, port), tcp)

        if not target.master:
            return to(target.addresses[0])
        build = partial(self._protocol, None, password=self._sentinel_password)
        return SentinelEndpoint(reactor, target.addresses, build, target.master, to, timeout)

    def _build(self, message: OnMessage | None) -> Any:
        target = self._target
        return self._protocol(
            message,
            username=target.username,
            password=target.password,
            dbid=target.database or None,
        )

    def _protocol(self, message: OnMessage | None, **options: Any) -> Any:
        # Not before it is needed: it is an extra, and takes the global reactor.
        import txredisapi as api  # type: ignore[import-untyped]

        protocol_type = api.RedisProtocol if message is None else api.SubscriberProtocol
        protocol = protocol_type(
            charset=None,  # bytes, always
            convertNumbers=False,
            replyTimeout=self._timeout,
            **options,
        )
        if message is not None:
            protocol.messageReceived = lambda _, channel, payload: message(channel, payload)
        return protocol
