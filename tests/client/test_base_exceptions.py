"""
Whatever a function of the user's raises, the client goes on as if it had not.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from traceback import walk_tb
from typing import Any

from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from txtokensock import TokenSocket
from txtokensock.errors import (
    ClientClosed,
    ConnectionFailed,
    CredentialsUnavailable,
    InvalidOption,
)

from ..common import Calls, ServerTestCase
from ..faults.functions import FUNCTIONS


class BaseExceptionTestCase(ServerTestCase):
    """Plays the same with every function."""

    def each(self, play: Callable[[Callable[..., Any]], None]) -> None:
        """One after the other; each is logged at least once, and kept from failing the test."""
        for function in FUNCTIONS.values():
            with self.subTest(function):
                play(function)
                self.assertTrue(self.flushLoggedErrors(), "nothing was logged")

    def ended(self, client: TokenSocket) -> None:
        """The client ends in time, and leaves nothing."""
        end = client.end()
        self.advance(5)
        self.assertIsNone(self.successResultOf(end))
        self.assertEqual(self.server.open_connections, 0)


class ListenerTests(BaseExceptionTestCase):
    """
    Listeners, where they are not alone or there is no other attempt; the rest is in the table
    of ``tests/faults``.
    """

    def test_failed(self) -> None:
        """A client that gives up after an attempt has given up, whoever is told raises."""

        def play(function: Callable[..., Any]) -> None:
            self.server.script(token="refuse")
            client = self.client(reconnect=False)
            for event in ("ready", "error"):
                client.on(event, function)
            waiting, queued = client.when_ready(), client.rpc("f")
            client.startService()
            self.settle()
            self.failure(waiting, ConnectionFailed)
            self.assertFalse(client.running)
            self.failure(queued, ClientClosed)
            self.failure(client.when_ready(), ClientClosed)
            attempts = len(self.server.tokens)
            self.advance(70)
            self.assertEqual(len(self.server.tokens), attempts)
            self.ended(client)

        self.each(play)

    def test_lost(self) -> None:
        """So it has after a loss."""

        def play(function: Callable[..., Any]) -> None:
            self.server.script()
            client = self.ready(reconnect=False)
            client.on("disconnect", function)
            client.on("error", function)
            sessions = len(self.server.sessions)
            self.session.drop()
            self.settle()
            self.assertFalse(client.connected)
            self.advance(10)
            self.assertFalse(client.connected)
            self.assertEqual(len(self.server.sessions), sessions)
            self.ended(client)

        self.each(play)

    def test_messages(self) -> None:
        """What ``message`` listeners and handlers raise loses no message of the others."""

        def play(function: Callable[..., Any]) -> None:
            client = self.ready()
            listened, handled = Calls(), Calls()
            client.onmessage(function)
            client.onmessage(listened)
            subscribing = [
                client.subscribe("c", function),
                client.subscribe("c", handled, on_confirmation=function),
            ]
            self.settle()
            self.session.subscribed("c")
            self.session.publish("c", 1)
            self.session.publish("c", 2)
            self.settle()
            for subscribed in subscribing:
                self.successResultOf(subscribed)
            self.assertEqual((listened, handled), ([("c", 1), ("c", 2)], [1, 2]))
            self.assertTrue(client.connected)
            self.ended(client)

        self.each(play)

    def test_no_cycle(self) -> None:
        """
        No frame of the traceback holds what was raised: that would be a cycle, which only the
        garbage collector ends.
        """
        socket = self.ready()
        for kind in (RuntimeError, SystemExit):

            def listener(*_: Any, kind: type[BaseException] = kind) -> None:
                raise kind

            socket.once("message", listener)
            self.session.publish("c", 1)
            self.settle()
            [failure] = self.flushLoggedErrors()
            held = [
                value
                for frame, _ in walk_tb(failure.getTracebackObject())
                for value in frame.f_locals.values()
                if isinstance(value, BaseException)
            ]
            self.assertEqual(held, [])


class ActionTests(BaseExceptionTestCase):
    """Functions that the server calls."""

    def test_unreadable(self) -> None:
        """An error whose text raises is answered with its name, where texts are sent."""

        class UnreadableError(Exception):
            def __str__(self) -> str:
                raise SystemExit(3)

        def raise_it(_: Any) -> Any:
            raise UnreadableError

        client = self.ready(actions={"f": raise_it}, expose_errors=True)
        self.session.call("f")
        self.settle()
        self.assertEqual(self.session.received[-1]["resp"], {"error": "UnreadableError"})
        self.assertTrue(client.connected)
        self.assertEqual(len(self.flushLoggedErrors(UnreadableError)), 1)


class ConnectingTests(BaseExceptionTestCase):
    """Functions that are asked in the middle of connecting."""

    def test_attempt(self) -> None:
        """``authentication`` and ``headers`` that raise end a client that tries but once."""
        for option in ("authentication", "headers"):
            for function in FUNCTIONS.values():
                with self.subTest(f"{option} {function}"):
                    once = self.client(**{option: function}, reconnect=False)
                    waiting = once.when_ready()
                    once.startService()
                    self.settle()
                    self.failure(waiting, CredentialsUnavailable)
                    self.assertFalse(once.running)


class RefusedTests(BaseExceptionTestCase):
    """Functions of which no call ever runs."""

    def test_generators(self) -> None:
        """They are refused where they are handed in, however they are wrapped."""

        async def asynchronous(*_: Any) -> Any:
            yield 1

        def synchronous(*_: Any) -> Any:
            yield 1

        class Instance:
            async def __call__(self, *_: Any) -> Any:
                yield 1

            async def method(self, *_: Any) -> Any:
                yield 1

        client = self.ready()
        for function in (
            asynchronous,
            synchronous,
            partial(asynchronous, 1),
            Instance(),
            Instance().method,
        ):
            for add in (
                lambda f: client.on("message", f),
                lambda f: client.once("ready", f),
                lambda f: client.register({"a": {"b": f}}),
                lambda f: self.client(actions={"a": f}),
                lambda f: self.client(authentication=f),
                lambda f: self.client(headers=f),
                lambda f: self.client(retry_policy=f),
            ):
                with self.assertRaises(InvalidOption) as caught:
                    add(function)
                self.assertIn("generator", str(caught.exception))
            for option in ("handler", "on_confirmation", "retry"):
                error = self.failure(client.subscribe("c", **{option: function}), InvalidOption)
                self.assertIn("generator", str(error))

    def test_generators_in_disguise(self) -> None:
        """Where only its result shows that a listener is one, the log says so."""

        async def asynchronous(*_: Any) -> Any:
            yield 1

        client = self.ready()
        events: list[Any] = []
        globalLogPublisher.addObserver(events.append)
        self.addCleanup(globalLogPublisher.removeObserver, events.append)
        for listener in (lambda *_: asynchronous(), lambda *_: (1 for _ in "x"), lambda *_: "ok"):
            client.once("message", listener)
            self.session.publish("c", 1)
        self.settle()
        logged = [event for event in events if event["log_level"] is LogLevel.error]
        self.assertEqual(len(logged), 2)
        self.assertIn("of which nothing runs", formatEvent(logged[0]))

    def test_coroutine_policy(self) -> None:
        """A policy gives its answer at once: a coroutine function never does."""

        async def policy(failure: Failure, number: int) -> float:
            return 1.0

        self.assertRaises(InvalidOption, self.client, retry_policy=policy)
        client = self.ready()
        self.failure(client.subscribe("c", retry=policy), InvalidOption)
