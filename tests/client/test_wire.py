"""
The recorded conversations of the JavaScript client, with ours in its place.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from twisted.internet.defer import Deferred

from txtokensock import Subscription
from txtokensock.errors import Forbidden, FunctionNotFound, RemoteError

from ..common import Calls, ServerTestCase

WIRE = Path(__file__).parent.parent / "wire"


def boom(_: object) -> None:
    """The action that fails in the recording."""
    raise RuntimeError("action failed")


def compact(message: Any) -> str:
    """A message as text that depends on nothing but its content."""
    return json.dumps(message, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


class Recording:
    """One conversation, as (who, text) in order."""

    def __init__(self, name: str) -> None:
        lines = (WIRE / f"node-server-{name}.jsonl").read_bytes().splitlines()
        self.lines = [(line["from"], line["payload"]) for line in map(json.loads, lines)]


class ReplayTests(ServerTestCase):
    """
    Our client is asked for what the recorded one was asked for, and the server answers
    what the recorded one answered.
    """

    def replay(self, name: str) -> None:
        """One recording, message by message."""
        self.uuids: dict[str, str] = {}
        self.results: dict[str, Deferred[Any]] = {}
        self.heard, self.errors = Calls(), Calls()
        self.server.script(auth="ignore")
        client = self.client(
            actions={"ping": lambda data: data, "nested": {"foo": lambda _: "foo"}, "boom": boom},
            expose_errors=True,  # as the recorded client does
        )
        client.onmessage(self.heard)
        client.on("error", self.errors)
        client.startService()
        self.settle()
        for number, (who, text) in enumerate(Recording(name).lines):
            message = json.loads(text)
            if who == "client":
                self.client_says(client, message, text)
            else:
                self.server_says(message)
            self.assertLessEqual(len(self.session.texts), number + 1)
        self.assert_outcome(client)
        self.flushLoggedErrors(RuntimeError)

    def client_says(self, client: Any, recorded: Any, text: str) -> None:
        """Ask for it where the user did, and compare what is sent."""
        said = len(self.session.texts)
        if recorded["rpc"] not in ("auth", "_rpc"):
            self.results[recorded["uuid"]] = self.ask(client, recorded)
            self.settle()
            said += 1
        ours = self.session.messages[said - 1]
        expected = dict(recorded)
        for secret in ("uuid", "token"):
            if secret in recorded:
                self.assertIsInstance(ours[secret], str)
                expected[secret] = ours[secret]
        if "uuid" in recorded:
            self.uuids[recorded["uuid"]] = ours["uuid"]
        self.assertEqual(ours, expected)
        sent = self.session.texts[said - 1]
        self.assertEqual(compact(json.loads(sent)), compact(expected))
        # The same but for the order of keys: as many bytes, of the same kinds.
        self.assertEqual(
            sorted(sent), sorted(json.dumps(expected, ensure_ascii=False, separators=(",", ":")))
        )
        self.assertEqual(len(self.session.texts), said)

    def ask(self, client: Any, recorded: Any) -> Deferred[Any]:
        """The call that makes the client send that message."""
        request = recorded.get("req", msgspec.UNSET)
        match recorded["rpc"]:
            case "_subscribe":
                return client.subscribe(request["channel"])
            case "_unsubscribe":
                return client.unsubscribe(request["channel"])
            case "_publish":
                return client.publish(request["channel"], request["data"])
            case "_broadcast":
                return client.broadcast(request["data"])
            case name:
                return client.rpc(name, request)

    def server_says(self, recorded: Any) -> None:
        """Answer with our uuids."""

        def ours(value: Any) -> Any:
            if isinstance(value, dict):
                return {key: ours(inner) for key, inner in value.items()}
            return self.uuids.get(value, value) if isinstance(value, str) else value

        self.session.send(ours(recorded))
        self.settle()

    def assert_outcome(self, client: Any) -> None:
        """Every Deferred got what the server answered."""
        self.assertTrue(client.connected)
        results = list(self.results.values())
        last = results.pop()  # the call to the unknown action: never answered
        self.pending(last)
        values = [self.outcome(result) for result in results]
        expected: list[Any] = [
            {"foo": "bar"},
            {"nested": {"foo": "bar"}},
            {"user": "ada", "q": {"user": "ada", "nested": {"a": ["1", "2"]}}},
            (RemoteError, {"message": "nope"}),
            (RemoteError, {"message": "bad", "code": 42}),
            (FunctionNotFound, "Function not found"),
            {"message": "pong"},
            None,
            None,
            "é\u2028😀 \0",
            "channel1",
            *[None] * 4,
            (Forbidden, "Forbidden"),
            *[None] * 2,
            {"x": 1},
            "foo",
            (RemoteError, "action failed"),
        ]
        self.assertEqual(values, expected)
        self.assertEqual(
            self.heard,
            [("channel1", m) for m in ({"foo": "bar"}, "just a string", 5, {"all": True})],
        )
        # The refused publish had fired when it was sent.
        self.assertEqual([type(error) for error in self.errors], [Forbidden])
        # The recorded client left the last call unanswered; ours answers it.
        self.assertEqual(self.session.received[-1]["resp"], {"error": "Function not found"})
        last.cancel()
        self.failureResultOf(last)

    def outcome(self, result: Deferred[Any]) -> Any:
        """The result, or the class and content of the error."""
        caught: list[Any] = []
        result.addErrback(lambda failure: caught.append(failure.value))
        value = self.successResultOf(result)
        if caught:
            return type(caught[0]), caught[0].error
        return value.channel if isinstance(value, Subscription) else value

    def test_3_1_0(self) -> None:
        """With node-token-sockjs 3.1.0, from GitHub."""
        self.replay("3.1.0")

    def test_2_1_11(self) -> None:
        """With node-token-sockjs 2.1.11, from npm."""
        self.replay("2.1.11")
