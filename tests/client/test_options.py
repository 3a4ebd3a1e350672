"""
The options of a client, its back-off and its listeners.
"""

from __future__ import annotations

import inspect
from typing import Any

from twisted.application.service import IService
from twisted.internet.defer import fail
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from txtokensock import TokenSocket
from txtokensock.client.events import Events
from txtokensock.errors import InvalidOption

from ..common import Calls, ServerTestCase


class TokenSocketTests(ServerTestCase):
    """TokenSocket's constructor."""

    def test_defaults(self) -> None:
        """The defaults are part of the contract."""
        parameters = inspect.signature(TokenSocket).parameters
        defaults = {name: parameter.default for name, parameter in parameters.items()}
        for name, value in (
            ("token_path", "/socket/token"),
            ("socket_prefix", "/sockets"),
            ("reconnect", True),
            ("ping", None),
            ("call_timeout", 60.0),
            ("queue_limit", 10_000),
            ("queue_bytes", 64 * 1024 * 1024),
            ("max_message_size", 16 * 1024 * 1024),
            ("silence_timeout", 60.0),
        ):
            self.assertEqual(defaults[name], value)

    def test_service(self) -> None:
        """It is a service, and does nothing before it is started."""
        client = self.client()
        verifyObject(IService, client)
        self.advance(100)
        self.assertEqual(self.server.tokens, [])
        self.assertEqual(repr(client), "<TokenSocket to http://server.test>")

    def test_paths(self) -> None:
        """Token route and SockJS are below the address, wherever they are."""
        self.ready(host="http://server.test/app", token_path="t", socket_prefix="/s/")
        self.assertEqual(self.server.tokens[0].path, "/app/t")
        self.assertTrue(self.session.path.startswith("/app/s/"))

    def test_invalid(self) -> None:
        """Each mistake is one error that names the option."""
        options: list[tuple[str, Any]] = [
            *(("host", value) for value in ("", "ftp://x", 5)),
            *(("port", value) for value in (0, "80", 70_000)),
            *(
                (name, value)
                for name in ("token_path", "socket_prefix")
                for value in ("a b", None)
            ),
            *(("call_timeout", value) for value in (0, -1, "1", None, float("inf"))),
            *(("queue_limit", value) for value in (0, -1, 1.5, True, None)),
            *(("queue_bytes", value) for value in (0, -1, 1.5, True, None)),
            *(("buffer_limit", value) for value in (0, "1")),
            *(("max_message_size", value) for value in (0, 1e6)),
            *(("headers", value) for value in (["a"], {"a": 1}, {"a": "b\n"}, {"a b": "c"})),
            *(("ping", value) for value in (0, 20_000)),  # milliseconds, as in JavaScript
            *(("ping_timeout", value) for value in (10_000, None)),
            ("silence_timeout", 60_000),
            *(("actions", {"a": value}) for value in (1, lambda: None, lambda data, peer: None)),
            ("authentication", lambda request: {}),
            ("headers", lambda request: {}),
            ("retry_policy", lambda failure: 1.0),
            ("authentication", {"a": None}),
        ]
        for name, value in options:
            error = self.assertRaises(InvalidOption, self.client, **{name: value})
            self.assertIn(name.removesuffix("s"), str(error))


class EventsTests(SynchronousTestCase):
    """Listeners."""

    def setUp(self) -> None:
        self.events = Events({"a": ("value",), "b": ()})
        self.heard = Calls()

    def test_order(self) -> None:
        """All are called, in the order of adding, as often as they were added."""
        order: list[int] = []
        for number in (1, 2, 3):
            self.events.add("a", lambda value, number=number: order.append(number))
        self.assertTrue(self.events.emit("a", 0))
        self.assertFalse(self.events.emit("b"))
        self.assertEqual(order, [1, 2, 3])

    def test_once(self) -> None:
        """Once is once, also where the listener emits the event itself."""

        def again(value: int) -> None:
            self.heard(value)
            self.events.emit("a", value + 1)

        self.events.add("a", again, once=True)
        self.events.emit("a", 1)
        self.events.emit("a", 5)
        self.assertEqual(self.heard, [1])

    def test_once_behind_one_that_causes_the_event(self) -> None:
        """It is called by the inner event, and not by the outer one as well."""
        self.events.add("a", lambda value: self.events.emit("a", 2), once=True)
        self.events.add("a", self.heard, once=True)
        self.events.emit("a", 1)
        self.assertEqual(self.heard, [2])

    def test_remove(self) -> None:
        """Removing takes one away; removing what is not there does nothing."""
        for _ in range(2):
            self.events.add("a", self.heard)
        self.events.remove("a", self.heard)
        self.events.remove("a", print)
        self.events.emit("a", 1)
        self.assertEqual(self.heard, [1])
        self.events.remove_all("b")
        self.events.remove_all("a")
        self.events.emit("a", 2)
        self.events.add("b", self.heard)
        self.events.remove_all()
        self.assertFalse(self.events.emit("b", 3))
        self.assertEqual(self.heard, [1])

    def test_bound_methods(self) -> None:
        """A bound method is the same listener each time that it is named."""
        self.events.add("a", self.heard.append)
        self.events.remove("a", self.heard.append)
        self.assertFalse(self.events.emit("a", 1))

    def test_changes_while_emitting(self) -> None:
        """Who is added hears of the next event, who is removed of this one still."""

        def change(_: int) -> None:
            self.events.remove_all("a")
            self.events.add("a", self.heard)

        self.events.add("a", change)
        self.events.emit("a", 0)
        self.assertEqual(self.heard, [])
        self.events.emit("a", 1)
        self.assertEqual(self.heard, [1])

    def test_failures(self) -> None:
        """What a listener raises is logged, now or later, and the others are called."""

        async def later() -> None:
            raise RuntimeError("coroutine")

        def now() -> None:
            raise RuntimeError("function")

        for listener in (now, later, lambda: fail(RuntimeError("deferred")), self.heard):
            self.events.add("b", listener)
        self.events.emit("b")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 3)
        self.assertEqual(self.heard, [()])

    def test_invalid(self) -> None:
        """Unknown events, and what cannot be called, are told at once."""
        error = self.assertRaises(InvalidOption, self.events.add, "c", print)
        self.assertIn("it must be one of 'a', 'b'", str(error))
        for call in (self.events.remove, self.events.add):
            self.assertRaises(InvalidOption, call, "nope", print)
        self.assertRaises(InvalidOption, self.events.remove_all, "nope")
        self.assertRaises(InvalidOption, self.events.add, "a", "print")
        error = self.assertRaises(InvalidOption, self.events.add, "a", lambda: None)
        self.assertIn("it is called with (value): too many positional arguments", str(error))


class ShorthandTests(ServerTestCase):
    """on(), once() and the shorthands of the JavaScript API."""

    def test_listeners(self) -> None:
        """Every way of listening, and of stopping."""
        client = self.client()
        on, once, short = Calls(), Calls(), Calls()
        client.on("message", on)
        client.once("message", once)
        client.onmessage(short)
        client.startService()
        self.settle()
        self.session.publish("c", 1)
        self.settle()
        client.remove_listener("message", on)
        self.session.publish("c", 2)
        self.settle()
        client.remove_all_listeners()
        self.session.publish("c", 3)
        self.settle()
        self.assertEqual((on, once), ([("c", 1)], [("c", 1)]))
        self.assertEqual(short, [("c", 1), ("c", 2)])
        self.assertRaises(InvalidOption, client.on, "close", print)
