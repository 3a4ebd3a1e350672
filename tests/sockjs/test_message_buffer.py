"""
Messages that come in pieces.
"""

from __future__ import annotations

import tracemalloc

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.sockjs.message_buffer import MessageBuffer

LARGE = 256 * 1024


class MessageBufferTests(SynchronousTestCase):
    """What is put in comes out."""

    @given(
        st.lists(
            st.integers(0, 300) | st.sampled_from((2**16 - 1, 2**16, LARGE, LARGE + 1, 600_000)),
            max_size=8,
        )
    )
    def test_pieces(self, sizes: list[int]) -> None:
        """All pieces in order, and the same buffer can be used for the next message."""
        buffer = MessageBuffer()
        for turn in range(2):
            pieces = [bytes([turn * 100 + number]) * size for number, size in enumerate(sizes)]
            for piece in pieces:
                buffer.add(piece)
            self.assertEqual(buffer.size, sum(sizes))
            self.assertEqual(buffer.take(), b"".join(pieces))
            self.assertEqual(buffer.size, 0)

    def test_clear(self) -> None:
        """What is let go of is not in the next message, and was hardly on the heap."""
        buffer = MessageBuffer()
        piece = b"x" * 50_000
        tracemalloc.start()
        self.addCleanup(tracemalloc.stop)
        for _ in range(1000):
            buffer.add(piece)
        now, _ = tracemalloc.get_traced_memory()
        self.assertLess(now, 200_000)
        buffer.clear()
        buffer.add(b"y")
        self.assertEqual(buffer.take(), b"y")
