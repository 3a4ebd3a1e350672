"""
token-sockjs messages, as typed values (no I/O).

:mod:`.from_client` holds what a client sends, :mod:`.from_server` what a server
sends; each has the types, their encoding and their decoding, so that the two sides
cannot disagree.

Source of every shape: node-token-sockjs 2.1.11 and 3.1.0, token-sockjs-client 3.1.3,
see ``docs/protocol.rst``.
"""

__all__ = ["RESERVED_CHANNELS", "check_channel"]

from ..errors import InvalidChannel

RESERVED_CHANNELS = frozenset({"__all__", "___all___", "___sync___"})
"""
Channels that servers use among themselves: a client that could subscribe or
publish to one would hear or disturb everybody.
"""


def check_channel(channel: object) -> str:
    """
    :return: ``channel``, where it is one that a client may name.
    :raises InvalidChannel: for anything but non-empty text that can be sent and is not
        reserved.
    """
    if not isinstance(channel, str):
        raise InvalidChannel(f"a channel must be text, not {type(channel).__name__}")
    if not channel:
        # JavaScript servers acknowledge it, and its messages never arrive.
        raise InvalidChannel("a channel must not be empty")
    if channel in RESERVED_CHANNELS:
        raise InvalidChannel(f"the channel {channel!r} is reserved by the servers")
    try:
        channel.encode()
    except UnicodeEncodeError:
        raise InvalidChannel(f"the channel {channel!r} holds half of a surrogate pair") from None
    return channel
