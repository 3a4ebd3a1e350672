"""
Several servers: one after the other, until one can be connected to.
"""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from txtokensock.client.failover import FailoverEndpoint
from txtokensock.errors import (
    AllHostsFailed,
    AttemptTimeout,
    ClientClosed,
    ConnectFailed,
    HandshakeRefused,
    InvalidOption,
    TokenRefused,
    TokenServerError,
)

from ..common import Calls
from .hosts import HostsTestCase

FACTORY = Factory.forProtocol(Protocol)

REFUSAL = 0.3
"""Seconds until a ``HostnameEndpoint`` says that the only address of a host refuses."""


@implementer(IStreamClientEndpoint)
class Endpoint:
    """
    Its attempts wait for the test.

    :param cancel: what a cancelled one does.
    """

    def __init__(self, cancel: Any = None) -> None:
        self.attempts: list[Deferred[Any]] = []
        self._cancel = cancel

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """An attempt."""
        self.attempts.append(Deferred(self._cancel))
        return self.attempts[-1]


class EndpointTests(SynchronousTestCase):
    """``FailoverEndpoint``."""

    def endpoint(self, *names: str, cancel: Any = None) -> FailoverEndpoint:
        """Of servers of these names."""
        self.by_name = {name: Endpoint(cancel) for name in names}
        return FailoverEndpoint(Clock(), self.by_name)

    def asked(self) -> list[int]:
        """How often each was connected to."""
        return [len(endpoint.attempts) for endpoint in self.by_name.values()]

    def test_interface(self) -> None:
        """It is an endpoint, and says of what."""
        endpoint = self.endpoint("one", "two")
        verifyObject(IStreamClientEndpoint, endpoint)
        self.assertEqual(repr(endpoint), "<FailoverEndpoint one, two>")

    def test_first(self) -> None:
        """The first that can be connected to is the one."""
        endpoint = self.endpoint("one", "two")
        connecting = endpoint.connect(FACTORY)
        self.assertEqual(self.asked(), [1, 0])
        self.assertNoResult(connecting)
        self.by_name["one"].attempts[0].callback("protocol")
        self.assertEqual(self.successResultOf(connecting), "protocol")
        self.assertEqual((self.asked(), endpoint.current), ([1, 0], "one"))

    def test_next(self) -> None:
        """A failure moves on, and so does the next attempt, all around."""
        endpoint = self.endpoint("one", "two", "three")
        connecting = endpoint.connect(FACTORY)
        self.by_name["one"].attempts[0].errback(ConnectFailed("x", "connect"))
        self.assertEqual(self.asked(), [1, 1, 0])
        self.by_name["two"].attempts[0].callback("protocol")
        self.assertEqual(self.successResultOf(connecting), "protocol")
        for expected in ([1, 1, 1], [2, 1, 1], [2, 2, 1]):
            endpoint.connect(FACTORY).addErrback(lambda _: None)
            self.assertEqual(self.asked(), expected)

    def test_all(self) -> None:
        """When all have failed, the error is of all, in their order."""
        endpoint = self.endpoint("one", "two")
        for _ in range(2):
            connecting = endpoint.connect(FACTORY)
            errors = [ConnectFailed("x", "connect"), RuntimeError("a bug")]
            for error, each in zip(errors, self.by_name.values(), strict=True):
                each.attempts[-1].errback(error)
            error = self.failureResultOf(connecting, AllHostsFailed).value
            self.assertEqual(error.errors, dict(zip(("one", "two"), errors, strict=True)))
            self.assertIs(error.__cause__, errors[1])
        self.assertEqual(self.asked(), [2, 2])

    def test_one(self) -> None:
        """One server's error is the error."""
        endpoint = self.endpoint("one")
        connecting = endpoint.connect(FACTORY)
        error = ConnectFailed("x", "connect")
        self.by_name["one"].attempts[0].errback(error)
        self.assertIs(self.failureResultOf(connecting, ConnectFailed).value, error)

    def test_raises(self) -> None:
        """An endpoint that raises has failed."""
        endpoint = self.endpoint("one", "two")
        self.patch(self.by_name["one"], "connect", None)
        endpoint.connect(FACTORY).addErrback(lambda _: None)
        self.assertEqual(self.asked(), [0, 1])

    def test_cancel(self) -> None:
        """Cancelling ends the attempt that there is, and begins no other."""

        def fail(attempt: Deferred[Any]) -> None:
            attempt.errback(ConnectFailed("x", "connect"))

        for cancel, kind in ((None, CancelledError), (fail, ConnectFailed)):
            for failed in (0, 1, 2):
                endpoint = self.endpoint("one", "two", "three", cancel=cancel)
                connecting = endpoint.connect(FACTORY)
                for name in ("one", "two")[:failed]:
                    self.by_name[name].attempts[0].errback(ConnectFailed("x", "connect"))
                connecting.cancel()
                self.failureResultOf(connecting, kind)
                expected = [int(number <= failed) for number in range(3)]
                self.assertEqual(self.asked(), expected)
                self.assertTrue(
                    all(e.attempts[0].called for e in self.by_name.values() if e.attempts)
                )

    def test_start_over(self) -> None:
        """From the first again."""
        endpoint = self.endpoint("one", "two")
        endpoint.connect(FACTORY)
        self.by_name["one"].attempts[0].callback("protocol")
        endpoint.start_over()
        self.assertIsNone(endpoint.current)
        endpoint.connect(FACTORY)
        self.assertEqual(self.asked(), [2, 0])


