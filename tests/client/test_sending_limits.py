"""
Short cuts around what a connection takes give the same answers.
"""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.client.request import Request
from txtokensock.client.sending_limits import FRAME_MESSAGES, SendingLimits
from txtokensock.errors import UsageError
from txtokensock.messages.announced_limits import AnnouncedLimits
from txtokensock.messages.from_client import encode_call

COUNTS = st.integers(1, FRAME_MESSAGES)
ANNOUNCED = st.builds(
    AnnouncedLimits,
    frame_size=st.none() | st.integers(1, 1_000_000),
    messages_per_second=st.none() | st.floats(0.1, 1e6),
    message_burst=st.none() | st.integers(1, 1000),
)


class SendingLimitsTests(SynchronousTestCase):
    """SendingLimits."""

    @given(ANNOUNCED, COUNTS, COUNTS, st.integers(0, 200_000), st.data())
    def test_surely_fits(
        self, announced: AnnouncedLimits, most: int, messages: int, used: int, data: st.DataObject
    ) -> None:
        """What surely fits fills no frame, whatever of the rate was used."""
        limits = SendingLimits(announced, 0.0)
        limits.sent(1, used)
        size = int(min(limits.surely_fits(most), 1e6))
        if size >= 0:
            size = data.draw(st.integers(0, size) | st.just(size))
            self.assertFalse(limits.fills(min(messages, most), size))

    @given(st.integers(1, 80), st.integers(0, 90), st.integers(0, 90), st.sampled_from("f[{"))
    def test_depth(self, depth: int, nested: int, flat: int, name: str) -> None:
        """A request is refused just where the server would close for its depth."""
        announced = AnnouncedLimits(json_depth=depth)
        data = msgspec.Raw(b"[" * nested + b"]" * nested + b"[]" * flat)
        payload = encode_call(name, data, "u")
        try:
            announced.check_message(payload)
        except UsageError as problem:
            expected = str(problem)
        else:
            expected = "None"
        request = Request(payload, "u", "rpc", name)
        self.assertEqual(str(SendingLimits(announced, 0.0).problem(request)), expected)
