"""
What an attacker sends instead of SockJS frames, and WebSocket frames: data.

A SockJS frame that is none closes a WebSocket with 3000, or 1007 if it is not UTF-8, without a
``c`` frame, and an xhr_send is answered with 500.  A broken WebSocket frame closes with a code
of RFC 6455.
"""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass

from tests.kit.websocket import BINARY, CLOSE, PING, PONG, TEXT, encode_frame

__all__ = ["FRAMES", "WIRE", "FrameCase", "WireCase"]


@dataclass(frozen=True, slots=True)
class FrameCase:
    """
    :ivar name: of the case.
    :ivar body: of a WebSocket message, or of an xhr_send.
    :ivar broken: whether it is no frame; otherwise the session goes on.
    :ivar answers: how many messages come back: "Invalid message", each.
    :ivar status: of the xhr_send.
    """

    name: str
    body: bytes
    broken: bool = True
    answers: int = 0
    status: int = 500


@dataclass(frozen=True, slots=True)
class WireCase:
    """
    :ivar name: of the case.
    :ivar data: what follows the WebSocket's handshake.
    :ivar code: of the WebSocket's close; None if it stays open.
    """

    name: str
    data: bytes
    code: int | None


def accepted(name: str, body: str | bytes, answers: int) -> FrameCase:
    """Odd, but a frame."""
    data = body.encode() if isinstance(body, str) else body
    return FrameCase(name, data, broken=False, answers=answers, status=204)


FRAMES: list[FrameCase] = [
    FrameCase("object", b"{}"),
    FrameCase("object_of_messages", b'{"0":"{}"}'),
    FrameCase("number", b"5"),
    FrameCase("null", b"null"),
    FrameCase("true", b"true"),
    FrameCase("list_of_number", b"[1]"),
    FrameCase("list_of_null", b"[null]"),
    FrameCase("list_of_object", b'[{"rpc":"echo"}]'),
    FrameCase("list_of_list", b'[["{}"]]'),
    FrameCase("text_and_number", b'["{}",1]'),
    FrameCase("list_without_end", b'["{}"'),
    FrameCase("list_with_comma", b'["{}",]'),
    FrameCase("list_without_text", b'[,"{}"]'),
    FrameCase("text_without_end", b'"{}'),
    FrameCase("bracket", b"["),
    FrameCase("closing_bracket", b"]"),
    FrameCase("too_much", b'["{}"]]'),
    FrameCase("two_lists", b'["{}"]["{}"]'),
    FrameCase("two_texts", b'"{}""{}"'),
    FrameCase("list_and_more", b'["{}"] x'),
    FrameCase("single_quotes", b"['{}']"),
    FrameCase("no_quotes", b"[a]"),
    FrameCase("a_servers_frame", b'a["{}"]'),
    FrameCase("open_frame", b"o"),
    FrameCase("heartbeat_frame", b"h"),
    FrameCase("close_frame", b'c[1000,"bye"]'),
    FrameCase("blank", b"  "),
    FrameCase("nul", b"\0"),
    FrameCase("control_character", b'["\x01"]'),
    FrameCase("half_an_escape", b'["\\u12"]'),
    FrameCase("unknown_escape", b'["\\x"]'),
    FrameCase("not_utf8", b'["\xff"]'),
    FrameCase("bare_not_utf8", b'"\xff"'),
    FrameCase("cut_utf8", b'["\xe2\x82"]'),
    FrameCase("surrogate_in_utf8", b'["\xed\xa0\x80"]'),
    FrameCase("overlong_utf8", b'["\xc0\x80"]'),
    FrameCase("utf16", '["{}"]'.encode("utf-16")),
    FrameCase("byte_order_mark", b'\xef\xbb\xbf["{}"]'),
    FrameCase("lists_5000_deep", b"[" * 5000 + b"]" * 5000),
    FrameCase("lists_1000000_deep", b"[" * 1_000_000),
    FrameCase("lists_in_text_lists", b'["{}",' + b"[" * 100_000),
    FrameCase("quotes_without_end", b'["' + b'\\"' * 500_000),
    FrameCase("commas", b"[" + b"," * 1_000_000 + b"]"),
    accepted("empty_list", "[]", 0),
    accepted("bare_text", '"x"', 1),
    accepted("spaced_list", ' [ "x" , "y" ] \r\n', 2),
    accepted("escaped_list", '["\\u0078\\u0000"]', 1),
    accepted("half_a_pair", '["\\ud800"]', 1),
    accepted("texts_that_are_empty", json.dumps([""] * 1000), 1000),
    accepted("a_large_text", json.dumps(["x" * 1_000_000]), 1),
    accepted("utf8", '["\u20ac\U0001f600"]', 1),
]


def _frame(
    first: int, payload: bytes = b"", *, mask: bool = True, length: bytes | None = None
) -> bytes:
    """
    :param length: instead of the right one: the second byte, without its mask bit, and
        what follows of the length.
    """
    if length is None:
        length = bytes([len(payload)])
    head = bytes([first, length[0] | (0x80 if mask else 0)]) + length[1:]
    return head + (b"\0\0\0\0" if mask else b"") + payload


def _close(code: int, reason: bytes = b"") -> bytes:
    return encode_frame(struct.pack("!H", code) + reason, CLOSE)


_TEXT_OF_X = encode_frame('["x"]', TEXT)
_PROTOCOL, _TOO_BIG, _FRAMING = 1002, 1009, 3000

