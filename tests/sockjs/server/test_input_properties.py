"""
Whatever a client sends, in whatever pieces: no more of it is taken than its limits say.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.examples import examples
from tests.kit.websocket import CLOSE, PING, PONG, TEXT, encode_frame
from txtokensock.sockjs import InputLimits

from .support import Recorder, Server

BURST = 40
SIZE = 200
TOO_MUCH = (4429, "Too much")


class Limited(Recorder):
    """Hears what is within its limits."""

    def connectionMade(self) -> None:
        super().connectionMade()
        limits = InputLimits(frame_size=SIZE, per_second=1, burst=BURST)
        self.transport.limit_input(limits, lambda: self.transport.close(*TOO_MUCH))


@dataclass(frozen=True)
class Input:
    """
    :ivar data: what is sent.
    :ivar costs: of its frames, one after the other.
    :ivar texts: what is delivered.
    :ivar pongs: how many answers it has.
    """

    data: bytes
    costs: tuple[int, ...]
    texts: tuple[bytes, ...] = ()
    pongs: int = 0


def messages(count: int) -> Input:
    """A frame with so many messages."""
    texts = tuple(b"m" for _ in range(count))
    data = encode_frame(json.dumps(["m"] * count), TEXT)
    return Input(data, (count or 10,), texts)


def in_pieces(count: int) -> Input:
    """One message in so many frames."""
    frames = [encode_frame('["m"]', TEXT, final=count == 1)]
    frames += [encode_frame(" ", 0, final=number == count) for number in range(2, count + 1)]
    return Input(b"".join(frames), (*(1 for _ in range(count - 1)), 1), (b"m",))


INPUTS = st.one_of(
    st.builds(messages, st.integers(0, 12)),
    st.builds(in_pieces, st.integers(1, 9)),
    st.sampled_from(
        (
            Input(encode_frame("", TEXT), (10,)),
            Input(encode_frame("x" * 125, PING), (10,), pongs=1),
            Input(encode_frame("", PONG), (10,)),
        )
    ),
)


class InputTests(SynchronousTestCase):
    """WebSockets."""

    @examples(100)
    @given(st.lists(INPUTS, max_size=12), st.lists(st.integers(1, 40), min_size=1, max_size=9))
    def test_rate(self, inputs: list[Input], sizes: list[int]) -> None:
        """What comes before the first frame that is too much is taken, and nothing after it."""
        texts: list[bytes] = []
        pongs, left = 0, BURST
        for each in inputs:
            left -= sum(each.costs)
            if left < 0:
                break
            texts += each.texts
            pongs += each.pongs
        server = Server(Limited)
        client = server.websocket()
        data = b"".join(each.data for each in inputs)
        while data and not client.tcp.lost:
            for size in sizes:
                client.connection.send(data[:size])
                data = data[size:]
        (protocol,) = server.protocols
        self.assertEqual(protocol.received, texts)
        frames = client.frames()
        self.assertEqual([opcode for opcode, _ in frames].count(PONG), pongs)
        closing = (TEXT, b'c[4429,"Too much"]') in frames
        self.assertEqual(closing, left < 0)
        self.assertEqual(frames[-1][0] == CLOSE, closing)
        client.connection.drop()
        self.assertEqual(server.resource._table.buffers.total, 0)

    @examples(100)
    @given(
        st.lists(st.tuples(st.integers(0, 150), st.booleans()), min_size=1, max_size=4),
        st.integers(1, 400),
    )
    def test_size(self, pieces: list[tuple[int, bool]], at_once: int) -> None:
        """
        A message that is too large is refused as soon as the header says so, and until then,
        no more is kept than what is allowed.
        """
        server = Server(Limited)
        client = server.websocket()
        client.frames()
        session = next(iter(server.resource._table._sessions))
        total = 0
        for number, (size, whole) in enumerate(pieces):
            frame = encode_frame(b" " * size, 0 if number else TEXT, final=False)
            sent = frame if whole else frame[: len(frame) - size]
            for start in range(0, len(sent), at_once):
                client.connection.send(sent[start : start + at_once])
            total += size
            if total > SIZE:
                ((opcode, payload),) = client.frames()
                self.assertEqual((opcode, payload[:2]), (CLOSE, b"\x03\xf1"))
                break
            self.assertEqual(client.frames(), [])
            if size and not whole:
                break
        self.assertLessEqual(_held(session), SIZE)
        client.connection.drop()
        self.assertEqual(_held(session), 0)


def _held(session: Any) -> int:
    size: int = session._websocket._message.size
    return size
