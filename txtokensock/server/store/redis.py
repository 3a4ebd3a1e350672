"""
A store in Redis, which several servers can share, node-token-sockjs's among them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from enum import Enum
from importlib.util import find_spec
from typing import Any, cast
from urllib.parse import parse_qs, unquote, urlsplit

from twisted.internet.endpoints import HostnameEndpoint, UNIXClientEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.ssl import optionsForClientTLS
from zope.interface import implementer

from ...errors import InvalidOption
from ...support.checks import check_seconds
from ...support.deprecation import deprecate
from ...support.interfaces import AnyClientEndpoint
from .interface import IStore, IStoreListener
from .redis_connection import RedisConnection
from .redis_layout import Layout, NamespaceLayout, SharedLayout
from .redis_link import OnMessage, RedisLink

__all__ = ["SHARED_WITH_NODE", "RedisStore", "SharedWithNode", "has_password"]


class SharedWithNode(Enum):
    """The namespace that is none."""

    SHARED_WITH_NODE = "the layout of node-token-sockjs"


SHARED_WITH_NODE = SharedWithNode.SHARED_WITH_NODE
"""In place of a namespace: a Redis that servers of node-token-sockjs use as well."""

_NO_NAMESPACE = deprecate(
    "RedisStore() without a namespace", "a namespace, or SHARED_WITH_NODE", ends="0.3.0"
)


@implementer(IStore)
class RedisStore:
    """
    Servers with the same Redis are one cluster: a token issued by one is spent at
    another, and what is published, broadcast or unsubscribed from all on one reaches the
    peers of all.  Needs Redis 6.2 or later, and ``pip install 'txtokensock[redis]'``.

    While Redis does not answer, token requests are answered 503, who publishes is told
    "Store unavailable", and peers stay connected; their subscriptions are restored when it
    is back.  What others published meanwhile is lost, as always with Redis.

    It uses the protocols of txredisapi, the one Redis client for Twisted that is maintained
    (1.6, of 2026).  The connections are our own, so that they use the server's reactor,
    notice a Redis that hangs, and restore subscriptions.  With hiredis installed it reads
    three times as many messages a second.

    :param url: ``redis://host:6379/0``, ``rediss://`` for TLS, ``unix:///path?db=0``; with
        ``user:password@`` or ``:password@`` before the host.
    :param namespace: a prefix for all keys and channels: clients can reach nothing else in
        that Redis, and text that looks like a number stays text.  ``SHARED_WITH_NODE`` for
        node-token-sockjs's own keys and channels, so that its servers can be part of the
        cluster: then any key named by a UUID is a token, and clients may listen to the channels
        of other programs.  To leave it out means the same for now, and warns.
    :param username: of a user of Redis, instead of the URL's.
    :param password: likewise.
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
        endpoint: AnyClientEndpoint | None = None,
        timeout: float = 5.0,
    ) -> None:
        target = _parse(url)
        self._target = replace(
            target, username=username or target.username, password=password or target.password
        )
        if namespace is None:
            _NO_NAMESPACE.warn()
            namespace = SHARED_WITH_NODE
        self._layout: Layout
        if isinstance(namespace, SharedWithNode):
            self._layout = SharedLayout()
        else:
            self._layout = NamespaceLayout(namespace)
        self._endpoint = cast("IStreamClientEndpoint | None", endpoint)
        self._timeout = check_seconds("timeout", timeout)
        if find_spec("txredisapi") is None:
            raise InvalidOption("RedisStore needs txredisapi: pip install 'txtokensock[redis]'")

    def __repr__(self) -> str:
        return f"<RedisStore {self._target}>"

    def connect(self, listener: IStoreListener, reactor: Any) -> RedisLink:
        """Connect a server to Redis, see :meth:`IStore.connect`."""
        endpoint = self._endpoint or self._target.endpoint(reactor, self._timeout)

        def connection(
            ready: Callable[[], None],
            lost: Callable[[], None],
            check: Callable[[Any], Coroutine[Any, Any, None]],
            message: OnMessage | None,
        ) -> RedisConnection:
            def build() -> Any:
                return self._build(message)

            return RedisConnection(reactor, endpoint, build, ready, lost, check)

        return RedisLink(listener, self._layout, connection, reactor)

    def _build(self, message: OnMessage | None) -> Any:
        # Not before it is needed: it is an extra, and takes the global reactor.
        import txredisapi as api  # type: ignore[import-untyped]

        protocol_type = api.RedisProtocol if message is None else api.SubscriberProtocol
        protocol = protocol_type(
            charset=None,  # bytes, always
            convertNumbers=False,
            replyTimeout=self._timeout,
            username=self._target.username,
            password=self._target.password,
            dbid=self._target.database or None,
        )
        if message is not None:
            protocol.messageReceived = lambda _, channel, payload: message(channel, payload)
        return protocol


@dataclass(frozen=True, slots=True)
class _Target:
    """Where Redis is; its text holds no password."""

    scheme: str
    host: str
    port: int
    path: str
    database: int
    username: str | None = field(repr=False)
    password: str | None = field(repr=False)

    def __str__(self) -> str:
        where = self.path if self.scheme == "unix" else f"{self.host}:{self.port}"
        return f"{self.scheme}://{where} database {self.database}"

    def endpoint(self, reactor: Any, timeout: float) -> IStreamClientEndpoint:
        if self.scheme == "unix":
            return UNIXClientEndpoint(reactor, self.path, timeout=timeout)
        tcp = HostnameEndpoint(reactor, self.host.encode("idna"), self.port, timeout=timeout)
        if self.scheme == "redis":
            return tcp
        return wrapClientTLS(optionsForClientTLS(self.host), tcp)


def has_password(url: str) -> bool:
    """Whether the URL of a Redis has a password in it."""
    return _parse(url).password is not None


def _parse(url: object) -> _Target:
    # Nothing of the URL is quoted in an error: it may hold a password.
    if not isinstance(url, str):
        raise InvalidOption("the Redis URL must be text")
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        raise InvalidOption("the port in the Redis URL is not valid") from None
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise InvalidOption("the Redis URL must begin with redis://, rediss:// or unix://")
    is_unix = parts.scheme == "unix"
    database = (
        parse_qs(parts.query).get("db", ["0"])[0] if is_unix else parts.path.strip("/") or "0"
    )
    if not database.isascii() or not database.isdigit():
        raise InvalidOption("the database in the Redis URL must be a number")
    try:
        (parts.hostname or "").encode("idna")
    except UnicodeError:
        raise InvalidOption("the host in the Redis URL is not valid") from None
    if is_unix and not parts.path:
        raise InvalidOption("the Redis URL has no path: unix:///var/run/redis.sock")
    return _Target(
        scheme=parts.scheme,
        host=parts.hostname or "127.0.0.1",
        port=port,
        path=parts.path,
        database=int(database),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
