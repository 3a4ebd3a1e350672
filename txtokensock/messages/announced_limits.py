"""
The limits that a server announces in its answer to ``auth``, and what would exceed them.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..errors import InvalidChannel, InvalidData, MessageTooLarge, shorten
from ..jsontext import nested_deeper_than
from ..support.checks import check_count, check_positive

__all__ = ["SIZE_BITS", "AnnouncedLimits"]

SIZE_BITS = 16
"""Servers count 64 KiB of a frame as a message."""


class AnnouncedLimits(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What a server takes from one client, as far as it has announced that: a limit that it
    did not name is None.

    :ivar message_size: bytes of one message, in JSON and with all that goes around the data.
    :ivar frame_size: bytes of one SockJS frame, in which messages are JSON texts, so that
        quotes and backslashes count twice.
    :ivar frame_messages: messages in one SockJS frame.
    :ivar json_depth: how deep lists and objects may nest in a message, the message itself
        included.
    :ivar channel_length: bytes of a channel's name in UTF-8.
    :ivar channels: channels that a client may be subscribed to.
    :ivar calls: requests that may wait for their answers.
    :ivar messages_per_second: messages in the long run.
    :ivar message_burst: messages at once after a silence.
    """

    message_size: int | None = None
    frame_size: int | None = None
    frame_messages: int | None = None
    json_depth: int | None = None
    channel_length: int | None = None
    channels: int | None = None
    calls: int | None = None
    messages_per_second: float | None = None
    message_burst: int | None = None

    @classmethod
    def of(cls, announced: Any) -> AnnouncedLimits | None:
        """
        :param announced: what a peer sent; fields that are unknown, or have a value that no
            limit can have, are ignored.
        :return: None where that is no object.
        """
        if not isinstance(announced, dict):
            return None
        return cls(**{name: announced[name] for name in _CHECKS if _possible(announced, name)})

    @property
    def burst(self) -> float | None:
        """Messages at once; where there is no such limit, those of a second."""
        if self.messages_per_second is None:
            return None
        return self.message_burst or max(1.0, self.messages_per_second)

    def check_message(self, payload: bytes) -> None:
        """
        Check that the server takes a message.

        :param payload: the whole message, encoded.
        :raises MessageTooLarge: if it is larger than the server takes, by itself, as the
            only one of a SockJS frame, or because each 64 KiB count as a message.
        :raises InvalidData: if it nests too deep.
        """
        size = len(payload)
        if self.message_size is not None and size > self.message_size:
            raise _too_large("a message", size, "message_size", self.message_size)
        most = self.frame_size
        if most is not None and 2 * size + 4 > most:  # else not even quotes alone would do
            size += payload.count(b'"') + payload.count(b"\\") + 4
            if size > most:
                raise _too_large("a SockJS frame", size, "frame_size", most)
        burst = self.burst
        if burst is not None and (2 * len(payload) + 4) >> SIZE_BITS > burst:
            cost = len(payload) + payload.count(b'"') + payload.count(b"\\") + 4 >> SIZE_BITS
            if cost > burst:
                raise MessageTooLarge(
                    f"a message of {len(payload)} bytes costs as much as {cost}:"
                    f" the server's limit message_burst is {burst:g}"
                )
        if self.json_depth is not None and nested_deeper_than(payload, self.json_depth):
            raise InvalidData(
                f"the message nests deeper than {self.json_depth} lists and objects,"
                " which is the server's limit json_depth"
            )

    def check_channel(self, channel: str) -> None:
        """
        Check that the server takes a channel's name.

        :raises InvalidChannel: if it is too long.
        """
        most = self.channel_length
        if most is not None and len(channel) * 4 > most and len(channel.encode()) > most:
            raise InvalidChannel(
                f"the channel {shorten(channel)!r} has {len(channel.encode())} bytes:"
                f" the server's limit channel_length is {most}"
            )


def _too_large(what: str, size: int, limit: str, most: int) -> MessageTooLarge:
    return MessageTooLarge(f"{what} of {size} bytes: the server's limit {limit} is {most}")


_CHECKS = {
    name: check_positive if name == "messages_per_second" else check_count
    for name in AnnouncedLimits.__struct_fields__
}


def _possible(announced: dict[str, Any], name: str) -> bool:
    return name in announced and _CHECKS[name].problem(announced[name]) is None
