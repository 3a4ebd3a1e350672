"""
The connections of one HTTP client.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory

from ...support.timer import Timer
from .http_connection import HTTPConnection, State

__all__ = ["ConnectionPool"]


class ConnectionPool:
    """
    Makes connections, and keeps those that can take another request.

    :param reactor: keeps the time.
    :param idle_timeout: seconds for which a connection without a request is kept; an orderly
        close may take as long again.
    :param persistent: whether connections are used for more than one request.
    :param most_idle: at most so many idle connections are kept for each server.
    :param connected: called with the transport of each new connection.
    :param read_ended: called when all of what came in together was delivered.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        *,
        idle_timeout: float,
        persistent: bool = True,
        most_idle: int = 2,
        connected: Callable[[Any], object] = lambda _: None,
        read_ended: Callable[[], object] = lambda: None,
    ) -> None:
        self.persistent = persistent
        self._reactor = reactor
        self._idle_timeout = idle_timeout
        self._most_idle = most_idle
        self._connected = connected
        self.read_ended = read_ended
        self._timers: dict[HTTPConnection, Timer] = {}
        self._idle: dict[Hashable, list[HTTPConnection]] = {}
        self._closing: dict[HTTPConnection, Deferred[None]] = {}
        self._closed = False
        self._aborted = False

    def __len__(self) -> int:
        """How many connections there are, busy or idle."""
        return len(self._timers)

    def get(self, server: Hashable) -> HTTPConnection | None:
        """
        Get an idle connection for one request, after which it returns to the pool by itself.

        :param server: identifies the server.
        :return: the connection; None where there is none, and :meth:`connect` makes one.
        """
        idle = self._idle.get(server)
        while idle:
            connection = idle.pop()  # the one used last: the server may be about to close others
            if connection.state is State.IDLE:
                return connection
        return None

    def connect(
        self, server: Hashable, endpoint: IStreamClientEndpoint
    ) -> Deferred[HTTPConnection]:
        """
        Make a connection for one request, after which it goes to the pool by itself.

        :param server: identifies the server.
        :return: fires with the connection.  Fails as the endpoint does; cancelling it
            cancels the endpoint.
        """
        connecting: Any = endpoint.connect(_Factory(self, server))
        return connecting  # type: ignore[no-any-return]

    def close(self) -> Deferred[None]:
        """
        Close idle connections in order, and busy ones as soon as they are idle.

        :return: fires with None when those that were idle are closed, after ``idle_timeout``
            at the latest.
        """
        self._closed = True
        for idle in self._idle.values():
            while idle:
                idle.pop().close()
        return gatherResults(self._closing.values()).addCallback(lambda _: None)

    def abort(self) -> None:
        """Drop all connections at once, and those that are made from now on as well."""
        self._aborted = True
        for connection in list(self._timers):
            connection.abort()

    # -- Owner of the connections

    def connection_made(self, connection: HTTPConnection) -> None:
        self._timers[connection] = Timer(self._reactor, partial(self._expired, connection))
        if self._aborted:  # by an endpoint that cannot be cancelled
            connection.abort()
        else:
            self._connected(connection.transport)

    def connection_idle(self, connection: HTTPConnection) -> None:
        if self._closed or not self.persistent:
            connection.close()
            return
        idle = self._idle.setdefault(connection.server, [])
        idle.append(connection)
        self._timers[connection].start(self._idle_timeout)
        if len(idle) > self._most_idle:
            idle.pop(0).close()

    def connection_closing(self, connection: HTTPConnection) -> None:
        self._closing[connection] = Deferred()
        self._timers[connection].start(self._idle_timeout)

    def connection_lost(self, connection: HTTPConnection) -> None:
        self._timers.pop(connection).stop()
        self._forget_idle(connection)
        closing = self._closing.pop(connection, None)
        if closing is not None:
            closing.callback(None)

    def _expired(self, connection: HTTPConnection) -> None:
        # While a connection is in use its timer runs on: to start it again costs less than to
        # stop it and set another one, for each request.
        if self._forget_idle(connection):
            connection.close()
        elif connection.state is State.CLOSED:  # with TLS, an orderly close waits for the server
            connection.abort()

    def _forget_idle(self, connection: HTTPConnection) -> bool:
        """:return: whether it was idle."""
        idle = self._idle.get(connection.server, [])
        found = connection in idle
        if found:
            idle.remove(connection)
        return found


class _Factory(Factory):
    """Makes connections, without the two lines that each would write to the log."""

    noisy = False

    def __init__(self, pool: ConnectionPool, server: Hashable) -> None:
        self._pool = pool
        self._server = server

    def buildProtocol(self, addr: object) -> HTTPConnection:
        return HTTPConnection(self._pool, self._server)
