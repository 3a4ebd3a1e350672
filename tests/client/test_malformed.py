"""
Servers that send what makes no sense: it is ignored and counted, and nothing breaks.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import globalLogPublisher

from tests.kit.examples import examples
from txtokensock.errors import ConnectionLost, RemoteError

from ..common import Calls, ServerTestCase

NO_JSON = ["", " ", "{", "}", "nul", "'a'", "{'a':1}", '{"a":1}x', "\0", "NaN", "[1,", '"\\x"']

NO_OBJECT = ["null", "5", '"text"', "[1]", "[]", "true", '[{"channel":"c","message":1}]']

NO_MESSAGE: list[Any] = [
    {},
    {"a": 1},
    {"rpc": "echo"},
    {"resp": 1},
    {"uuid": 5, "resp": 1},
    {"uuid": None, "resp": 1},
    {"uuid": ["x"]},
    {"channel": 5, "message": 1},
    {"channel": None, "message": 1},
    {"channel": ["c"], "message": 1},
    {"message": 1},
    {"internal": True},
    {"internal": 1},
    {"internal": "true", "command": "rpc"},
    {"internal": True, "command": None, "data": {}},
    {"internal": True, "command": "rpc"},
    {"internal": True, "command": "rpc", "data": None},
    {"internal": True, "command": "rpc", "data": 5},
    {"internal": True, "command": "rpc", "data": []},
    {"internal": True, "command": "rpc", "data": {}},
    {"internal": True, "command": "rpc", "data": {"fid": "f"}},
    {"internal": True, "command": "rpc", "data": {"fid": "f", "command": 5}},
    {"internal": True, "command": "rpc", "data": {"fid": "f", "command": None}},
    {"internal": True, "command": "rpc", "data": {"command": "ping"}},
    {"internal": True, "command": "rpc", "data": {"fid": 5, "command": "ping"}},
    {"internal": True, "command": "subscribe"},
    {"internal": True, "command": "subscribe", "data": {}},
    {"internal": True, "command": "subscribe", "data": {"channel": 5}},
    {"internal": True, "command": "unsubscribe", "data": {"channel": ["c"]}},
    {"internal": True, "command": "nonsense", "data": {"channel": "c"}},
    {"internal": True, "command": ["rpc"], "data": {"fid": "f", "command": "ping"}},
]


class IgnoredTests(ServerTestCase):
    """Messages of no known shape."""

    def setUp(self) -> None:
        super().setUp()
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)
        self.errors, self.heard = Calls(), Calls()
        self.socket = self.ready(actions={"ping": lambda _: "pong"})
        self.socket.on("error", self.errors)
        self.socket.onmessage(self.heard)

    def _log(self, event: Any) -> None:
        if event["log_level"].name in ("warn", "error", "critical"):
            self.logged.append(event["log_format"])

    def ignored(self, *texts: str) -> None:
        """Every one of these is counted, and all else is as if nothing had come."""
        before = self.socket.ignored_messages
        for text in texts:
            self.session.send_text(text)
        self.settle()
        self.assertEqual(self.socket.ignored_messages - before, len(texts))
        self.assertEqual((self.errors, self.heard), ([], []))
        self.assertEqual(self.session.received, [])
        self.assertTrue(self.socket.connected)

    def test_no_json(self) -> None:
        """Text that is no JSON."""
        self.ignored(*NO_JSON)

    def test_no_object(self) -> None:
        """JSON that is no object."""
        self.ignored(*NO_OBJECT)

    def test_no_message(self) -> None:
        """Objects that are no message, each alone: all must be counted."""
        for message in NO_MESSAGE:
            self.ignored(json.dumps(message))

    def test_logged_once(self) -> None:
        """However many there are, one line says so."""
        self.ignored(*NO_JSON, *NO_OBJECT)
        self.assertEqual(len(self.logged), 1)

    def test_deep(self) -> None:
        """JSON that is nested deeper than the stack."""
        self.ignored("[" * 100_000, '{"a":' * 100_000, '{"channel":"c","message":' + "[" * 50_000)

    def test_valid_ones_between(self) -> None:
        """What follows in the same frame is not lost with it."""
        self.session.send_text("{", '{"channel":"c","message":1}', "null")
        self.settle()
        self.assertEqual(self.heard, [("c", 1)])
        self.assertEqual(self.socket.ignored_messages, 2)

    def test_unknown_fields(self) -> None:
        """Fields that nobody knows are no reason to ignore a message."""
        self.session.send({"channel": "c", "message": 1, "extra": {"a": 1}, "tx": 5})
        self.settle()
        self.assertEqual(self.heard, [("c", 1)])

    def test_lone_surrogates(self) -> None:
        """Half of a surrogate pair, which JavaScript can send, arrives as U+FFFD."""
        self.session.send_text('{"channel":"c","message":"a\\ud800b\\\\ud800"}')
        self.settle()
        self.assertEqual(self.heard, [("c", "a\ufffdb\\ud800")])

    def test_empty_frames(self) -> None:
        """Empty WebSocket messages and empty arrays mean nothing."""
        self.session.send_frame("")
        self.session.send_frame("a[]")
        self.session.send_frame("h")
        self.settle()
        self.assertTrue(self.socket.connected)
        self.assertEqual(self.socket.ignored_messages, 0)

    def test_single_message_frame(self) -> None:
        """``m`` frames carry one message."""
        self.session.send_frame("m" + json.dumps('{"channel":"c","message":1}'))
        self.settle()
        self.assertEqual(self.heard, [("c", 1)])


class UnreadableAnswerTests(ServerTestCase):
    """Answers whose JSON cannot be read."""

    def test_call(self) -> None:
        """The call fails at once with what was wrong; the connection and other calls go on."""
        client = self.ready()
        for value in ("1e999", "NaN", "[" * 50_000):
            call, other = client.rpc("f"), client.rpc("g")
            self.settle()
            request, next_request = self.session.received[-2:]
            self.session.send_text(f'{{"rpc":"f","uuid":"{request["uuid"]}","resp":{value}}}')
            self.settle()
            error = self.failure(call, RemoteError)
            self.assertIn("rpc 'f': the answer cannot be read: ", str(error))
            self.session.answer(next_request)
            self.settle()
            self.successResultOf(other)
        self.assertTrue(client.connected)


class SizeTests(ServerTestCase):
    """Messages that are larger than ``max_message_size``."""

    def test_too_large(self) -> None:
        """One byte too many ends the connection, and the next one is as good as new."""
        client = self.ready(max_message_size=10_000)
        heard, disconnects = Calls(), Calls()
        client.onmessage(heard)
        client.on("disconnect", disconnects)
        shell = len(json.dumps('{"channel":"c","message":""}')) + 3
        self.session.publish("c", "x" * (10_000 - shell - 40))
        self.settle()
        self.assertEqual(len(heard), 1)
        call = client.rpc("f")
        self.settle()
        self.session.publish("c", "x" * 10_000)
        self.settle()
        self.failure(call, ConnectionLost)
        self.assertEqual((len(heard), len(disconnects)), (1, 1))
        self.advance(0.1)
        self.assertTrue(client.connected)

    def test_in_fragments(self) -> None:
        """A message in fragments is measured as a whole, before it is complete."""
        client = self.ready(max_message_size=10_000)
        self.session.send_frame("a[", final=False)
        for _ in range(20):
            self.session.send_frame(" " * 1000, 0, final=False)
        self.settle()
        self.assertFalse(client.connected)

    def test_sending_is_not_limited(self) -> None:
        """The limit is on what comes in; what goes out is the server's to judge."""
        client = self.ready(max_message_size=10_000)
        calls = [client.rpc("f", "x" * 20_000), client.rpc("g")]
        self.settle()
        for call, request in zip(calls, self.session.received, strict=True):
            self.session.answer(request)
            self.settle()
            self.successResultOf(call)

    def test_default(self) -> None:
        """16 MiB: a header that announces more is enough."""
        client = self.ready()
        self.session.send_raw(b"\x81\x7f" + (16 * 1024 * 1024 + 1).to_bytes(8, "big"))
        self.settle()
        self.assertFalse(client.connected)


