"""
Answers and messages as types of the user's.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, TypedDict

from msgspec import Struct
from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.client.subscription import TypedSubscription
from txtokensock.errors import ConnectionLost, InvalidOption, RemoteError, UnexpectedData
from txtokensock.support.typed_data import reader_of

from ..common import Calls
from .support import ChannelTestCase, RPCTestCase, take


class User(Struct):
    """A struct with a default."""

    id: int
    name: str = "nobody"


@dataclass
class Price:
    """A dataclass that looks at what it gets."""

    cents: int

    def __post_init__(self) -> None:
        if self.cents < 0:
            raise {-1: ValueError, -2: KeyError, -3: SystemExit}[self.cents]("too cheap")


class Measured(TypedDict):
    """A typed dictionary."""

    celsius: float


class ReaderTests(SynchronousTestCase):
    """reader_of()."""

    def test_kinds(self) -> None:
        """Structs, dataclasses, typed dictionaries, generics, unions."""
        for kind, data, expected in (
            (User, {"id": 5, "other": True}, User(5)),
            (Price, {"cents": 5}, Price(5)),
            (Measured, {"celsius": 5.5}, {"celsius": 5.5}),
            (list[User], [{"id": 1}, {"id": 2}], [User(1), User(2)]),
            (dict[int, str], {"1": "a"}, {1: "a"}),
            (int | None, None, None),
        ):
            self.assertEqual(reader_of(kind, "it")(data), expected)

    def test_mismatch(self) -> None:
        """The error says what, as what, and where; it has the data, and can be copied."""
        data = {"id": "x"}
        error = self.assertRaises(UnexpectedData, reader_of(User, "the answer"), data)
        text = "the answer cannot be read as User: Expected `int`, got `str` - at `$.id`"
        for one in (error, copy.copy(error)):
            self.assertEqual((str(one), one.data), (text, data))
        error = self.assertRaises(UnexpectedData, reader_of(list[int], "it"), 5)
        self.assertIn("read as list[int]: ", str(error))

    def test_raising_types(self) -> None:
        """Whatever a ``__post_init__`` raises is a mismatch, and no end of the program."""
        for cents in (-1, -2, -3):
            read = reader_of(Price, "the answer")
            self.assertRaises(UnexpectedData, read, {"cents": cents})

    def test_no_type(self) -> None:
        """What msgspec does not know is refused when it is given."""
        for kind in (5, "User", lambda: None):
            self.assertRaises(InvalidOption, reader_of, kind, "it")


class CallTests(RPCTestCase):
    """``rpc(type=...)``."""

    def test_answer(self) -> None:
        """It is of the type; an error is an error as ever."""
        call, request = self.call("user", type=User)
        self.session.answer(request, {"id": 5})
        self.settle()
        self.assertEqual(self.successResultOf(call), User(5))
        call, request = self.call("user", type=User)
        self.session.refuse(request, {"id": 5})
        self.settle()
        self.failure(call, RemoteError)

    def test_mismatch(self) -> None:
        """The call fails, and the connection goes on."""
        call, request = self.call("user", type=User)
        self.session.answer(request, [])
        self.settle()
        self.assertIn("rpc 'user'", str(self.failure(call, UnexpectedData)))
        self.assertTrue(self.socket.connected)

    def test_lost_and_cancelled(self) -> None:
        """Every other outcome is what it is without a type."""
        cancelled, _ = self.call("user", type=User)
        cancelled.cancel()
        self.failureResultOf(cancelled)
        lost, _ = self.call("user", type=User)
        self.session.drop()
        self.settle()
        self.failure(lost, ConnectionLost)

    def test_no_type(self) -> None:
        """Nothing is sent for what cannot be a type."""
        self.failure(self.socket.rpc("user", type="User"), InvalidOption)  # type: ignore[call-overload]
        self.settle()
        self.assertEqual(self.session.received, [])


class MessageTests(ChannelTestCase):
    """``subscribe(type=...)``."""

    def subscribed(self, *arguments: Any, **options: Any) -> Any:
        """A subscription that is confirmed."""
        subscribing = self.socket.subscribe("c", *arguments, **options)
        self.settle()
        self.session.subscribed("c")
        self.settle()
        return self.successResultOf(subscribing)

    def publish(self, *messages: Any) -> None:
        """Messages of the channel."""
        for message in messages:
            self.session.publish("c", message)
        self.settle()

    def test_handler(self) -> None:
        """
        It gets objects; what is none goes to ``error`` listeners, and is nothing to the
        messages after it, nor to another subscription.
        """
        heard, raw = Calls(), Calls()
        self.subscribed(heard, type=User)
        self.successResultOf(self.socket.subscribe("c", raw))
        self.publish({"id": 1}, "none", {"id": 2})
        self.assertEqual(heard, [User(1), User(2)])
        self.assertEqual(raw, [{"id": 1}, "none", {"id": 2}])
        self.assertEqual([type(error) for error in self.errors], [UnexpectedData])
        self.assertIn("a message on 'c' cannot be read as User", str(self.errors[0]))
        self.assertEqual(self.errors[0].data, "none")

    def test_iteration(self) -> None:
        """The loop goes on after what is left out."""
        subscription = self.subscribed(type=User)
        taking = ensureDeferred(take(aiter(subscription), 2))
        self.publish({"id": 1}, {}, {"id": 2})
        self.assertEqual(self.successResultOf(taking), [User(1), User(2)])
        self.assertEqual(len(self.errors), 1)

    def test_after_the_end(self) -> None:
        """A subscription that has ended looks at no message any more."""
        subscription = self.subscribed(Calls(), type=User)
        subscription.unsubscribe()
        self.publish("none")
        subscription.deliver("none")
        self.assertEqual(self.errors, [])

    def test_no_type(self) -> None:
        """It is refused at once; and without a type no message is looked at."""
        refused = self.socket.subscribe("c", type="User")  # type: ignore[call-overload]
        self.failure(refused, InvalidOption)
        self.assertNotIsInstance(self.subscribed(), TypedSubscription)
