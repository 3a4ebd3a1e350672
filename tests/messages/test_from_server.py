"""
What a server sends: every shape, encoded and decoded.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.jsontext import Malformed
from txtokensock.messages.announced_limits import AnnouncedLimits
from txtokensock.messages.from_server import (
    Answer,
    ChannelMessage,
    ServerCall,
    ServerError,
    Subscribed,
    Unsubscribed,
    decode_server_message,
    encode_answer,
    encode_auth_success,
    encode_channel_json,
    encode_channel_message,
    encode_error,
    encode_error_answer,
    encode_gap,
    encode_leaving,
    encode_server_call,
    encode_subscribed,
    encode_subscribed_with_request,
    encode_unsubscribed,
)

from .support import ANY_TEXT, MESSAGE_LIKE, VALUES


def decode(message: Any) -> Any:
    """Decode what a server sends as JSON."""
    return decode_server_message(json.dumps(message).encode())


class DecodingTests(SynchronousTestCase):
    """decode_server_message."""

    def test_answers(self) -> None:
        """With a result, an error, both or neither."""
        for message, expected in (
            ({"rpc": "f", "uuid": "u", "resp": 1}, Answer("u", 1)),
            ({"rpc": "f", "uuid": "u"}, Answer("u")),
            ({"rpc": "f", "uuid": "u", "resp": None}, Answer("u")),
            ({"rpc": "f", "uuid": "u", "error": "no"}, Answer("u", None, "no")),
            ({"rpc": "f", "uuid": "u", "error": "no", "resp": 1}, Answer("u", 1, "no")),
            ({"rpc": "f", "uuid": "u", "error": {}}, Answer("u", None, {})),
            ({"rpc": "f", "uuid": "u", "error": []}, Answer("u", None, [])),
            ({"uuid": "u", "resp": 1}, Answer("u", 1)),
            ({"uuid": "u", "rpc": 5, "resp": 1}, Answer("u", 1)),
            ({"uuid": "u", "channel": "c", "message": 1, "resp": 2}, Answer("u", 2)),
            ({"uuid": "", "resp": 1}, Answer("", 1)),
        ):
            self.assertEqual(decode(message), expected)
        for falsy in (None, 0, 0.0, False, ""):
            self.assertEqual(
                decode({"uuid": "u", "error": falsy, "resp": 1}), Answer("u", 1, None)
            )

    def test_leaving(self) -> None:
        """``"tx":{"leaving":1}`` beside an error says that nothing was begun."""
        refused = encode_leaving("f", "u", "no")
        self.assertEqual(decode_server_message(refused), Answer("u", None, "no", leaving=True))
        for message in (
            {"uuid": "u", "error": "no"},
            {"uuid": "u", "error": "no", "tx": {"leaving": True, "acks": 1}},
            {"uuid": "u", "error": "no", "tx": {"leaving": "1"}},
            {"uuid": "u", "error": "no", "tx": 1},
            {"uuid": "u", "resp": 1, "tx": {"leaving": 1}},
        ):
            leaving = isinstance(message.get("tx"), dict) and message["tx"]["leaving"] is True
            self.assertEqual(decode(message).leaving, leaving)

    def test_acks(self) -> None:
        """``"tx":{"acks":1}``, whatever else that holds, announces acknowledgements."""
        for hint in ({"acks": 1}, {"acks": 1, "limits": {}}, {"more": [], "acks": 1}):
            self.assertTrue(decode({"uuid": "u", "resp": "success", "tx": hint}).acks)
        for hint in (
            None,
            1,
            "acks",
            [],
            {},
            {"acks": 0},
            {"acks": 2},
            {"acks": "1"},
            [["acks", 1]],
        ):
            self.assertFalse(decode({"uuid": "u", "resp": "success", "tx": hint}).acks)

    def test_limits(self) -> None:
        """Limits may be announced with acknowledgements or without, all or some."""
        for limits, expected in (
            ({}, AnnouncedLimits()),
            ({"channels": 7, "more": 1}, AnnouncedLimits(channels=7)),
            (None, None),
            ([5], None),
            ("channels", None),
        ):
            for acks in ({}, {"acks": 1}):
                hint = {**acks, "limits": limits}
                answer = decode({"uuid": "u", "resp": "success", "tx": hint})
                self.assertEqual(answer, Answer("u", "success", None, bool(acks), expected))

    def test_expires(self) -> None:
        """Seconds, or what cannot be any, and says nothing then."""
        for expires, expected in (
            (0, 0.0),
            (3600, 3600.0),
            (0.5, 0.5),
            (-1, None),
            (1e300, None),
            (10**300, None),
            (True, None),
            ("5", None),
            (None, None),
        ):
            answer = decode({"uuid": "u", "resp": "success", "tx": {"expires": expires}})
            self.assertEqual(answer, Answer("u", "success", expires=expected), expires)

    def test_calls(self) -> None:
        """A call to the client."""
        data = {"fid": "f", "command": "a.b", "args": [1]}
        message = {"internal": True, "command": "rpc", "data": data}
        self.assertEqual(decode(message), ServerCall("f", "a.b", [1]))
        del data["args"]
        self.assertEqual(decode(message), ServerCall("f", "a.b", None))

    def test_notices(self) -> None:
        """Both forms of the acknowledgement, and the end of a subscription."""
        plain = {"internal": True, "command": "subscribe", "data": {"channel": "c"}}
        self.assertEqual(decode(plain), Subscribed("c"))
        plain["data"] = {"rpc": "_subscribe", "req": {"channel": "x"}, "uuid": "u", "channel": "c"}
        self.assertEqual(decode(plain), Subscribed("c", "u"))
        plain["command"] = "unsubscribe"
        self.assertEqual(decode(plain), Unsubscribed("c"))

    def test_messages(self) -> None:
        """Messages, also on the empty channel, also of nothing."""
        self.assertEqual(decode({"channel": "c", "message": [1]}), ChannelMessage("c", [1]))
        self.assertEqual(decode({"channel": "", "message": 1}), ChannelMessage("", 1))
        self.assertEqual(decode({"channel": "c"}), ChannelMessage("c", None))
        self.assertEqual(decode({"error": "Invalid message"}), ServerError("Invalid message"))

    def test_malformed(self) -> None:
        """Everything else."""
        for message in (
            *(None, 5, "text", [], [{}], {}, {"a": 1}, {"uuid": 5}, {"channel": 5}),
            {"internal": 1, "command": "rpc"},
            {"internal": True},
            {"internal": True, "command": "rpc", "data": "x"},
            {"internal": True, "command": "rpc", "data": {"fid": 1, "command": "a"}},
            {"internal": True, "command": "other", "data": {}},
        ):
            self.assertRaises(Malformed, decode, message)

    def test_unreadable_answers(self) -> None:
        """Who waits for an answer is told at once that it cannot be read, and why."""
        for text, why in (
            (b'{"rpc":"f","uuid":"u","resp":1e999}', "out of range"),
            (b'{"rpc":"a\\"b","uuid":"u","resp":NaN}', "malformed"),
            (b' { "uuid" : "u", "resp":[Infinity]}', "malformed"),
            (b'{"resp":-1e999,"rpc":"f","uuid":"u"}', "out of range"),
            (b'{"uuid":"u","resp":"\xff"}', "utf-8"),
            (b'{"uuid":"u","resp":' + b"[" * 50_000, "recursion"),
            (b'{"uuid":"u","resp":1', "truncated"),
        ):
            answer = decode_server_message(text)
            assert isinstance(answer, Answer)
            self.assertEqual((answer.uuid, answer.result), ("u", None))
            self.assertIn("the answer cannot be read: ", answer.error)
            self.assertIn(why, answer.error.lower())
        for text in (b'{"resp":NaN}', b'{"uuid":5,"resp":NaN}', b'{"data":{"uuid":"u"},"a":NaN}'):
            self.assertRaises(Malformed, decode_server_message, text)

    @given(ANY_TEXT | MESSAGE_LIKE)
    def test_anything(self, text: bytes) -> None:
        """Anything is a message or Malformed."""
        try:
            message = decode_server_message(text)
        except Malformed:
            return
        self.assertIsInstance(repr(message), str)


class EncodingTests(SynchronousTestCase):
    """What our server sends."""

    def test_exact(self) -> None:
        """The texts of node-token-sockjs, byte for byte."""
        for encoded, text in (
            (encode_answer("f", "u", {"a": 1}), '{"rpc":"f","uuid":"u","resp":{"a":1}}'),
            (encode_answer("f", "u", None), '{"rpc":"f","uuid":"u","resp":null}'),
            (encode_answer("f", 7, 1), '{"rpc":"f","uuid":7,"resp":1}'),
            (encode_error_answer("f", "u", "no"), '{"rpc":"f","uuid":"u","error":"no"}'),
            (encode_error("Invalid message"), '{"error":"Invalid message"}'),
            (encode_auth_success("u"), '{"rpc":"auth","uuid":"u","resp":"success"}'),
            (
                encode_auth_success("u", AnnouncedLimits(calls=2), 3599.9),
                '{"rpc":"auth","uuid":"u","resp":"success",'
                '"tx":{"acks":1,"limits":{"calls":2},"expires":3599}}',
            ),
            (encode_auth_success("u", None, 5.0), '{"rpc":"auth","uuid":"u","resp":"success"}'),
            (
                encode_auth_success("u", AnnouncedLimits(calls=2, messages_per_second=0.5)),
                '{"rpc":"auth","uuid":"u","resp":"success",'
                '"tx":{"acks":1,"limits":{"calls":2,"messages_per_second":0.5}}}',
            ),
            (
                encode_subscribed("c"),
                '{"internal":true,"command":"subscribe","data":{"channel":"c"}}',
            ),
            (
                encode_unsubscribed("c"),
                '{"internal":true,"command":"unsubscribe","data":{"channel":"c"}}',
            ),
            (encode_channel_message("c", "é"), '{"channel":"c","message":"é"}'),
            (encode_channel_json("c", b'{"a":[1]}'), '{"channel":"c","message":{"a":[1]}}'),
        ):
            self.assertEqual(encoded.decode(), text)

    @given(st.text(st.characters(exclude_categories=["Cs"])), VALUES)
    def test_round_trips(self, text: str, value: Any) -> None:
        """What a server encodes, a client decodes."""
        for encoded, decoded in (
            (encode_answer("f", text, value), Answer(text, value)),
            (encode_server_call("f", text, value), ServerCall("f", text, value)),
            (encode_channel_message(text, value), ChannelMessage(text, value)),
            (encode_subscribed(text), Subscribed(text)),
            (encode_gap(text, 2.5), Subscribed(text, gap=2.5)),
            (encode_subscribed_with_request(text, "u"), Subscribed(text, "u")),
            (encode_unsubscribed(text), Unsubscribed(text)),
        ):
            self.assertEqual(decode_server_message(encoded), decoded)
