"""
Frames that hold one text message are read without Autobahn, and to the same effect.
"""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise
from typing import Any

from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.examples import examples
from txtokensock.sockjs.text_frames import TextFrameReader, masked_text_frame, text_frame
from txtokensock.sockjs.websocket import TIMERS_OFF, WebSocketConnection
from txtokensock.testing import rfc6455

LIMIT = 70_000
_KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n\r\n" % _KEY
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %s\r\n\r\n"
)

SIZES = st.one_of(
    st.integers(0, 130),
    st.sampled_from([125, 126, 127, 65_535, 65_536, LIMIT, LIMIT + 1]),
)


class Recorder(WebSocketConnection):
    """
    What either side has in common here: it notes what it is told.

    :param alone: whether Autobahn reads all frames alone, as the oracle does.
    """

    most_fragments = 10

    def __init__(self, *, masked: bool, alone: bool) -> None:
        self.events: list[Any] = []
        self.frames = TextFrameReader(masked=masked, limit=-1 if alone else LIMIT)
        super().__init__(self.frames)

    def dataReceived(self, data: bytes) -> None:
        if not self.failedByMe:  # whatever follows a violation is nobody's
            self.bytes_received(data)

    def texts_received(self, payloads: list[bytes]) -> None:
        self.events.extend(("text", text) for text in payloads)

    def binary_received(self, message: bytes) -> None:
        self.events.append(("binary", message))

    def activity(self) -> None:
        self.events.append("activity")

    def onClose(self, wasClean: bool, code: Any, reason: Any) -> None:
        self.events.append(("closed", wasClean, code, reason))

    def too_many_fragments(self) -> None:
        self._fail_connection(1009, "too many fragments")


class ServerSide(Recorder, WebSocketServerProtocol):
    """Reads what clients send."""


class ClientSide(Recorder, WebSocketClientProtocol):
    """Reads what servers send."""


class Transport(StringTransport):
    """A connection that can be dropped."""

    def abortConnection(self) -> None:
        self.disconnecting = True


OPTIONS = {
    **TIMERS_OFF,
    "maxMessagePayloadSize": LIMIT,
    "maxFramePayloadSize": LIMIT,
    "failByDrop": False,
    "utf8validateIncoming": False,
}


def server_side(*, alone: bool) -> Any:
    """A server's open WebSocket."""
    factory = WebSocketServerFactory(server=None, reactor=Clock())
    factory.setProtocolOptions(**OPTIONS)
    return _open(ServerSide(masked=True, alone=alone), factory, UPGRADE)


def client_side(*, alone: bool) -> Any:
    """A client's open WebSocket."""
    factory = WebSocketClientFactory("ws://localhost/", reactor=Clock())
    factory.setProtocolOptions(**OPTIONS, serverConnectionDropTimeout=0)
    return _open(ClientSide(masked=False, alone=alone), factory, None)


def _open(side: Any, factory: Any, handshake: bytes | None) -> Any:
    side.factory = factory
    side.makeConnection(Transport())
    if handshake is None:
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", side.transport.value())
        assert found is not None
        accept = base64.b64encode(hashlib.sha1(found[1] + _GUID).digest())
        handshake = ACCEPTED % accept
    side.dataReceived(handshake)
    assert side.state == side.STATE_OPEN
    side.transport.clear()
    return side


