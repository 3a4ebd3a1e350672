"""
Whatever a function of the user's raises, the client goes on as if it had not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from twisted.internet.defer import CancelledError, fail
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


class Odd(BaseException):
    """Something that no ``except Exception`` catches."""


RAISED: list[Callable[[], BaseException]] = [
    lambda: RuntimeError("oops"),
    lambda: SystemExit(3),
    KeyboardInterrupt,
    asyncio.CancelledError,
    CancelledError,
    GeneratorExit,
    StopIteration,
    lambda: Odd("oops"),
]
"""One of each kind of exceptions that pass for something else on their way."""


def plain(make: Callable[[], BaseException]) -> Callable[..., Any]:
    """A function that raises."""

    def function(*_: Any) -> Any:
        raise make()

    return function


def deferred(make: Callable[[], BaseException]) -> Callable[..., Any]:
    """A function whose Deferred fails."""
    return lambda *_: fail(make())


def coroutine(make: Callable[[], BaseException]) -> Callable[..., Any]:
    """A coroutine function that raises."""

    async def function(*_: Any) -> Any:
        raise make()

    return function


def functions() -> Iterator[Callable[..., Any]]:
    """Each kind of function, raising each kind of exception."""
    for kind in (plain, deferred, coroutine):
        for make in RAISED:
            yield kind(make)


class BaseExceptionTestCase(ServerTestCase):
    """Plays the same with every function."""

    def each(self, play: Callable[[Callable[..., Any]], None]) -> None:
        """One after the other; each is logged at least once, and kept from failing the test."""
        for function in functions():
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
    """Listeners of every event."""

    def test_established(self) -> None:
        """What ``ready`` and ``reconnect`` listeners raise leaves a connection that works."""

        def play(function: Callable[..., Any]) -> None:
            self.server.respond = lambda session, message: session.answer(message, "yes")
            client = self.client()
            others = Calls()
            for event in ("ready", "reconnect"):
                client.on(event, function)
                client.on(event, others)
            waiting, queued = client.when_ready(), client.rpc("f")
            client.startService()
            self.settle()
            self.successResultOf(waiting)
            self.assertEqual(self.successResultOf(queued), "yes")
            self.session.drop()
            self.settle()
            waiting = client.when_ready()
            self.advance(0.1)
            self.successResultOf(waiting)
            self.assertEqual(others, [None, None])
            self.ended(client)

        self.each(play)

    def test_failed(self) -> None:
        """An attempt that failed is followed by the next, and by the end of who gives up."""

        def play(function: Callable[..., Any]) -> None:
            for reconnect in (True, False):
                self.server.script(token="refuse")
                client = self.client(reconnect=reconnect)
                for event in ("ready", "error"):
                    client.on(event, function)
                waiting, queued = client.when_ready(fail_after=1), client.rpc("f")
                client.startService()
                self.settle()
                self.failure(waiting, ConnectionFailed)
                self.assertEqual(client.running, reconnect)
                if not reconnect:
                    self.failure(queued, ClientClosed)
                    self.failure(client.when_ready(), ClientClosed)
                attempts = len(self.server.tokens)
                self.advance(70)
                self.assertEqual(len(self.server.tokens) > attempts, reconnect)
                queued.addErrback(lambda _: None)
                self.ended(client)

        self.each(play)

    def test_lost(self) -> None:
        """After a loss the client reconnects, or with ``reconnect=False`` does not."""

        def play(function: Callable[..., Any]) -> None:
            for reconnect in (True, False):
                client = self.ready(reconnect=reconnect)
                client.on("disconnect", function)
                client.on("error", function)
                sessions = len(self.server.sessions)
                self.session.drop()
                self.settle()
                self.assertFalse(client.connected)
                self.advance(10)
                self.assertEqual(client.connected, reconnect)
                self.assertEqual(len(self.server.sessions) > sessions, reconnect)
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


class ActionTests(BaseExceptionTestCase):
    """Functions that the server calls."""

    def test_answered(self) -> None:
        """The server gets an error, whatever an action raises, and calls again."""

        def play(function: Callable[..., Any]) -> None:
            client = self.ready(actions={"f": function})
            self.session.call("f", fid="1")
            self.session.call("f", fid="2")
            self.settle()
            answers = {m["fid"]: m["resp"] for m in self.session.received if m["rpc"] == "_rpc"}
            self.assertEqual(set(answers), {"1", "2"})
            for answer in answers.values():
                self.assertTrue(answer["error"])
            self.assertTrue(client.connected)
            self.ended(client)

        self.each(play)

    def test_unreadable(self) -> None:
        """An error whose text raises is answered with its name, where texts are sent."""

        class UnreadableError(Exception):
            def __str__(self) -> str:
                raise SystemExit(3)

        client = self.ready(actions={"f": plain(UnreadableError)}, expose_errors=True)
        self.session.call("f")
        self.settle()
        self.assertEqual(self.session.received[-1]["resp"], {"error": "UnreadableError"})
        self.assertTrue(client.connected)
        self.assertEqual(len(self.flushLoggedErrors(UnreadableError)), 1)


class ConnectingTests(BaseExceptionTestCase):
    """Functions that are asked in the middle of connecting."""

    def test_attempt(self) -> None:
        """``authentication`` and ``headers`` that raise fail the attempt; there is another."""

        def play(option: str, function: Callable[..., Any]) -> None:
            works = False

            def ask() -> Any:
                return {} if works else function()

            client = self.client(**{option: ask})
            waiting = client.when_ready(fail_after=1)
            client.startService()
            self.settle()
            error = self.failure(waiting, CredentialsUnavailable)
            self.assertEqual(error.phase, "token")
            works = True
            self.advance(1)
            self.assertTrue(client.connected)
            self.ended(client)
            once = self.client(**{option: function}, reconnect=False)
            waiting = once.when_ready()
            once.startService()
            self.settle()
            self.failure(waiting, CredentialsUnavailable)
            self.assertFalse(once.running)

        for option in ("authentication", "headers"):
            for function in functions():
                with self.subTest(f"{option} {function}"):
                    play(option, function)

    def test_retry_policy(self) -> None:
        """A policy that raises waits as long as there is reason to."""
        for make in RAISED:
            self.server.script(token="refuse")
            client = self.client(retry_policy=plain(make))
            waiting = client.when_ready(fail_after=1)
            client.startService()
            self.settle()
            self.failure(waiting, ConnectionFailed)
            self.server.script()
            self.advance(29)
            self.assertFalse(client.connected)
            self.advance(2)
            self.assertTrue(client.connected)
            self.session.drop()
            self.advance(31)
            self.assertTrue(client.connected)
            self.ended(client)
            self.assertEqual(len(self.flushLoggedErrors()), 2)


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
