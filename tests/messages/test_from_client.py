"""
What a client sends: every shape, encoded and decoded.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import InvalidChannel, InvalidData
from txtokensock.jsontext import Malformed
from txtokensock.messages import RESERVED_CHANNELS, check_channel
from txtokensock.messages.from_client import (
    RESERVED_NAMES,
    ActionAnswer,
    Auth,
    Broadcast,
    Call,
    InvalidRequest,
    Publish,
    RequestHead,
    Subscribe,
    Unsubscribe,
    check_name,
    decode_client_message,
    decode_head,
    encode_action_error,
    encode_action_result,
    encode_auth,
    encode_broadcast,
    encode_call,
    encode_publish,
    encode_subscribe,
    encode_unsubscribe,
)

from .support import ANY_TEXT, MESSAGE_LIKE, TEXT, VALUES


def decode(message: Any) -> Any:
    """Decode what a client sends as JSON."""
    return decode_client_message(json.dumps(message).encode())


class EncodingTests(SynchronousTestCase):
    """What our client sends."""

    def test_exact(self) -> None:
        """The texts of the JavaScript clients, byte for byte."""
        for encoded, text in (
            (encode_auth("t", "u"), '{"rpc":"auth","token":"t","uuid":"u"}'),
            (encode_call("a.b", {"x": 1}, "u"), '{"rpc":"a.b","req":{"x":1},"uuid":"u"}'),
            (encode_call("f", None, "u"), '{"rpc":"f","req":null,"uuid":"u"}'),
            (encode_call("f", UNSET, "u"), '{"rpc":"f","uuid":"u"}'),
            (encode_subscribe("c", "u"), '{"rpc":"_subscribe","req":{"channel":"c"},"uuid":"u"}'),
            (
                encode_unsubscribe("c", "u"),
                '{"rpc":"_unsubscribe","req":{"channel":"c"},"uuid":"u"}',
            ),
            (
                encode_publish("c", "é", "u"),
                '{"rpc":"_publish","req":{"channel":"c","data":"é"},"uuid":"u"}',
            ),
            (encode_broadcast(1, "u"), '{"rpc":"_broadcast","req":{"data":1},"uuid":"u"}'),
            (encode_broadcast(UNSET, "u"), '{"rpc":"_broadcast","req":{"data":null},"uuid":"u"}'),
            (encode_action_result("f", [1]), '{"rpc":"_rpc","fid":"f","resp":{"data":[1]}}'),
            (encode_action_result("f", None), '{"rpc":"_rpc","fid":"f","resp":{"data":null}}'),
            (
                encode_action_error("f", {"a": 1}),
                '{"rpc":"_rpc","fid":"f","resp":{"error":{"a":1}}}',
            ),
        ):
            self.assertEqual(encoded.decode(), text)

    def test_names(self) -> None:
        """Any text but the protocol's own may be a function's name."""
        for name in ("f", "a.b", "_ping", "__proto__", "toString", "😀", " "):
            self.assertEqual(check_name(name), name)
        for bad in ("", None, 5, b"f", *RESERVED_NAMES):
            self.assertRaises(InvalidData, check_name, bad)

    def test_channels(self) -> None:
        """Any text but the servers' own may be a channel."""
        for channel in ("c", "__proto__", "_all_", "😀", " "):
            self.assertEqual(check_channel(channel), channel)
        for bad in ("", None, 5, b"c", ["c"], *RESERVED_CHANNELS):
            self.assertRaises(InvalidChannel, check_channel, bad)

    def test_invalid_data(self) -> None:
        """What has no JSON form is refused wherever it is sent."""
        for data in (float("nan"), object(), "\ud800"):
            for encode in (
                lambda data: encode_call("f", data, "u"),
                lambda data: encode_publish("c", data, "u"),
                lambda data: encode_broadcast(data, "u"),
                lambda data: encode_action_result("f", data),
                lambda data: encode_action_error("f", data),
            ):
                self.assertRaises(InvalidData, encode, data)

    @given(TEXT, TEXT, VALUES)
    def test_round_trips(self, text: str, uuid: str, value: Any) -> None:
        """What a client encodes, a server decodes."""
        for encoded, decoded in (
            (encode_auth(text, uuid), Auth(text, uuid)),
            (encode_call("f" + text, value, uuid), Call("f" + text, value, uuid)),
            (encode_subscribe(text, uuid), Subscribe(text, uuid)),
            (encode_unsubscribe(text, uuid), Unsubscribe(text, uuid)),
            (encode_publish(text, value, uuid), Publish(text, value, uuid)),
            (encode_broadcast(value, uuid), Broadcast(value, uuid)),
            (encode_action_result(text, value), ActionAnswer(text, value)),
            (encode_action_error(text, [value]), ActionAnswer(text, None, [value])),
        ):
            self.assertEqual(decode_client_message(encoded), decoded)


