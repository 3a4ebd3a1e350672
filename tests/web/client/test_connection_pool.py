"""
The connections that an HTTP client keeps.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionLost, ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http_headers import Headers

from txtokensock.testing import MemoryNetwork
from txtokensock.web.client.connection_pool import ConnectionPool
from txtokensock.web.client.http_connection import HTTPConnection, State
from txtokensock.web.client.http_request import ClientRequest

from ...common import Calls

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Answering(Protocol):
    """A server that gives the same response to everything."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(EMPTY)


class PoolTests(SynchronousTestCase):
    """A pool, and servers in memory."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock, Factory.forProtocol(Answering))
        self.connected = Calls()
        self.pool = self.new_pool()
        self.addCleanup(self._end)

    def new_pool(self, **options: Any) -> ConnectionPool:
        return ConnectionPool(self.clock, idle_timeout=4, connected=self.connected, **options)

    def _end(self) -> None:
        self.pool.abort()
        self.settle()
        self.assertEqual((len(self.pool), self.network.open), (0, []))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def settle(self) -> None:
        self.clock.pump([0] * 20)

    def get(self, server: str = "a.test") -> HTTPConnection:
        """A connection."""
        idle = self.pool.get(server)
        if idle is not None:
            return idle
        connecting = self.pool.connect(server, self.network.endpoint())
        self.settle()
        return self.successResultOf(connecting)

    def use(self, connection: HTTPConnection) -> None:
        """A request and its response."""
        request = ClientRequest(b"GET", b"http://a.test/", b"/", b"a.test", Headers(), last=False)
        sent = connection.send(request)
        self.settle()
        self.successResultOf(sent)

    def test_kept(self) -> None:
        """The one that was used last is used again, for the same server alone."""
        first, second = self.get(), self.get()
        self.use(first)
        self.use(second)
        self.assertIs(self.get(), second)
        self.assertIs(self.get(), first)
        self.use(first)
        self.assertIsNot(self.get("b.test"), first)
        self.assertEqual(len(self.connected), 3)

    def test_idle(self) -> None:
        """After some seconds without a request it is closed, and one is enough to stay."""
        connection = self.get()
        for _ in range(3):
            self.use(connection)
            self.clock.advance(3)
            self.assertIs(self.get(), connection)
        self.clock.advance(10)
        self.assertIs(connection.state, State.IDLE)
        self.use(connection)
        self.clock.advance(4)
        self.settle()
        self.assertEqual(len(self.pool), 0)

    def test_most_idle(self) -> None:
        """Those that wait for longest are closed; others may be busy in any number."""
        connections = [self.get() for _ in range(4)]
        for connection in connections:
            self.use(connection)
        self.settle()
        states = [connection.state for connection in connections]
        self.assertEqual(states, [State.CLOSED] * 2 + [State.IDLE] * 2)
        self.assertEqual(len(self.pool), 2)

    def test_not_persistent(self) -> None:
        """Nothing is kept, whatever the server says."""
        self.pool = self.new_pool(persistent=False)
        connection = self.get()
        self.use(connection)
        self.assertEqual(len(self.pool), 0)

    def test_lost_while_idle(self) -> None:
        """It is not used again, not even in the very turn in which something came on it."""
        connection = self.get()
        self.use(connection)
        self.network.connections[0][1].abortConnection()
        self.settle()
        self.assertEqual(len(self.pool), 0)
        connection = self.get()
        self.use(connection)
        connection.dataReceived(b"uninvited")
        self.assertIsNot(self.get(), connection)

    def test_server_that_does_not_close(self) -> None:
        """It is waited for as long again; with TLS both sides must close."""
        connection = self.get()
        self.patch(connection.transport, "loseConnection", lambda: None)
        self.use(connection)
        self.clock.advance(4)
        self.settle()
        self.assertEqual((connection.state, len(self.pool)), (State.CLOSED, 1))
        self.clock.advance(4)
        self.settle()
        self.assertEqual(len(self.pool), 0)

    def test_close(self) -> None:
        """It fires when what was idle is gone; what is busy is not kept afterwards."""
        self.successResultOf(self.pool.close())
        self.pool = self.new_pool()
        idle, busy = self.get(), self.get()
        self.patch(idle.transport, "loseConnection", lambda: None)
        self.use(idle)
        closed = self.pool.close()
        self.settle()
        self.assertNoResult(closed)
        self.clock.advance(4)
        self.settle()
        self.assertIsNone(self.successResultOf(closed))
        self.assertEqual(len(self.pool), 1)
        self.use(busy)
        self.assertEqual(len(self.pool), 0)

    def test_connecting(self) -> None:
        """It fails as the endpoint does, and is cancelled as that is."""
        refused = self.pool.connect("a.test", self.network.endpoint(lambda: False))
        self.settle()
        self.failureResultOf(refused, ConnectionRefusedError)
        waiting = self.pool.connect("a.test", self.network.endpoint(lambda: None))
        waiting.cancel()
        self.failureResultOf(waiting, CancelledError)

    def test_abort(self) -> None:
        """All connections end at once; one that comes late ends, too, and is announced to
        nobody."""
        connection = self.get()
        self.use(connection)
        late: Deferred[HTTPConnection] = self.pool.connect("a.test", self.network.endpoint())
        self.pool.abort()
        self.settle()
        self.assertEqual((len(self.pool), len(self.connected)), (0, 1))
        request = ClientRequest(b"GET", b"http://a.test/", b"/", b"a.test", Headers(), last=False)
        self.failureResultOf(self.successResultOf(late).send(request), ConnectionLost)
