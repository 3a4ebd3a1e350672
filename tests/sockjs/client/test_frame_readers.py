"""
How frames are read from HTTP responses, however these are cut into pieces.
"""

from __future__ import annotations

import json
import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.client.frame_readers import EventReader, LineReader
from txtokensock.sockjs.frames import FrameError, encode_server_frame
from txtokensock.sockjs.server import framing as server

LIMIT = 200
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
frames = st.one_of(
    st.just(b"o"),
    st.just(b"h"),
    st.lists(texts, max_size=3).map(lambda some: encode_server_frame([t.encode() for t in some])),
)
cuts = st.lists(st.integers(1, 40), min_size=1)


def fed(reader: LineReader | EventReader, stream: bytes, sizes: list[int]) -> list[bytes]:
    """The frames of a stream that comes in pieces of these sizes, over and over."""
    got, at, turn = [], 0, 0
    while at < len(stream):
        size = sizes[turn % len(sizes)]
        got += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    return got


def decoded(frame: bytes) -> object:
    """What a frame means: servers escape more than they have to."""
    return json.loads(frame[1:]) if frame[:1] == b"a" else frame


class LineTests(SynchronousTestCase):
    """The responses of xhr."""

    @given(st.lists(frames), cuts)
    def test_what_our_server_sends(self, sent: list[bytes], sizes: list[int]) -> None:
        """Every frame, once and in order; the padding in front is a heartbeat."""
        form = server.XHR_STREAMING
        stream = form.prelude + b"".join(map(form.wrap, sent))
        reader = LineReader(3000)
        got = fed(reader, stream, sizes)
        self.assertEqual(list(map(decoded, got)), [b"h", *map(decoded, sent)])
        self.assertTrue(reader.complete)

    def test_unfinished_frame(self) -> None:
        """It waits, and a response must not end there."""
        reader = LineReader(LIMIT)
        self.assertEqual(reader.feed(b'o\na["x'), [b"o"])
        self.assertFalse(reader.complete)
        self.assertEqual(reader.feed(b'"]\n\n'), [b'a["x"]'])
        self.assertTrue(reader.complete)

    @given(st.binary(max_size=3 * LIMIT), cuts)
    def test_anything(self, stream: bytes, sizes: list[int]) -> None:
        """What cannot be lines of a bounded length is refused, nothing else is."""
        too_long = any(len(line) > LIMIT for line in stream.split(b"\n"))
        try:
            got = fed(LineReader(LIMIT), stream, sizes)
        except FrameError:
            self.assertTrue(too_long)
        else:
            self.assertFalse(too_long)
            self.assertLessEqual(sum(map(len, got)), len(stream))

    def test_limit(self) -> None:
        """It counts the bytes of a frame, also of one that has not ended."""
        reader = LineReader(4)
        self.assertEqual(reader.feed(b"a[1]\n"), [b"a[1]"])
        self.assertEqual(reader.feed(b"a[1]"), [])
        with self.assertRaises(FrameError):
            reader.feed(b"2")
        with self.assertRaises(FrameError):
            LineReader(4).feed(b"a[12]\n")

    def test_memory(self) -> None:
        """A frame in very small pieces takes no more of it than one in large ones."""
        pieces, each = 50_000, b"xy"
        for reader in (LineReader(1_000_000), EventReader(1_000_000)):
            tracemalloc.start()
            self.addCleanup(tracemalloc.stop)
            for _ in range(pieces):
                reader.feed(bytes(bytearray(each)))
            held, _ = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            self.assertLess(held, 2 * pieces * len(each))


class EventTests(SynchronousTestCase):
    """The responses of eventsource."""

    @given(st.lists(frames), cuts, st.sampled_from([b"\r\n", b"\n", b"\r"]))
    def test_what_our_server_sends(
        self, sent: list[bytes], sizes: list[int], line_end: bytes
    ) -> None:
        """Every frame, once and in order, with each of the standard's line ends."""
        form = server.EVENTSOURCE
        stream = (form.prelude + b"".join(map(form.wrap, sent))).replace(b"\r\n", line_end)
        reader = EventReader(LIMIT)
        self.assertEqual(list(map(decoded, fed(reader, stream, sizes))), list(map(decoded, sent)))
        self.assertTrue(reader.complete)

    def test_examples(self) -> None:
        """What else a stream may hold."""
        for stream, expected in (
            (b"\xef\xbb\xbfdata: o\n\n", [b"o"]),
            (b"data:o\n\n", [b"o"]),
            (b"data:  o\n\n", [b" o"]),
            (b": comment\nretry: 3\nid: 7\ndata: o\nunknown\n\n", [b"o"]),
            (b"event: message\ndata: o\n\n", [b"o"]),
            (b"event: other\ndata: o\n\ndata: h\n\n", [b"h"]),
            (b"data\n\ndata:\n\n\n\n", []),
            (b'data: a["100%25 %0D%0a%00"]\n\n', [b'a["100% \r\n\0"]']),
            (b'data: a["%C3%A9%2F%3b"]\n\n', ['a["é%2F%3b"]'.encode()]),
            (b'data: a["5% %zz %"]\n\n', [b'a["5% %zz %"]']),
        ):
            self.assertEqual(EventReader(LIMIT).feed(stream), expected, stream)

    def test_line_end_in_two_pieces(self) -> None:
        """It is one line end, not two, which would end the event."""
        reader = EventReader(LIMIT)
        self.assertEqual(reader.feed(b"event: other\r"), [])
        self.assertEqual(reader.feed(b"\ndata: o\r\n\r\n"), [])

    def test_unfinished_event(self) -> None:
        """It waits for the empty line, and a response must not end there."""
        for start in (b"dat", b"data: o", b"data: o\r", b"data: o\r\n"):
            reader = EventReader(LIMIT)
            self.assertEqual(reader.feed(start), [])
            self.assertFalse(reader.complete, start)

    @given(st.binary(max_size=3 * LIMIT), cuts)
    def test_anything(self, stream: bytes, sizes: list[int]) -> None:
        """Nothing but the one error."""
        try:
            got = fed(EventReader(LIMIT), stream, sizes)
        except FrameError:
            return
        self.assertLessEqual(sum(map(len, got)), len(stream))

    def test_limit(self) -> None:
        """As for lines; and an event of several lines is none of SockJS's."""
        reader = EventReader(4)
        self.assertEqual(reader.feed(b"data: a[1]\n\n"), [b"a[1]"])
        with self.assertRaises(FrameError):
            reader.feed(b"data: a[12]")
        with self.assertRaises(FrameError):
            EventReader(4).feed(b"data: o\ndata: o\n")
