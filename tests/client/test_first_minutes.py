"""
What a program meets in its first minutes: a client that nobody started, and ``async with``.
"""

from __future__ import annotations

import warnings
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import CancelledError, Deferred

from txtokensock import TokenSocket
from txtokensock.errors import ClientClosed, TokenRefused, UsageError

from ..common import ServerTestCase
from .hosts import HostsTestCase


class AsyncWithTests(ServerTestCase):
    """The client as a context manager."""

    def run_with(self, client: TokenSocket, body: Any) -> Deferred[Any]:
        """The outcome of a coroutine that gives ``body`` the client."""

        async def program() -> Any:
            async with client as entered:
                self.assertIs(entered, client)
                return await body(entered)

        return Deferred.fromCoroutine(program())

    def test_enter_and_leave(self) -> None:
        """The body runs with a connection, and the client is ended when it is done."""
        client = self.client()

        async def body(entered: TokenSocket) -> bool:
            return entered.connected

        outcome = self.run_with(client, body)
        self.pending(outcome)
        self.settle()
        self.assertIs(self.successResultOf(outcome), True)
        self.assertFalse(client.running)
        self.assertEqual(self.server.open_connections, 0)

    def test_an_error_in_the_body(self) -> None:
        """It comes out when the client has ended."""

        async def body(entered: TokenSocket) -> None:
            raise KeyError("body")

        outcome = self.run_with(self.client(), body)
        self.settle()
        self.failure(outcome, KeyError)
        self.assertEqual(self.server.open_connections, 0)

    def test_first_attempt_fails(self) -> None:
        """Its error comes at once, the body does not run, and nothing is left behind."""
        self.server.script(token="refuse")
        client = self.client()
        outcome = self.run_with(client, self.fail)
        self.settle()
        self.failure(outcome, TokenRefused)
        self.assertFalse(client.running)
        self.assertEqual(self.server.clock.getDelayedCalls(), [])
        self.failure(client.when_ready(), ClientClosed)

    def test_cancelled_meanwhile(self) -> None:
        """Nobody waits any more: the client ends."""
        self.server.script(token="ignore")
        client = self.client()
        outcome = self.run_with(client, self.fail)
        self.settle()
        outcome.cancel()
        self.settle()
        self.failure(outcome, CancelledError)
        self.assertFalse(client.running)
        self.assertEqual(self.server.open_connections, 0)

    def test_coroutine_that_is_closed(self) -> None:
        """Nothing can be awaited in one, neither before nor in the body; the client ends."""
        for answered in (False, True):
            client = self.client()

            async def program(client: TokenSocket = client) -> None:
                async with client:
                    await Deferred()

            coroutine = program()
            waiting = coroutine.send(None)
            if answered:
                self.settle()
                self.successResultOf(waiting)
                coroutine.send(None)
            coroutine.close()
            self.settle()
            self.assertFalse(client.running)
            self.assertEqual(self.server.open_connections, 0)

    def test_started_already(self) -> None:
        """Who started it ends it, so this is refused, and the client is left alone."""
        client = self.ready()
        outcome = self.run_with(client, self.fail)
        self.failure(outcome, UsageError)
        self.assertTrue(client.connected)

    def test_again(self) -> None:
        """It can be entered once more."""
        client = self.client()

        async def body(entered: TokenSocket) -> bool:
            return entered.connected

        for _ in range(2):
            outcome = self.run_with(client, body)
            self.settle()
            self.assertIs(self.successResultOf(outcome), True)


class SeveralHostsTests(HostsTestCase):
    """The same, with more than one host."""

    def enter(self) -> Deferred[Any]:
        async def program() -> str | None:
            async with self.client() as client:
                return client.connected_to

        return Deferred.fromCoroutine(program())

    def test_first_host_is_down(self) -> None:
        """The next one will do."""
        self.reactor.accepts["a.test"] = False
        outcome = self.enter()
        self.advance(10)
        self.assertEqual(self.successResultOf(outcome), "http://b.test")

    def test_all_hosts_are_down(self) -> None:
        """Each has been asked once."""
        for host in self.hosts:
            self.reactor.accepts[host] = False
        outcome = self.enter()
        self.advance(10)
        self.failureResultOf(outcome)
        self.assertEqual(self.reactor.asked, self.hosts)


class NeverStartedTests(ServerTestCase):
    """A client that nobody has started."""

    def warned(self, client: TokenSocket) -> list[str]:
        """What is warned of while each operation is asked for."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for waiting in (
                client.rpc("f"),
                client.publish("c", 1),
                client.broadcast(1),
                client.subscribe("c"),
            ):
                waiting.addErrback(lambda _: None)
        for warning in caught:
            self.assertEqual(warning.filename.rpartition("/")[2], "test_first_minutes.py")
        return [str(warning.message) for warning in caught]

    def test_warning(self) -> None:
        """The first thing that is asked of it is warned of where it is asked, and only that."""
        [warning] = self.warned(self.client())
        self.assertIn("was not started, and what is asked of it waits", warning)

    def test_each_operation(self) -> None:
        """Whichever comes first."""
        for ask in (
            lambda client: client.rpc("f"),
            lambda client: client.publish("c", 1),
            lambda client: client.broadcast(1),
            lambda client: client.subscribe("c"),
        ):
            client = self.client()
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                ask(client).addErrback(lambda _: None)
            self.assertEqual([warning.category for warning in caught], [RuntimeWarning])

    def test_no_warning(self) -> None:
        """One that has a parent will be started, and one that was stopped says so itself."""
        client = self.client()
        client.setServiceParent(MultiService())
        self.assertEqual(self.warned(client), [])
        client = self.ready()
        client.end()
        self.settle()
        self.assertEqual(self.warned(client), [])
