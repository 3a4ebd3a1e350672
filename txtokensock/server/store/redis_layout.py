"""
Names of keys and channels in Redis, and the messages that servers exchange there (no I/O).
"""

from __future__ import annotations

import re
from typing import Protocol

from msgspec import Struct

from ...errors import InvalidOption
from ...jsontext import Decoder, Malformed, dumps, loads

__all__ = [
    "Layout",
    "NamespaceLayout",
    "SharedLayout",
    "encode_unsubscribe_all",
    "unsubscribe_all_channel",
]


class Layout(Protocol):
    """
    How tokens, channels and messages are named and written in Redis.

    :ivar all: the Redis channel of broadcasts.
    :ivar sync: the Redis channel on which servers tell each other what to do.
    """

    all: bytes
    sync: bytes

    def key(self, token: str) -> bytes:
        """The key of a token."""

    def channel(self, name: str) -> bytes:
        """The Redis channel of a channel."""

    def name(self, channel: bytes) -> str:
        """The channel of a Redis channel that :meth:`channel` gave."""

    def refuses(self, name: str) -> bool:
        """Whether the channel's name is one that clients may not use."""

    def published(self, message: bytes) -> bytes:
        """The payload in which a message, in JSON, is published."""

    def received(self, payload: bytes) -> bytes:
        """The JSON of a payload, which any client of that Redis may have sent."""


class SharedLayout:
    """
    node-token-sockjs's layout, so that its servers and ours are one cluster: tokens and
    channels are keys and channels of the same name, and text travels without its quotes.
    """

    all = b"___all___"
    sync = b"___sync___"

    def key(self, token: str) -> bytes:
        return token.encode()

    def channel(self, name: str) -> bytes:
        return name.encode()

    def name(self, channel: bytes) -> str:
        return channel.decode()

    def refuses(self, name: str) -> bool:
        # Redis and its sentinels speak on these; with keyspace notifications on, a
        # listener would be told every token that is issued.
        return name.startswith(("__keyevent@", "__keyspace@", "__redis__:", "__sentinel__:"))

    def published(self, message: bytes) -> bytes:
        # As node-token-sockjs does it: text that looks like JSON arrives as that JSON.
        return loads(message).encode() if message.startswith(b'"') else message

    def received(self, payload: bytes) -> bytes:
        return _json(payload)


_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]+")


class NamespaceLayout:
    """
    Everything below a prefix of our own, where no Node server shares the Redis: no client
    can name a channel outside it, and text stays text.

    :param namespace: letters, digits and ``_.:-``.
    :raises InvalidOption: for anything else.
    """

    def __init__(self, namespace: str) -> None:
        if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
            raise InvalidOption(f"namespace is {namespace!r}: use letters, digits and _.:-")
        self._keys = f"{namespace}:token:".encode()
        self._channels = f"{namespace}:channel:".encode()
        self.all = f"{namespace}:all".encode()
        self.sync = f"{namespace}:sync".encode()

    def key(self, token: str) -> bytes:
        return self._keys + token.encode()

    def channel(self, name: str) -> bytes:
        return self._channels + name.encode()

    def name(self, channel: bytes) -> str:
        return channel.removeprefix(self._channels).decode()

    def refuses(self, name: str) -> bool:
        return False

    def published(self, message: bytes) -> bytes:
        return message

    def received(self, payload: bytes) -> bytes:
        return _json(payload)


def _json(payload: bytes) -> bytes:
    try:
        loads(payload)
    except Malformed:
        return dumps(payload.decode("utf-8", "replace"))
    return payload


class _Channel(Struct):
    channel: str


class _Command(Struct):
    command: str
    data: _Channel


_decode_command = Decoder(_Command)


def encode_unsubscribe_all(channel: str) -> bytes:
    """The message on ``sync`` that unsubscribes all peers from a channel."""
    return dumps(_Command("unsubscribeAll", _Channel(channel)))


def unsubscribe_all_channel(payload: bytes) -> str | None:
    """
    :param payload: what came on ``sync``.
    :return: the channel that is to be unsubscribed, None if it says anything else.
    """
    try:
        command = _decode_command(payload)
    except Malformed:
        return None
    return command.data.channel if command.command == "unsubscribeAll" else None