class ClientTests(HostsTestCase):
    """A client of three servers."""

    def test_first(self) -> None:
        """It connects to the first, and says so."""
        client = self.client()
        self.assertIsNone(client.connected_to)
        client.startService()
        self.settle()
        self.assertEqual(client.connected_to, "http://a.test")
        self.assertEqual(self.attempts(), ["a"])
        self.assertEqual(
            repr(client), "<TokenSocket to http://a.test, http://b.test, http://c.test>"
        )

    def test_each_phase(self) -> None:
        """Wherever an attempt fails, the next server is tried within it."""
        for phase in ("token", "handshake", "open", "auth"):
            for step in ("refuse", "drop", "hang up"):
                self.a.script(**{phase: step})
                client, ready = self.client(), Calls()
                client.ready(ready)
                client.startService()
                self.settle()
                self.assertEqual(client.connected_to, "http://b.test", (phase, step))
                self.assertEqual(ready, [None])
                self.assertEqual(self.a.open_connections, 0)
                client.end()
                self.settle()

    def test_silence(self) -> None:
        """A server that does not answer takes no longer than the phase's deadline."""
        for accepts in (True, None):
            self.a.script(token="ignore")
            self.down("a.test", accepts=accepts)
            client = self.started()
            self.advance(9.9)
            self.assertIsNone(client.connected_to)
            self.advance(0.2)
            self.assertEqual(client.connected_to, "http://b.test")
            self.assertEqual(self.a.open_connections, 0)
            client.end()
            self.settle()

    def test_lost(self) -> None:
        """Who is lost is the last to be tried again."""
        client = self.ready()
        disconnects = Calls()
        client.on("disconnect", disconnects)
        for server, url in ((self.a, "b"), (self.b, "c"), (self.c, "a")):
            self.advance(20)
            server.session.drop()
            self.settle()
            self.assertIsNone(client.connected_to)
            self.advance(0.1)
            self.assertEqual(client.connected_to, f"http://{url}.test")
        self.assertEqual(len(disconnects), 3)
        self.assertEqual(self.attempts(), ["a", "b", "c", "a"])

    def test_killed(self) -> None:
        """What was asked for goes on with the next server."""
        client, heard = self.ready(), Calls()
        subscribing = client.subscribe("c", heard)
        self.settle()
        self.a.session.subscribed("c")
        self.settle()
        self.successResultOf(subscribing)
        call = client.rpc("again", idempotent=True)
        self.settle()
        self.down("a.test")
        self.advance(0.1)
        session = self.b.session
        self.assertEqual([m["rpc"] for m in session.received], ["_subscribe", "again"])
        session.subscribed("c")
        session.publish("c", 1)
        session.answer(session.received[1], 2)
        self.settle()
        self.assertEqual((heard, self.successResultOf(call)), ([1], 2))

    def test_lost_while_calls_fail(self) -> None:
        """Whoever hears of the loss by a call finds no connection any more."""
        client = self.started()
        seen = Calls()
        call = client.rpc("x")
        call.addErrback(lambda _: seen(client.connected, client.connected_to, client.transport))
        self.settle()
        self.down("a.test")
        self.settle()
        self.assertEqual(seen, [(False, None, None)])

    def test_all_down(self) -> None:
        """One failure for all of them, and then again from the first."""
        self.down(*self.hosts)
        client, ready = self.client(), Calls()
        client.ready(ready)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.advance(3 * REFUSAL)
        error = self.failure(failed, AllHostsFailed)
        self.assertEqual(ready, [error])
        self.assertEqual(list(error.errors), self.urls)
        self.assertEqual((error.phase, error.retry_in), ("token", 0.1))
        self.assertEqual(self.attempts(), ["a", "b", "c"])
        self.up("c.test")
        self.advance(0.1 + 2 * REFUSAL)
        self.assertEqual(client.connected_to, "http://c.test")
        self.assertEqual(self.attempts(), ["a", "b", "c"])

    def test_the_best_error_decides(self) -> None:
        """One server that moved and one that refuses do not hold up one that is down."""
        self.a.script(token=lambda request: request.respond(410))
        self.b.script(token="refuse")
        self.down("c.test")
        client = self.client()
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.advance(REFUSAL)
        error = self.failure(failed, AllHostsFailed)
        kinds = [type(each) for each in error.errors.values()]
        self.assertEqual(kinds[:2], [TokenServerError, TokenRefused])
        self.assertEqual(error.retry_in, 0.1)

    def test_all_moved(self) -> None:
        """Where none can be mended by trying, it gives up."""
        for server in (self.a, self.b, self.c):
            server.script(token=lambda request: request.respond(410))
        client = self.started()
        closed = self.failure(client.rpc("x"), ClientClosed)
        self.assertIsInstance(closed.__cause__, AllHostsFailed)
        self.assertEqual(list(self.reactor.getDelayedCalls()), [])

    def test_end(self) -> None:
        """end() stops at whichever server it is, in every phase, and tries no other."""
        self.a.script(handshake="refuse")
        for phase in ("token", "handshake", "open", "auth"):
            self.b.script(**{phase: "ignore"})
            client = self.started()
            self.attempts()
            end = client.end()
            self.settle()
            self.successResultOf(end)
            self.assertEqual(self.attempts(), [])
            self.assertEqual(list(self.reactor.getDelayedCalls()), [])
            for server in (self.a, self.b, self.c):
                self.assertEqual(server.open_connections, 0)

    def test_start_again(self) -> None:
        """A client that is started again begins with the first."""
        self.down("a.test")
        client = self.started()
        self.advance(REFUSAL)
        self.assertEqual(client.connected_to, "http://b.test")
        self.up("a.test")
        client.end()
        self.settle()
        client.startService()
        self.settle()
        self.assertEqual(client.connected_to, "http://a.test")

    def test_only_once(self) -> None:
        """``reconnect=False`` tries each server once."""
        self.down(*self.hosts[:2])
        client = self.started(reconnect=False)
        self.advance(2 * REFUSAL)
        self.assertTrue(client.connected)
        self.down(*self.hosts)
        client = self.started(reconnect=False)
        self.advance(3 * REFUSAL)
        self.attempts()
        self.failure(client.when_ready(), ClientClosed)
        self.advance(100)
        self.assertEqual(self.attempts(), [])

    def test_fresh_credentials(self) -> None:
        """``authentication`` is asked for each server, and cookies stay where they belong."""
        users = iter("xyz!")
        self.a.script(token=lambda request: request.respond(503, b"", "", "Set-Cookie: stick=a"))
        self.ready(authentication=lambda: {"user": next(users)})
        self.assertEqual(self.a.tokens[0].query, "user=x")
        self.assertEqual(self.b.tokens[0].query, "user=y")
        self.assertNotIn("cookie", self.b.tokens[0].headers)
        self.a.script()
        self.b.session.drop()
        self.down("c.test")
        self.advance(1)
        self.assertEqual(self.a.tokens[1].headers["cookie"], "stick=a")

    def test_deadlines(self) -> None:
        """An attempt that reaches nobody takes the deadlines of all, and names each."""
        self.down(*self.hosts, accepts=None)
        client = self.client()
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.advance(29.9)
        self.pending(failed)
        self.advance(0.2)
        error = self.failure(failed, AllHostsFailed)
        self.assertEqual([type(e) for e in error.errors.values()], [AttemptTimeout] * 3)