WIRE: list[WireCase] = [
    WireCase("no_mask", _frame(0x81, b'["x"]', mask=False), _PROTOCOL),
    WireCase("no_mask_on_ping", _frame(0x89, mask=False), _PROTOCOL),
    WireCase("rsv1", _frame(0xC1, b'["x"]'), _PROTOCOL),
    WireCase("rsv2", _frame(0xA1, b'["x"]'), _PROTOCOL),
    WireCase("rsv3", _frame(0x91, b'["x"]'), _PROTOCOL),
    WireCase("all_rsv", _frame(0xF1, b'["x"]'), _PROTOCOL),
    *(WireCase(f"opcode_{code}", _frame(0x80 | code), _PROTOCOL) for code in (3, 4, 5, 6, 7)),
    *(WireCase(f"opcode_{code}", _frame(0x80 | code), _PROTOCOL) for code in (11, 12, 13, 14, 15)),
    WireCase("ping_in_pieces", encode_frame("x", PING, final=False), _PROTOCOL),
    WireCase("pong_in_pieces", encode_frame("x", PONG, final=False), _PROTOCOL),
    WireCase("close_in_pieces", encode_frame(b"\x03\xe8", CLOSE, final=False), _PROTOCOL),
    WireCase("ping_of_126_bytes", encode_frame("x" * 126, PING), _PROTOCOL),
    WireCase("close_of_126_bytes", _close(1000, b"x" * 124), _PROTOCOL),
    WireCase("close_of_one_byte", encode_frame("x", CLOSE), _PROTOCOL),
    *(
        WireCase(f"close_{code}", _close(code), _PROTOCOL)
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    ),
    WireCase("close_reason_not_utf8", _close(1000, b"\xff"), 1007),
    WireCase("close", _close(1000), 1000),
    WireCase("close_without_code", encode_frame("", CLOSE), 1000),
    WireCase("close_4999", _close(4999, b"x" * 123), 1000),
    WireCase("close_twice", _close(1000) * 2, 1000),
    WireCase("close_and_more", _close(1000) + _TEXT_OF_X * 1000, 1000),
    WireCase("continuation_of_nothing", encode_frame("x", 0), _PROTOCOL),
    WireCase("text_within_text", encode_frame("[", TEXT, final=False) + _TEXT_OF_X, _PROTOCOL),
    WireCase(
        "binary_within_text",
        encode_frame("[", TEXT, final=False) + encode_frame("]", BINARY),
        _PROTOCOL,
    ),
    WireCase("length_in_too_many_bytes", _frame(0x81, b"[]", length=b"\x7e\0\x02"), _PROTOCOL),
    WireCase(
        "length_in_far_too_many_bytes",
        _frame(0x81, b"[]", length=b"\x7f\0\0\0\0\0\0\0\x02"),
        _PROTOCOL,
    ),
    WireCase("length_with_64_bits", _frame(0x81, length=b"\x7f" + b"\xff" * 8), _PROTOCOL),
    WireCase("length_of_exabytes", _frame(0x81, length=b"\x7f\x0f" + b"\xff" * 7), _TOO_BIG),
    WireCase(
        "length_one_too_large",
        _frame(0x81, length=b"\x7f" + struct.pack("!Q", 4 * 1024 * 1024 + 1)),
        _TOO_BIG,
    ),
    WireCase("too_large_a_frame", encode_frame(b"x" * (4 * 1024 * 1024 + 1), TEXT), _TOO_BIG),
    WireCase(
        "too_large_in_pieces",
        encode_frame(b"x" * 1024 * 1024, TEXT, final=False)
        + encode_frame(b"x" * 1024 * 1024, 0, final=False) * 4,
        _TOO_BIG,
    ),
    WireCase(
        "a_thousand_empty_pieces",
        encode_frame("", TEXT, final=False) + encode_frame("", 0, final=False) * 1000,
        _TOO_BIG,
    ),
    WireCase("binary", encode_frame('["x"]', BINARY), _FRAMING),
    WireCase("empty_binary", encode_frame("", BINARY), _FRAMING),
    WireCase("another_request", b"GET /sockets/info HTTP/1.1\r\nHost: x\r\n\r\n", _PROTOCOL),
    WireCase("tls", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64), _PROTOCOL),
    WireCase("zeros", bytes(1000), _PROTOCOL),
    WireCase("ones", b"\xff" * 1000, _PROTOCOL),
    WireCase("garbage_after_a_violation", _frame(0xF1) + bytes(range(256)) * 4000, _PROTOCOL),
    WireCase("pong_of_nothing", encode_frame("x", PONG) * 1000, None),
    WireCase("pings", encode_frame("x" * 125, PING) * 1000, None),
    WireCase(
        "ping_between_pieces",
        encode_frame('["', TEXT, final=False) + encode_frame("x", PING) + encode_frame('x"]', 0),
        None,
    ),
    WireCase("empty_messages", encode_frame("", TEXT) * 1000, None),
    WireCase("empty_frames", encode_frame("[]", TEXT) * 1000, None),
    WireCase("half_a_head", b"\x81", None),
    WireCase("half_a_length", b"\x81\xff\0\0", None),
    WireCase("half_a_mask", b"\x81\x85\0", None),
    WireCase("half_a_frame", encode_frame('["' + "x" * 1000, TEXT)[:500], None),
    WireCase("half_a_message", encode_frame('["' + "x" * 1_000_000, TEXT, final=False), None),
    WireCase("half_a_ping", encode_frame("x" * 100, PING)[:50], None),
    WireCase("half_a_close", _close(1000)[:3], None),
]