@st.composite
def frames(draw: Any, *, masked: bool) -> bytes:
    """The bytes of one frame, which as a rule is a good one."""
    opcode = draw(st.sampled_from([1, 1, 1, 1, 0, 2, 8, 9, 10, 3]))
    final = draw(st.sampled_from([True, True, True, False]))
    size = draw(st.integers(0, 125) if opcode > 7 else SIZES)
    payload = draw(st.binary(min_size=1, max_size=9)) * (size // 4 + 1)
    payload = payload[:size]
    if opcode == 8:
        payload = draw(st.sampled_from([b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\0\0"]))
    data = rfc6455.encode_frame(payload, opcode, final=final, masked=masked)
    if masked and final and opcode == 1 and draw(st.booleans()):
        data = masked_text_frame(payload)
    spoilt = draw(st.sampled_from([None] * 12 + ["reserved bit", "mask", "length", "noise"]))
    if spoilt == "reserved bit":
        return bytes([data[0] | 0x40]) + data[1:]
    if spoilt == "mask":
        return data[:1] + bytes([data[1] ^ 0x80]) + data[2:]
    if spoilt == "length":  # in two bytes, where one would do
        return data[:1] + bytes([data[1] & 0x80 | 126]) + b"\0\x03" + data[2:]
    return draw(st.binary(max_size=20)) if spoilt == "noise" else data


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data in pieces."""
    edges = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


CUTS = st.lists(st.integers(0, 10**6), max_size=12)


class OracleTests(SynchronousTestCase):
    """What Autobahn alone makes of the same bytes."""

    def same(self, new_side: Any, data: bytes, cuts: list[int]) -> None:
        """Both note the same, in the same order, and answer the same."""
        ours, autobahn = new_side(alone=False), new_side(alone=True)
        for piece in chunked(data, cuts):
            ours.dataReceived(piece)
            autobahn.dataReceived(piece)
        self.assertEqual(ours.events, autobahn.events)
        self.assertEqual(ours.state, autobahn.state)
        self.assertEqual(ours.failedByMe, autobahn.failedByMe)
        if ours.factory.isServer:  # a client's frames have masks
            self.assertEqual(ours.transport.value(), autobahn.transport.value())

    @examples(300)
    @given(st.lists(frames(masked=True), max_size=8), CUTS)
    def test_server(self, sent: list[bytes], cuts: list[int]) -> None:
        """Whatever clients send, in whatever pieces."""
        self.same(server_side, b"".join(sent), cuts)

    @examples(300)
    @given(st.lists(frames(masked=False), max_size=8), CUTS)
    def test_client(self, sent: list[bytes], cuts: list[int]) -> None:
        """Whatever servers send, in whatever pieces."""
        self.same(client_side, b"".join(sent), cuts)

    def test_closing(self) -> None:
        """The beginning of a frame that was kept is not lost when the WebSocket is closed."""
        for new_side, masked in ((server_side, True), (client_side, False)):
            text = rfc6455.encode_frame(b"late", masked=masked)
            close = rfc6455.encode_frame(b"\x03\xe8", 8, masked=masked)
            side = new_side(alone=False)
            side.dataReceived(text[:3])
            side.sendClose(1000)
            side.dataReceived(text[3:] + close)
            self.assertTrue(side.wasClean)


class TextFrameTests(SynchronousTestCase):
    """The frames themselves."""

    @examples(100)
    @given(st.lists(SIZES, max_size=4), CUTS)
    def test_round_trip(self, sizes: list[int], cuts: list[int]) -> None:
        """What one side makes the other reads, in whatever pieces, but for what is long."""
        payloads = [bytes(index % 251 for index in range(size)) for size in sizes]
        for make, masked in ((text_frame, False), (masked_text_frame, True)):
            data = b"".join(map(make, payloads))
            frames = rfc6455.FrameReader(masked=masked).feed(data)
            self.assertEqual(frames, [(rfc6455.TEXT, payload) for payload in payloads])
            short = [payload for payload in payloads if len(payload) <= 0xFFFF]
            reader = TextFrameReader(masked=masked, limit=LIMIT)
            taken: list[bytes] = []
            for piece in chunked(b"".join(map(make, short)), cuts):
                some, rest = reader.take(piece)
                taken += some
                self.assertEqual(rest, b"")
            self.assertEqual(taken, short)
            self.assertEqual(reader.release(), b"")

    def test_limit(self) -> None:
        """A frame over the limit is left to Autobahn, as soon as its length is known."""
        reader = TextFrameReader(masked=False, limit=200)
        good, large = text_frame(b"x" * 200), text_frame(b"x" * 201)
        self.assertEqual(reader.take(good + large[:3]), ([b"x" * 200], b""))
        self.assertEqual(reader.take(large[3:4]), ([], large[:4]))

    def test_masks(self) -> None:
        """Masks are not repeated, and not all zero: RFC 6455, section 5.3."""
        masks = {masked_text_frame(b"x" * 20)[2:6] for _ in range(2000)}
        self.assertGreater(len(masks), 1990)
