"""
The client without a server.
"""

from __future__ import annotations

import inspect
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import TokenSocket
from txtokensock.errors import (
    ActionError,
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    FunctionNotFound,
    InvalidChannel,
    InvalidData,
    InvalidOption,
    QueueFull,
    RemoteError,
    UnexpectedData,
)
from txtokensock.testing import StubTokenSocket


class Point(Struct):
    """What an answer can be."""

    x: int


class StubTests(SynchronousTestCase):
    """StubTokenSocket."""

    def setUp(self) -> None:
        async def later(data: Any) -> Any:
            return [await waited_for, data]

        self.waited_for: Deferred[str] = Deferred()
        waited_for = self.waited_for
        self.stub = StubTokenSocket(
            {
                "echo": lambda data: data,
                "user": {"read": later},
                "refuse": self.refuse,
                "broken": lambda data: {}[data],
                "unsendable": lambda data: object(),
            }
        )

    def refuse(self, data: Any) -> None:
        raise ActionError({"code": data})

    def failed(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        return self.failureResultOf(deferred, kind).value

    def test_signatures(self) -> None:
        """Whatever code calls it with, the client takes, and the other way round."""
        for name in ("rpc", "publish", "broadcast", "subscribe", "on", "end"):
            ours = inspect.signature(getattr(StubTokenSocket, name))
            self.assertEqual(ours, inspect.signature(getattr(TokenSocket, name)), name)

    def test_calls(self) -> None:
        """They are answered by functions of every kind, at once, and noted."""
        echoed = self.stub.rpc("echo", (1, 2), timeout=5, idempotent=True)
        self.assertEqual(self.successResultOf(echoed), [1, 2])
        read = self.stub.rpc("user.read", {"id": 5})
        self.assertNoResult(read)
        self.waited_for.callback("ada")
        self.assertEqual(self.successResultOf(read), ["ada", {"id": 5}])
        self.assertEqual(self.stub.calls, [("echo", [1, 2]), ("user.read", {"id": 5})])

    def test_types(self) -> None:
        """``type`` is as with a server."""
        point = self.stub.rpc("echo", {"x": 1}, type=Point)
        self.assertEqual(self.successResultOf(point), Point(1))
        self.failed(self.stub.rpc("echo", 5, type=Point), UnexpectedData)

    def test_failures(self) -> None:
        """An ActionError is what it is to a client; any other error is the test's own."""
        refused = self.failed(self.stub.rpc("refuse", 5), RemoteError)
        self.assertEqual((refused.error, refused.what), ({"code": 5}, "rpc 'refuse'"))
        self.failed(self.stub.rpc("missing"), FunctionNotFound)
        self.failed(self.stub.rpc("user"), FunctionNotFound)
        self.failed(self.stub.rpc("broken", 5), KeyError)
        self.failed(self.stub.rpc("unsendable"), InvalidData)

    def test_refused_as_ever(self) -> None:
        """What a client refuses is refused here, and not noted."""
        self.failed(self.stub.rpc("echo", float("nan")), InvalidData)
        self.failed(self.stub.rpc("auth"), InvalidData)
        self.failed(self.stub.publish("", 5), InvalidChannel)
        self.failed(self.stub.rpc("echo", timeout=-1), InvalidOption)
        self.assertEqual((self.stub.calls, self.stub.published), ([], []))
        self.assertRaises(InvalidOption, StubTokenSocket, {"echo": lambda: None})

    def test_published(self) -> None:
        """Publishes and broadcasts are acknowledged, and noted as they would arrive."""
        self.assertIsNone(self.successResultOf(self.stub.publish("news", {1: (2,)})))
        self.assertIsNone(self.successResultOf(self.stub.broadcast("all")))
        self.assertEqual(self.stub.published, [("news", {"1": [2]})])
        self.assertEqual(self.stub.broadcasts, ["all"])

    def test_faults(self) -> None:
        """Each fails as many requests as were asked for, one after the other."""
        self.stub.fault("lost", times=2)
        for fault in ("timeout", "forbidden", "full", "closed"):
            self.stub.fault(fault)  # type: ignore[arg-type]
        self.assertTrue(self.failed(self.stub.rpc("echo"), ConnectionLost).may_have_run)
        self.failed(self.stub.publish("news", 1), ConnectionLost)
        self.assertTrue(self.failed(self.stub.rpc("echo"), CallTimeout).may_have_run)
        self.failed(self.stub.broadcast(1), Forbidden)
        self.failed(self.stub.rpc("echo"), QueueFull)
        self.failed(self.stub.rpc("echo"), ClientClosed)
        self.assertEqual(self.successResultOf(self.stub.rpc("echo", 1)), 1)
        self.assertRaises(InvalidOption, self.stub.fault, "lots")
        self.assertRaises(InvalidOption, self.stub.fault, "lost", times=0)

    def test_ended(self) -> None:
        """After the end it is as every client is, and without a warning before."""
        self.successResultOf(self.stub.end())
        self.failed(self.stub.rpc("echo"), ClientClosed)
        self.assertEqual(self.flushWarnings(), [])
