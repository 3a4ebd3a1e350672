"""
The test kit: TCP in memory as TCP is, and a real server for a real client.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
)
from twisted.internet.interfaces import IConsumer, IPushProducer, IStreamClientEndpoint, ITransport
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent
from zope.interface.verify import verifyObject

from txtokensock import errors
from txtokensock.server import TokenSocketServer, query
from txtokensock.testing import MemoryNetwork, MemoryServer, MemoryTransport, ScriptedServer

from .common import Calls


class Recorder(Protocol):
    """Notes all that it hears."""

    transport: Any

    def __init__(self) -> None:
        self.received = b""
        self.lost: list[type[Exception]] = []

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost.append(reason.type)


class NetworkTests(SynchronousTestCase):
    """MemoryNetwork."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.served: list[Recorder] = []

        def serve() -> Recorder:
            self.served.append(Recorder())
            return self.served[-1]

        self.network = MemoryNetwork(self.clock, Factory.forProtocol(serve))

    def pair(self) -> tuple[Recorder, Recorder]:
        """A client and what serves it."""
        connecting: Deferred[Any] = self.network.endpoint().connect(Factory.forProtocol(Recorder))
        self.clock.advance(0)
        return self.successResultOf(connecting), self.served[-1]

    def test_interfaces(self) -> None:
        """Endpoint, agent and transport are what Twisted expects."""
        verifyObject(IStreamClientEndpoint, self.network.endpoint())
        verifyObject(IAgent, self.network.agent())
        transport = self.pair()[0].transport
        for interface in (ITransport, IConsumer, IPushProducer):
            verifyObject(interface, transport)
        self.assertIsInstance(transport, MemoryTransport)

    def test_bytes_in_a_later_turn(self) -> None:
        """Nothing arrives in the turn in which it is written; all arrives in the next."""
        client, server = self.pair()
        client.transport.write(b"a")
        client.transport.writeSequence([b"b", b"c" * 200_000])
        server.transport.write(b"x")
        self.assertEqual(server.received, b"")
        self.clock.advance(0)
        self.assertEqual((server.received, client.received), (b"ab" + b"c" * 200_000, b"x"))

    def test_orderly_close(self) -> None:
        """Both ends hear of it once, after what was written."""
        client, server = self.pair()
        client.transport.write(b"last")
        client.transport.loseConnection()
        client.transport.write(b"ignored")
        self.assertEqual(len(self.network.open), 1)
        self.clock.advance(0)
        self.assertEqual(server.received, b"last")
        self.assertEqual((client.lost, server.lost), ([ConnectionDone], [ConnectionDone]))
        self.assertEqual(self.network.open, [])

    def test_reset(self) -> None:
        """What was not read is lost, and each end hears its own reason."""
        client, server = self.pair()
        server.transport.write(b"lost")
        server.transport.abortConnection()
        self.clock.advance(0)
        self.assertEqual(client.received, b"")
        self.assertEqual((client.lost, server.lost), ([ConnectionLost], [ConnectionAborted]))

    def test_paused_reader(self) -> None:
        """It gets nothing, and does not notice the end; the writer's producer is paused."""
        client, server = self.pair()
        producer = Calls()
        server.transport.pauseProducing()
        client.transport.write(b"x" * 100)
        self.clock.advance(0)
        self.assertEqual((server.received, producer), (b"", []))
        client.transport.abortConnection()
        self.clock.advance(0)
        self.assertEqual((client.lost, server.lost), ([ConnectionAborted], []))
        server.transport.resumeProducing()
        self.clock.advance(0)
        self.assertEqual((server.received, server.lost), (b"", [ConnectionLost]))

    def test_refusing_and_ignoring(self) -> None:
        """Connections that are refused, or never made; the latter can be cancelled."""
        factory = Factory.forProtocol(Recorder)
        refused = self.network.endpoint(lambda: False).connect(factory)
        ignored = self.network.endpoint(lambda: None).connect(factory)
        self.clock.advance(1000)
        self.failureResultOf(refused, ConnectionRefusedError)
        self.assertNoResult(ignored)
        ignored.cancel()
        self.failureResultOf(ignored)
        self.assertEqual(self.network.connections, [])

    def test_cancelled_in_time(self) -> None:
        """A cancelled connection is not made."""
        connecting = self.network.endpoint().connect(Factory.forProtocol(Recorder))
        connecting.cancel()
        self.failureResultOf(connecting)
        self.clock.advance(0)
        self.assertEqual(self.network.connections, [])

    def test_raising_protocol(self) -> None:
        """It loses its connection, and the log has it, as with a reactor."""
        client, server = self.pair()
        server.dataReceived = lambda data: 1 / 0  # type: ignore[assignment,method-assign]
        client.transport.write(b"a")
        self.clock.advance(0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual((client.lost, server.lost), ([ConnectionLost], [ConnectionAborted]))


class ScriptedServerTests(SynchronousTestCase):
    """ScriptedServer."""

    def test_unknown_phase(self) -> None:
        """A typing mistake in a script is told."""
        self.assertRaises(ValueError, ScriptedServer().script, handshak="refuse")

    def test_advance(self) -> None:
        """Every timer finds the time at which it is due, those that timers set, too."""
        server = ScriptedServer()
        times = Calls()

        def tick() -> None:
            times(server.clock.seconds())
            if len(times) < 5:
                server.clock.callLater(0.1, tick)

        server.clock.callLater(0.1, tick)
        server.advance(10)
        self.assertEqual([round(time, 6) for time in times], [0.1, 0.2, 0.3, 0.4, 0.5])
        self.assertEqual(server.clock.seconds(), 10)


class WaitingTests(SynchronousTestCase):
    """result() and failure() of a server in memory."""

    def setUp(self) -> None:
        self.server = ScriptedServer()

    def test_result(self) -> None:
        """Of a Deferred that fires in a turn of the clock, and of a coroutine; also twice."""
        later = deferLater(self.server.clock, 0, lambda: 5)

        async def twice() -> int:
            return 2 * await later

        self.assertEqual(self.server.result(later), 5)
        self.assertEqual(self.server.result(twice()), 10)
        self.assertEqual(self.server.result(later), 5)

    def test_failure(self) -> None:
        """The error is raised, or returned where it has to come; nothing is left to log."""
        self.assertRaises(KeyError, self.server.result, fail(KeyError(1)))
        error = self.server.failure(fail(KeyError(2)), LookupError)
        self.assertEqual(error.args, (2,))
        self.assertRaises(KeyError, self.server.failure, fail(KeyError(3)), ValueError)
        self.assertRaises(AssertionError, self.server.failure, succeed(4), ValueError)

    def test_not_yet(self) -> None:
        """What waits for time to pass is not waited for, and keeps its result."""
        later = deferLater(self.server.clock, 1, lambda: 5)
        self.assertRaises(AssertionError, self.server.result, later)
        self.server.advance(1)
        self.assertEqual(self.server.result(later), 5)


class MemoryServerTests(SynchronousTestCase):
    """A client of ours and a server of ours: an application's tests."""

    def setUp(self) -> None:
        def authenticate(request: Any) -> Any:
            user = query(request).get("user")
            return {"user": user} if user else False

        async def call_back(data: Any, peer: Any) -> Any:
            return await peer.rpc("ping", data)

        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(
                authenticate,
                actions={
                    "echo": lambda data, peer: data,
                    "who": lambda data, peer: peer.auth["user"],
                    "call_back": call_back,
                    "wait": lambda data, peer: Deferred(),
                },
                reactor=clock,
            )
        )
        self.addCleanup(self.memory.finish)

    def client(self, **options: Any) -> Any:
        """A client that is ready."""
        options.setdefault("authentication", {"user": "ada"})
        client = self.memory.client(**options)
        client.startService()
        self.memory.settle()
        return client

    def test_calls(self) -> None:
        """Both ways, with the credentials of the token request."""
        client = self.client(actions={"ping": lambda data: ["pong", data]})
        self.assertTrue(client.connected)
        self.assertEqual(self.memory.result(client.rpc("echo", {"a": 1})), {"a": 1})
        self.assertEqual(self.memory.result(client.rpc("who")), "ada")
        self.assertEqual(self.memory.result(client.rpc("call_back", 5)), ["pong", 5])
        self.memory.failure(client.rpc("missing"), errors.FunctionNotFound)

    def test_channels(self) -> None:
        """Subscribe, publish, broadcast, unsubscribe, all acknowledged."""
        one, two = self.client(), self.client()
        heard = Calls()
        subscription = self.memory.result(one.subscribe("c", heard))
        self.memory.result(two.publish("c", 1))
        self.memory.result(two.broadcast("all"))
        self.memory.settle()
        self.assertEqual(heard, [1, "all"])
        self.memory.result(subscription.unsubscribe())
        self.memory.result(two.publish("c", 2))
        self.assertEqual(heard, [1, "all"])

    def test_refused(self) -> None:
        """Who is nobody gets no token."""
        client = self.client(authentication={})
        failed = client.when_ready(fail_after=1)
        self.memory.advance(60)
        self.failureResultOf(failed, errors.TokenRefused)

    def test_reconnect(self) -> None:
        """A reset is made good, subscriptions too."""
        client, heard = self.client(), Calls()
        self.memory.result(client.subscribe("c", heard))
        self.memory.fault("drop")
        self.memory.settle()
        self.assertFalse(client.connected)
        self.memory.advance(1)
        self.assertTrue(client.connected)
        self.memory.result(self.client().publish("c", 1))
        self.memory.settle()
        self.assertEqual(heard, [1])

    def test_faults(self) -> None:
        """Each does what it says, and a client comes back when the network has healed."""
        client = self.client(silence_timeout=None)
        for fault, error in (
            ("drop", errors.ConnectionLost),
            ("hang up", errors.ConnectionLost),
            ("silence", errors.CallTimeout),
        ):
            called = client.rpc("wait", timeout=5)
            self.memory.fault(fault)  # type: ignore[arg-type]
            self.memory.settle()
            self.assertEqual(client.connected, fault == "silence")
            self.memory.advance(5)
            self.memory.failure(called, error)
            self.memory.heal()
            self.memory.advance(5)
            self.assertTrue(client.connected, fault)

    def test_nobody_comes_in(self) -> None:
        """A network that refuses, and one that says nothing, are two things to a newcomer."""
        for fault, error in (
            ("refuse", errors.TokenUnreachable),
            ("silence", errors.AttemptTimeout),
        ):
            self.memory.fault(fault)  # type: ignore[arg-type]
            client = self.memory.client(authentication={"user": "ada"})
            client.startService()
            failed = client.when_ready(fail_after=1)
            self.memory.advance(30)
            self.memory.failure(failed, error)
            self.memory.heal()
            self.memory.advance(30)
            self.assertTrue(client.connected, fault)
        self.assertRaises(errors.InvalidOption, self.memory.fault, "break")

    def test_silence_keeps_what_was_sent(self) -> None:
        """TCP sends again: what was on its way arrives when the network has healed."""
        client = self.client()
        self.memory.fault("silence")
        called = client.rpc("echo", 5)
        self.assertRaises(AssertionError, self.memory.result, called)
        self.memory.heal()
        self.assertEqual(self.memory.result(called), 5)

    def test_silence_of_the_server(self) -> None:
        """Nor does anything come from the server meanwhile."""
        client, heard = self.client(), Calls()
        self.memory.result(client.subscribe("c", heard))
        self.memory.fault("silence")
        self.memory.server.publish("c", 5)
        self.memory.settle()
        self.assertEqual(heard, [])
        self.memory.heal()
        self.memory.settle()
        self.assertEqual(heard, [5])

    def test_finish_in_silence(self) -> None:
        """An orderly end needs a network: the client's last message still arrives."""
        client, heard = self.client(), Calls()
        self.memory.server.on("publish", lambda peer, channel, data: heard(data))
        self.memory.fault("silence")
        published = client.publish("c", 5)
        self.memory.settle()
        self.assertEqual(heard, [])
        self.memory.finish()
        self.memory.failure(published, errors.ConnectionLost)
        self.assertEqual(heard, [5])

    def test_finish(self) -> None:
        """It ends all that there is, and complains of what is left."""
        clients = [self.client(), self.client()]
        self.memory.finish()
        self.assertEqual([client.running for client in clients], [False, False])
        self.assertFalse(self.memory.server.running)
        left = self.memory.clock.callLater(1000, lambda: None)
        self.assertRaises(AssertionError, self.memory.finish)
        left.cancel()

    def test_server_restarts(self) -> None:
        """The client waits for a server that stopped, and comes back."""
        client = self.client()
        stopped = self.memory.server.stopService()
        self.memory.advance(5)
        self.successResultOf(stopped)
        self.assertFalse(client.connected)
        self.memory.server.startService()
        self.memory.advance(60)
        self.assertTrue(client.connected)
