"""
Faults of SockJS and of WebSockets: frames that are none, or come out of order.
"""

from __future__ import annotations

import struct

from tests.kit.http import chunk
from txtokensock.testing.rfc6455 import BINARY, CLOSE, PING, PONG, TEXT, encode_frame

from .scene import Fault, Scene

__all__ = ["FRAMES", "STREAM", "TOO_LARGE", "WEBSOCKET"]

TOO_LARGE = 100_000
"""Bytes, more than the clients here take."""


def _frame(payload: bytes) -> Fault:
    return lambda scene: scene.frame(payload)


def _bytes(data: bytes) -> Fault:
    return lambda scene: scene.out.write(data)


def _flood_frames(payload: bytes) -> Fault:
    def flood(scene: Scene) -> None:
        assert scene.carrier is not None
        piece = scene.carrier.frame(payload)
        if scene.carrier.single:
            scene.give_instead(scene.carrier.frame(b"\n".join([payload] * 100)))
        else:
            scene.out.flood(piece * 20)

    return flood


def _goodbye(code: int, reason: str) -> Fault:
    def say(scene: Scene) -> None:
        assert scene.carrier is not None
        scene.give_instead(scene.carrier.closing(code, reason))

    return say


FRAMES: dict[str, Fault] = {
    "says goodbye": _goodbye(1000, "Normal closure"),
    "cannot take it": _goodbye(4413, "Message too large"),
    "refuses": _goodbye(3000, "Go away!"),
    "sends no frame": _frame(b"?"),
    "sends an empty frame": _frame(b""),
    "sends a heartbeat": _frame(b"h"),
    "sends messages": _frame(b'a["{}"]'),
    "opens again": _frame(b"o"),
    "sends half an array": _frame(b'a["{'),
    "sends an array of anything": _frame(b'a[1,null,{"a":[]},true]'),
    "sends an object for an array": _frame(b'a{"0":"x"}'),
    "sends a broken close": _frame(b"c[1000"),
    "sends a close of anything": _frame(b'c["x",null]'),
    "sends no UTF-8": _frame(b'a["\xff\xfe\xc0\x80"]'),
    "sends half a surrogate": _frame(b'a["\\ud800"]'),
    "sends a frame too large": _frame(b'a["' + b"x" * TOO_LARGE + b'"]'),
    "floods with heartbeats": _flood_frames(b"h"),
}
"""Where frames are due."""


def _ws(payload: bytes, opcode: int, *, final: bool = True) -> bytes:
    return encode_frame(payload, opcode, final=final)


def _flood_ws(first: bytes, piece: bytes) -> Fault:
    def flood(scene: Scene) -> None:
        scene.out.write(first)
        scene.out.flood(piece * (4000 // len(piece)))

    return flood


WEBSOCKET: dict[str, Fault] = {
    "sends reserved bits": _bytes(b"\xf1\x01o"),
    "sends an unknown opcode": _bytes(b"\x83\x01o"),
    "sends binary": _bytes(_ws(b"o", BINARY)),
    "sends a masked frame": _bytes(b"\x81\x81\x00\x00\x00\x00o"),
    "sends a ping in pieces": _bytes(_ws(b"", PING, final=False)),
    "sends a ping too long": _bytes(_ws(b"x" * 126, PING)),
    "continues what never began": _bytes(_ws(b"o", 0)),
    "begins anew within": _bytes(_ws(b"a", TEXT, final=False) + _ws(b"b", TEXT)),
    "promises a length of 2**63": _bytes(b"\x81\x7f" + b"\xff" * 8),
    "promises a length too large": _bytes(b"\x81\x7f" + struct.pack("!Q", 1 << 40)),
    "closes with one byte": _bytes(_ws(b"\x03", CLOSE)),
    "closes with a code that is none": _bytes(_ws(struct.pack("!H", 1005), CLOSE)),
    "closes with no text": _bytes(_ws(struct.pack("!H", 1000) + b"\xff\xfe", CLOSE)),
    "closes the WebSocket": _bytes(_ws(struct.pack("!H", 1001), CLOSE)),
    "sends no UTF-8 in a WebSocket": _bytes(_ws(b"\xff\xfe", TEXT)),
    "speaks HTTP again": _bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "sends noise": _bytes(bytes(range(256)) * 4),
    "pongs unasked": lambda scene: scene.give_instead(_ws(b"?", PONG) + scene.honest),
    "sends in fragments": lambda scene: scene.give_instead(_fragments(scene.honest)),
    "floods with pings": _flood_ws(b"", _ws(b"x" * 125, PING)),
    "floods with fragments": _flood_ws(_ws(b"a", TEXT, final=False), _ws(b"", 0, final=False)),
}
"""Where it is a WebSocket, which carries nothing but short frames here."""


def _fragments(frame: bytes) -> bytes:
    """A short text frame in three frames."""
    start = 2 if frame[1] < 126 else 4
    payload = frame[start:]
    return (
        _ws(payload[:1], TEXT, final=False)
        + _ws(b"", PING)
        + _ws(payload[1:2], 0, final=False)
        + _ws(payload[2:], 0)
    )


STREAM: dict[str, Fault] = {
    "sends a broken chunk": _bytes(b"zz\r\no\n\r\n"),
    "sends a line without an end": lambda scene: scene.out.flood(chunk(b"x" * 8192)),
}
"""Where it is a streaming response."""
