"""
The limits that a server announces, and messages that would exceed them.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.errors import InvalidChannel, InvalidData, MessageTooLarge
from txtokensock.jsontext import dumps
from txtokensock.messages.announced_limits import AnnouncedLimits
from txtokensock.sockjs.frames import encode_client_frame

from .support import VALUES

_WHOLE = st.characters(exclude_categories=["Cs"])
_FIELDS = AnnouncedLimits.__struct_fields__
_NONSENSE = (
    *(None, True, False, 0, -1, -0.5, "5", [5], {"a": 5}),
    *(2**63, 2**100, 1e999, -1e999, float("nan")),
)


class DecodingTests(SynchronousTestCase):
    """AnnouncedLimits.of: what a peer may send there."""

    def test_all(self) -> None:
        """Each field is taken."""
        announced = {name: number for number, name in enumerate(_FIELDS, 1)}
        limits = AnnouncedLimits.of(announced)
        self.assertEqual({name: getattr(limits, name) for name in _FIELDS}, announced)

    def test_field_by_field(self) -> None:
        """A value that no limit can have is ignored, and the others are taken."""
        for name in _FIELDS:
            other = "calls" if name != "calls" else "channels"
            for value in _NONSENSE:
                if name == "messages_per_second" and value in (2**63, 2**100):
                    continue  # a rate may be any number
                limits = AnnouncedLimits.of({name: value, other: 5, "unknown": value})
                self.assertEqual(limits, AnnouncedLimits(**{other: 5}), (name, value))

    def test_fractions(self) -> None:
        """The rate may be a fraction, counts may not."""
        limits = AnnouncedLimits.of(dict.fromkeys(_FIELDS, 1.5))
        self.assertEqual(limits, AnnouncedLimits(messages_per_second=1.5))

    @given(VALUES)
    def test_anything(self, announced: Any) -> None:
        """Nothing that a peer sends raises, and no object announces nothing."""
        limits = AnnouncedLimits.of(announced)
        self.assertEqual(limits is not None, isinstance(announced, dict))


class MessageTests(SynchronousTestCase):
    """AnnouncedLimits.check_message."""

    def test_size(self) -> None:
        """Exactly the limit is taken, and the error has the limit and its value."""
        limits = AnnouncedLimits(message_size=100)
        limits.check_message(b"x" * 100)
        error = self.assertRaises(MessageTooLarge, limits.check_message, b"x" * 101)
        self.assertEqual(
            str(error), "a message of 101 bytes: the server's limit message_size is 100"
        )

    @given(st.text(st.sampled_from('"\\\n\ré\u2028x'), max_size=40) | st.text(_WHOLE))
    def test_frame(self, text: str) -> None:
        """The size in a SockJS frame is that of the frame that is sent, to the byte."""
        payload = dumps(text)
        size = len(encode_client_frame([payload]))
        AnnouncedLimits(frame_size=size).check_message(payload)
        limits = AnnouncedLimits(frame_size=size - 1)
        error = self.assertRaises(MessageTooLarge, limits.check_message, payload)
        self.assertIn(f"of {size} bytes: the server's limit frame_size is {size - 1}", str(error))

    def test_depth(self) -> None:
        """The message itself counts as one level."""
        limits = AnnouncedLimits(json_depth=3)
        limits.check_message(json.dumps({"req": [[]], "more": ["[[[["]}).encode())
        error = self.assertRaises(InvalidData, limits.check_message, b'{"req":[[[]]]}')
        self.assertNotIsInstance(error, MessageTooLarge)
        self.assertEqual(
            str(error),
            "the message nests deeper than 3 lists and objects,"
            " which is the server's limit json_depth",
        )

    def test_nothing_announced(self) -> None:
        """A limit that was not announced forbids nothing."""
        limits = AnnouncedLimits()
        limits.check_message(b"[" * 100_000)
        limits.check_channel("c" * 100_000)


class ChannelTests(SynchronousTestCase):
    """AnnouncedLimits.check_channel."""

    def test_length(self) -> None:
        """Bytes in UTF-8 count, not characters."""
        limits = AnnouncedLimits(channel_length=8)
        for channel in ("c" * 8, "é" * 4, "\U0001f600" * 2):
            limits.check_channel(channel)
        for channel in ("c" * 9, "é" * 4 + "c", "\U0001f600" * 2 + "c"):
            error = self.assertRaises(InvalidChannel, limits.check_channel, channel)
            self.assertEqual(
                str(error),
                f"the channel {channel!r} has 9 bytes: the server's limit channel_length is 8",
            )
