"""
Finding the master by its sentinels, without a Redis.  ``tests/interop/test_redis_sentinel.py`` has
the real ones.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver, StringTransport
from twisted.logger import globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from txtokensock.server import RedisStore
from txtokensock.server.store.redis_sentinel import NoMaster, SentinelEndpoint
from txtokensock.server.store.redis_url import Address

ONE, TWO = ("s1", 1), ("s2", 2)
MASTER = b"*2\r\n$2\r\nm1\r\n$4\r\n6379\r\n"
OTHER = b"*2\r\n$2\r\nm2\r\n$4\r\n6380\r\n"
UNKNOWN = b"*-1\r\n"


@implementer(IStreamClientEndpoint)
class _Endpoint:
    """Keeps attempts for the test, which connects."""

    def __init__(self, address: Address, attempts: list[Any]) -> None:
        self.address = address
        self.attempts = attempts

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        attempt: Deferred[Any] = Deferred()
        self.attempts.append((self.address, protocolFactory, attempt))
        return attempt


class SentinelTests(SynchronousTestCase):
    """Who is asked, what follows from each answer, and what is left behind."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.attempts: list[Any] = []
        self.endpoint = self.made()

    def made(self, password: str | None = None) -> SentinelEndpoint:
        """An endpoint with two sentinels, that have four seconds."""
        store = RedisStore("redis+sentinel://s1/m", "a")

        def build() -> Any:
            return store._protocol(None, password=password)

        def to(address: Address) -> _Endpoint:
            return _Endpoint(address, self.attempts)

        return SentinelEndpoint(self.clock, (ONE, TWO), build, "m", to, 4.0)  # type: ignore[arg-type]

    def asked(self, address: Address) -> Any:
        """The next attempt is to that address, and succeeds: its protocol."""
        there, factory, attempt = self.attempts.pop(0)
        self.assertEqual(there, address)
        protocol = factory.buildProtocol(None)
        transport = StringTransport()
        transport.abortConnection = lambda: self.lose(protocol)  # type: ignore[method-assign]
        transport.loseConnection = lambda: self.clock.callLater(0, self.lose, protocol)  # type: ignore[method-assign,assignment]
        protocol.makeConnection(transport)
        attempt.callback(protocol)
        return protocol

    def lose(self, protocol: Any) -> None:
        if protocol.transport.connected:
            protocol.transport.connected = False
            protocol.connectionLost(Failure(ConnectionDone()))

    def answered(self, address: Address, answer: bytes) -> None:
        """That sentinel is asked, and answers."""
        protocol = self.asked(address)
        self.assertIn(b"GET-MASTER-ADDR-BY-NAME\r\n$1\r\nm\r\n", protocol.transport.value())
        protocol.dataReceived(answer)
        self.clock.advance(0)
        self.clock.advance(0)
        self.assertFalse(protocol.transport.connected)

    def refused(self, address: Address) -> None:
        there, _, attempt = self.attempts.pop(0)
        self.assertEqual(there, address)
        attempt.errback(ConnectionRefusedError())

    def connecting(self) -> Deferred[Any]:
        """The endpoint is asked for a connection to the master."""
        factory = Factory.forProtocol(RedisStore("redis://h", "a")._build)
        factory.protocol = lambda: self.master_protocol()
        return self.endpoint.connect(factory)

    def master_protocol(self) -> Any:
        protocol = RedisStore("redis://h", "a")._build(None)
        protocol.callLater = self.clock.callLater
        return protocol

    def tearDown(self) -> None:
        self.assertEqual((self.clock.getDelayedCalls(), self.attempts), ([], []))

    def test_first(self) -> None:
        """The first one knows it."""
        connecting = self.connecting()
        self.answered(ONE, MASTER)
        master = self.asked(("m1", 6379))
        self.assertIs(self.successResultOf(connecting), master)

    def test_next(self) -> None:
        """One that is down, or knows nothing, is passed over, and asked last from then on."""
        for fails in (lambda: self.refused(ONE), lambda: self.answered(ONE, UNKNOWN)):
            self.endpoint = self.made()
            connecting = self.connecting()
            fails()
            self.answered(TWO, MASTER)
            self.asked(("m1", 6379))
            self.successResultOf(connecting)
            connecting = self.connecting()
            self.answered(TWO, MASTER)
            self.asked(("m1", 6379))
            self.successResultOf(connecting)

    def test_out_of_date(self) -> None:
        """One whose master cannot be connected to is asked last: it may be cut off with it."""
        connecting = self.connecting()
        self.answered(ONE, MASTER)
        self.refused(("m1", 6379))
        self.failureResultOf(connecting, ConnectionRefusedError)
        connecting = self.connecting()
        self.answered(TWO, OTHER)
        self.asked(("m2", 6380))
        self.successResultOf(connecting)

    def test_nobody_knows(self) -> None:
        """The error has the reason of each; one that hangs has its share of the time."""
        connecting = self.connecting()
        silent = self.asked(ONE)
        self.clock.advance(2)
        self.assertFalse(silent.transport.connected)
        self.answered(TWO, b"-NOAUTH Authentication required.\r\n")
        problem = str(self.failureResultOf(connecting, NoMaster).value)
        self.assertRegex(problem, "knows m: s1:1: .*; s2:2: NOAUTH Authentication required")

    def test_not_a_sentinel(self) -> None:
        """A Redis, and a web server, are named as what they are not; nothing else is logged."""
        connecting = self.connecting()
        self.answered(ONE, b"-ERR unknown command 'SENTINEL', with args beginning with: 'x'\r\n")
        self.answered(TWO, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        problem = str(self.failureResultOf(connecting, NoMaster).value)
        self.assertRegex(problem, "s1:1: it is not a sentinel; s2:2: it does not speak Redis's")

    def test_lost(self) -> None:
        """One that drops the connection does not hold up the others."""
        connecting = self.connecting()
        self.lose(self.asked(ONE))
        self.answered(TWO, MASTER)
        self.asked(("m1", 6379))
        self.successResultOf(connecting)

    def test_password(self) -> None:
        """A wrong password of sentinels is a reason that is told at once, and not shown."""
        self.endpoint = self.made("s3cret")
        connecting = self.connecting()
        for address in (ONE, TWO):
            protocol = self.asked(address)
            self.assertIn(b"AUTH\r\n$6\r\ns3cret\r\n", protocol.transport.value())
            protocol.dataReceived(b"-WRONGPASS invalid username-password pair\r\n")
            self.clock.advance(0)
        problem = str(self.failureResultOf(connecting, NoMaster).value)
        self.assertIn("WRONGPASS", problem)
        self.assertNotIn("s3cret", problem)

    def test_moved(self) -> None:
        """Where it is another one, connections to the old one are dropped; the log says it."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        connections = []
        for answer, address in ((MASTER, ("m1", 6379)), (MASTER, ("m1", 6379))):
            connecting = self.connecting()
            self.answered(ONE, answer)
            connections.append(self.asked(address))
            self.successResultOf(connecting)
        connecting = self.connecting()
        self.answered(ONE, OTHER)
        self.assertEqual([each.transport.connected for each in connections], [False, False])
        new = self.asked(("m2", 6380))
        self.assertTrue(new.transport.connected)
        moved = [each for each in logged if each.get("event") == "redis.moved"]
        self.assertEqual([(each["host"], each["port"]) for each in moved], [("m2", 6380)])

    def test_cancelled(self) -> None:
        """Nobody is asked any more."""
        connecting = self.connecting()
        sentinel = self.asked(ONE)
        connecting.cancel()
        self.failureResultOf(connecting, CancelledError)
        self.assertFalse(sentinel.transport.connected)