class FuzzTests(ServerTestCase):
    """Anything at all."""

    def check(self, send: Any) -> None:
        """Nothing is raised and nothing logged as a bug; a new connection works."""
        client = self.client(backoff=None)
        client.startService()
        self.settle()
        send(self.session)
        self.advance(40)
        self.assertTrue(client.connected)
        client.end()
        self.settle()

    @examples(60)
    @given(st.binary(max_size=60))
    def test_bytes(self, data: bytes) -> None:
        """Bytes instead of a WebSocket frame."""
        self.check(lambda session: (session.send_raw(data), session.hang_up()))

    @examples(60)
    @given(st.binary(max_size=60), st.integers(0, 15), st.booleans())
    def test_frames(self, payload: bytes, opcode: int, final: bool) -> None:
        """WebSocket frames of any kind."""

        def send(session: Any) -> None:
            session.send_frame(payload, opcode, final=final)
            session.hang_up()

        self.check(send)

    @examples(60)
    @given(st.sampled_from("aomch"), st.text(max_size=40))
    def test_sockjs_frames(self, kind: str, body: str) -> None:
        """SockJS frames of any content."""
        self.check(lambda session: (session.send_frame(kind + body), session.hang_up()))

    json_values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=5,
    )
    fields = st.sampled_from(
        ["rpc", "uuid", "resp", "error", "channel", "message", "internal", "command", "data", "tx"]
    )

    @examples(60)
    @given(st.dictionaries(fields, json_values | st.sampled_from(["rpc", "subscribe", True])))
    def test_messages(self, message: Any) -> None:
        """Messages with the right fields and the wrong values."""
        self.check(lambda session: session.send(message))
