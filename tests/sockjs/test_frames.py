"""
SockJS frames.
"""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import python_calls
from txtokensock.errors import InvalidData
from txtokensock.sockjs.frames import (
    HEARTBEAT_FRAME,
    OPEN_FRAME,
    Close,
    FrameError,
    Heartbeat,
    Messages,
    Open,
    decode_client_frame,
    decode_client_frames,
    decode_server_frame,
    encode_client_frame,
    encode_close_frame,
    encode_server_frame,
    escape_frame,
)

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"])))


class ServerFrameTests(SynchronousTestCase):
    """What servers send."""

    def test_examples(self) -> None:
        """Every kind of frame."""
        for frame, expected in (
            (b"o", Open()),
            (b"h", Heartbeat()),
            (b"a[]", Messages([])),
            (b'a["x","","{}"]', Messages([b"x", b"", b"{}"])),
            (b'a[ "x" , "\\u00e9" ] ', Messages([b"x", "é".encode()])),
            (b'm"x"', Messages([b"x"])),
            (b'c[1000,"Normal closure"]', Close(1000, "Normal closure")),
            (b'c[0,""]', Close(0, "")),
        ):
            self.assertEqual(decode_server_frame(frame), expected)
        self.assertIsNone(decode_server_frame(b""))

    def test_half_pairs(self) -> None:
        """Half of a surrogate pair becomes U+FFFD, whole pairs and backslashes stay."""
        frame = rb'a["\ud800x","\ud83d\ude00","\\ud800","\udc00\ud800","\\\ud800"]'
        self.assertEqual(
            decode_server_frame(frame),
            Messages(
                [
                    "\ufffdx".encode(),
                    "😀".encode(),
                    rb"\ud800",
                    "\ufffd\ufffd".encode(),
                    "\\\ufffd".encode(),
                ]
            ),
        )

    def test_broken(self) -> None:
        """Everything else is a FrameError that says what it is, shortly."""
        for frame in (
            *(b"x", b"oo", b"h ", b"O", b"a", b"a{}", b"a[1]", b"a[null]", b"a[", b'a"x"'),
            *(b"m", b"m1", b'm["x"]', b"c", b"c[]", b"c[1000]", b'c["1000","x"]', b"c[1000,1]"),
            *(b'c[1000,"x",1]', b'c[1000.5,"x"]', b"\xff", b'a["\xff"]', b"a" + b"[" * 100_000),
        ):
            error = self.assertRaises(FrameError, decode_server_frame, frame)
            self.assertLess(len(str(error)), 300)

    @given(
        st.binary()
        | st.sampled_from([b"a", b"m", b"c"]).flatmap(
            lambda kind: st.text('[]{}",\\u0d8c19 ').map(lambda body: kind + body.encode())
        )
    )
    def test_any_bytes(self, frame: bytes) -> None:
        """Any bytes are a frame or a FrameError."""
        try:
            decode_server_frame(frame)
        except FrameError:
            return

    @given(texts)
    def test_round_trip(self, messages: list[str]) -> None:
        """What servers encode, clients decode; it is JSON for others as well."""
        encoded = [message.encode() for message in messages]
        frame = encode_server_frame(encoded)
        self.assertEqual(decode_server_frame(frame), Messages(encoded))
        self.assertEqual(json.loads(frame[1:]), messages)

    @given(st.integers(0, 5000), st.text(st.characters(exclude_categories=["Cs"])))
    def test_close_round_trip(self, code: int, reason: str) -> None:
        """So are close frames."""
        self.assertEqual(
            decode_server_frame(encode_close_frame(code, reason)), Close(code, reason)
        )


class ClientFrameTests(SynchronousTestCase):
    """What clients send."""

    def test_examples(self) -> None:
        """Arrays, and the bare text of older clients."""
        for frame, expected in (
            (b"[]", []),
            (b'["x",""]', [b"x", b""]),
            (b'"x"', [b"x"]),
            (b' ["x"] ', [b"x"]),
            (b'"\\ud800"', ["\ufffd".encode()]),
        ):
            self.assertEqual(decode_client_frame(frame), expected)

    def test_broken(self) -> None:
        """Everything else is a FrameError."""
        for frame in (b"", b"x", b"1", b"null", b"{}", b"[1]", b"[null]", b'["x"', b'["x"]]'):
            self.assertRaises(FrameError, decode_client_frame, frame)

    @given(st.binary() | st.text('[]",\\u0d8c19 ').map(str.encode))
    def test_any_bytes(self, frame: bytes) -> None:
        """Any bytes are a frame or a FrameError."""
        try:
            decode_client_frame(frame)
        except FrameError:
            return

    @given(texts)
    def test_round_trip(self, messages: list[str]) -> None:
        """What clients encode, servers decode."""
        encoded = [message.encode() for message in messages]
        self.assertEqual(decode_client_frame(encode_client_frame(encoded)), encoded)

    @given(
        st.lists(
            st.one_of(
                texts.map(lambda them: json.dumps(them).encode()),
                st.text('[]",a\n \\', max_size=8).map(str.encode),
                st.sampled_from(
                    [b"", b'"a"', b'["a"] ["b"]', b'["c"', b"]", b'["a",', b"[[]", rb'["\ud800"]']
                ),
            ),
            max_size=6,
        )
    )
    def test_together(self, frames: list[bytes]) -> None:
        """What comes together is decoded as each frame is by itself, whatever is in them."""
        try:
            expected = [decode_client_frame(frame) for frame in frames]
        except FrameError:
            self.assertRaises(FrameError, decode_client_frames, frames)
        else:
            self.assertEqual(decode_client_frames(frames), expected)

    def test_values_are_not_lines(self) -> None:
        """As many values as frames are not enough: each frame has to be one."""
        for frames in (
            [b'["a"] ["b"]', b'["c"', b"]"],
            [b'["a"]["b"]', b""],
            [b'["a"', b'] ["b"]'],
        ):
            self.assertRaises(FrameError, decode_client_frames, frames)

    def test_no_text(self) -> None:
        """A message that is not UTF-8 is the caller's mistake."""
        self.assertRaises(InvalidData, encode_client_frame, [b"ok", b"\xff"])


class EscapeTests(SynchronousTestCase):
    """Frames in HTTP responses."""

    def test_many(self) -> None:
        """However many characters are escaped, no function is called for each."""
        frame = encode_server_frame([("\u2028" * 50_000 + '"é😀').encode(), b"{}"])
        self.assertLess(python_calls(escape_frame, frame), 2000)
        escaped = escape_frame(frame)
        self.assertTrue(escaped.startswith(b'a["\\u2028'))
        self.assertEqual(decode_server_frame(escaped), decode_server_frame(frame))

    def test_few(self) -> None:
        """What needs no escape stays as it is."""
        for frame in (OPEN_FRAME, HEARTBEAT_FRAME, encode_server_frame(["é€😀".encode()])):
            self.assertEqual(escape_frame(frame), frame)