class OptionTests(HostsTestCase):
    """``host``, ``port``, ``shuffle``."""

    def test_port(self) -> None:
        """``port`` is for those that name none."""
        client = self.client(host=["a.test:81", "https://b.test", "[::1]"], port=8080)
        self.assertEqual(
            repr(client),
            "<TokenSocket to http://a.test:81, https://b.test:8080, http://[::1]:8080>",
        )

    def test_shuffle(self) -> None:
        """``shuffle`` takes the order of chance, once; without, it is the list's."""
        shuffles = Calls()

        def reverse(servers: list[Any]) -> None:
            shuffles(len(servers))
            servers.reverse()

        self.patch(random, "shuffle", reverse)
        hosts = list(self.hosts)
        client = self.ready(host=hosts, shuffle=True)
        self.assertEqual(client.connected_to, "http://c.test")
        self.c.session.drop()
        self.advance(0.1)
        self.assertEqual(client.connected_to, "http://b.test")
        self.assertEqual((shuffles, hosts), ([3], self.hosts))
        self.assertEqual(self.ready().connected_to, "http://a.test")

    def test_one(self) -> None:
        """A list of one is one, also for its errors."""
        self.a.script(handshake="refuse")
        client = self.client(host=["a.test"], transports=("websocket",))
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.failure(failed, HandshakeRefused)

    def test_invalid(self) -> None:
        """Nothing, the same twice, what is no address, and an endpoint for several."""
        endpoint = self.a.network.endpoint()
        for options in (
            *(
                {"host": host}
                for host in ([], ["a", "b", "http://a"], ["a", ""], ["a", 5], [["a"]])
            ),
            *({"host": host} for host in (b"a", {"a", "b"}, 5)),
            {"host": ["a", "b"], "endpoint": endpoint},
            {"shuffle": 1},
        ):
            error = self.assertRaises(InvalidOption, self.client, **options)
            self.assertIn("shuffle" if "shuffle" in options else "host", str(error))