class DecodingTests(SynchronousTestCase):
    """decode_client_message."""

    def test_uuids(self) -> None:
        """Text and numbers are repeated, all else is no uuid."""
        for uuid, expected in (
            ("u", "u"),
            (5, 5),
            (None, None),
            (True, None),
            ([1], None),
            ({}, None),
        ):
            self.assertEqual(decode({"rpc": "f", "uuid": uuid}), Call("f", None, expected))
        self.assertEqual(decode({"rpc": "f"}), Call("f", None, None))

    def test_action_answers(self) -> None:
        """No ``resp``, an empty one, and errors as JavaScript reads them."""
        for resp, expected in (
            ({}, ActionAnswer("f")),
            ({"data": 1}, ActionAnswer("f", 1)),
            ({"error": ""}, ActionAnswer("f")),
            ({"error": 0, "data": 1}, ActionAnswer("f", 1)),
            ({"error": {}}, ActionAnswer("f", None, {})),
            ({"error": "no", "data": 1}, ActionAnswer("f", 1, "no")),
        ):
            self.assertEqual(decode({"rpc": "_rpc", "fid": "f", "resp": resp}), expected)
        self.assertEqual(decode({"rpc": "_rpc", "fid": "f"}), ActionAnswer("f"))

    def test_invalid(self) -> None:
        """JSON that is no request; its name and uuid are kept for the answer."""
        for message, rpc, uuid in (
            (None, None, None),
            (5, None, None),
            ([], None, None),
            ({}, None, None),
            ({"rpc": 5, "uuid": "u"}, None, "u"),
            ({"rpc": {}, "uuid": 7}, None, 7),
            ({"rpc": "auth", "uuid": "u"}, "auth", "u"),
            ({"rpc": "auth", "token": 123}, "auth", None),
            ({"rpc": "_rpc", "uuid": "u"}, "_rpc", "u"),
            ({"rpc": "_rpc", "fid": "f", "resp": None}, "_rpc", None),
            ({"rpc": "_subscribe", "uuid": "u"}, "_subscribe", "u"),
            ({"rpc": "_subscribe", "req": None}, "_subscribe", None),
            ({"rpc": "_subscribe", "req": {"channel": ["c"]}}, "_subscribe", None),
            ({"rpc": "_publish", "req": {"channel": None}}, "_publish", None),
            ({"rpc": "_broadcast", "req": []}, "_broadcast", None),
        ):
            error = self.assertRaises(InvalidRequest, decode, message)
            self.assertEqual((error.rpc, error.uuid), (rpc, uuid))

    def test_no_json(self) -> None:
        """Text that is no JSON is Malformed."""
        for text in (b"", b"{", b"\xff", b"{}x", b"[" * 100_000):
            self.assertRaises(Malformed, decode_client_message, text)

    def test_secret(self) -> None:
        """The token is in no repr."""
        self.assertNotIn("s3cret", repr(decode({"rpc": "auth", "token": "s3cret"})))

    @given(ANY_TEXT | MESSAGE_LIKE)
    def test_anything(self, text: bytes) -> None:
        """Anything is a message, Malformed or InvalidRequest."""
        try:
            message = decode_client_message(text)
        except (Malformed, InvalidRequest):
            return
        self.assertIsInstance(repr(message), str)

    @given(st.sampled_from(sorted(RESERVED_NAMES)), VALUES)
    def test_reserved_names(self, name: str, value: Any) -> None:
        """The protocol's own names are never calls."""
        try:
            message = decode({"rpc": name, "req": value, "token": value, "fid": value})
        except InvalidRequest:
            return
        self.assertNotIsInstance(message, Call)


class HeadTests(SynchronousTestCase):
    """What an answer repeats, of messages that are too much."""

    @given(
        st.permutations(["rpc", "uuid", "fid", "req", "resp", "more"]),
        TEXT,
        TEXT | st.integers(-(2**63), 2**63 - 1) | st.none(),
        VALUES,
        st.sampled_from([0, 10, 5000]),
        st.booleans(),
    )
    def test_any_order(
        self, order: list[str], rpc: str, uuid: Any, value: Any, depth: int, spaces: bool
    ) -> None:
        """Where members stand, and what is around them, does not matter, short of the deepest."""
        if depth == 5000:  # read at the ends alone
            order = [name for name in order if name in ("rpc", "uuid", "fid")]
            order.insert(len(rpc) % 4, "req")
        members = {name: json.dumps(value) for name in order}
        members |= {"rpc": json.dumps(rpc), "fid": '"f"', "uuid": json.dumps(uuid)}
        members["req"] = "[" * depth + json.dumps(members) + "]" * depth
        colon, comma = (" : ", " , ") if spaces else (":", ",")
        text = "{" + comma.join(f'"{name}"{colon}{members[name]}' for name in order) + "}"
        head = decode_head(text.encode())
        plain = rpc.isalnum() and rpc.isascii() and "\\" not in json.dumps(uuid)
        if depth < 5000 or (plain and uuid is not None):
            self.assertEqual(head, RequestHead(rpc, uuid, "f"))

    def test_what_cannot_be_answered(self) -> None:
        """No object, no name, or one that is no text or too long: there is no head."""
        for text in ("5", "[]", "{}", '{"rpc":1}', '{"uuid":"u"}', '{"rpc":"%s"}' % ("x" * 5000)):
            self.assertIsNone(decode_head(text.encode()), text)
        for end in ("", "]" * 100_000):
            self.assertIsNone(decode_head(b"[" * 100_000 + end.encode()))

    def test_a_uuid_of_another_type(self) -> None:
        """It is not repeated, as in any other answer."""
        for uuid in ("true", "{}", "[1]"):
            text = f'{{"rpc":"a","uuid":{uuid}}}'
            self.assertEqual(decode_head(text.encode()), RequestHead("a"))
