"""
Names of keys and channels in Redis, and the messages that servers exchange there (no I/O).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from msgspec import Raw, Struct

from ...errors import InvalidOption
from ...jsontext import Malformed, decoder, dumps, loads

__all__ = [
    "Answer",
    "Layout",
    "NamespaceLayout",
    "Question",
    "SharedLayout",
    "UnsubscribeAll",
    "decode_answer",
    "decode_command",
    "encode_unsubscribe_all",
]


class Layout:
    """
    How tokens, channels and messages are named and written in Redis.

    :ivar all: the Redis channel of broadcasts.
    :ivar sync: the Redis channel on which servers tell each other what to do.
    """

    all: bytes
    sync: bytes
    _keys = _channels = b""
    _answers: bytes | None = None

    def key(self, token: str) -> bytes:
        """The key of a token."""
        return self._keys + token.encode()

    def channel(self, name: str) -> bytes:
        """The Redis channel of a channel."""
        return self._channels + name.encode()

    def name(self, channel: bytes) -> str:
        """The channel of a Redis channel that :meth:`channel` gave."""
        return channel.removeprefix(self._channels).decode()

    def answers(self, server: str) -> bytes | None:
        """
        The Redis channel on which a server hears the answers to what it asked; None where
        clients can publish on those of servers.
        """
        return None if self._answers is None else self._answers + server.encode()

    def refuses(self, name: str) -> bool:
        """Whether the channel's name is one that clients may not use."""
        return False

    def published(self, message: bytes) -> bytes:
        """The payload in which a message, in JSON, is published."""
        return message

    def received(self, payload: bytes) -> bytes:
        """The JSON of a payload, which any client of that Redis may have sent."""
        try:
            loads(payload)
        except Malformed:
            return dumps(payload.decode("utf-8", "replace"))
        return payload


class SharedLayout(Layout):
    """
    node-token-sockjs's layout, so that its servers and ours are one cluster: tokens and
    channels are keys and channels of the same name, and text travels without its quotes.
    """

    all = b"___all___"
    sync = b"___sync___"

    def refuses(self, name: str) -> bool:
        # Redis and its sentinels speak on these; with keyspace notifications on, a
        # listener would be told every token that is issued.
        return name.startswith(("__keyevent@", "__keyspace@", "__redis__:", "__sentinel__:"))

    def published(self, message: bytes) -> bytes:
        # As node-token-sockjs does it: text that looks like JSON arrives as that JSON.
        return loads(message).encode() if message.startswith(b'"') else message


_NAMESPACE = re.compile(r"[A-Za-z0-9_.:-]+")

_INSIDE_ANOTHER = re.compile(r"(.+):channel(:.*)?")
"""Clients of the namespace before ``:channel`` could name what servers of this one listen to."""


class NamespaceLayout(Layout):
    """
    Everything below a prefix of our own, where no Node server shares the Redis: no client
    can name a channel outside it, and text stays text.

    :param namespace: letters, digits and ``_.:-``.
    :raises InvalidOption: for anything else, and for one among the channels of another.
    """

    def __init__(self, namespace: str) -> None:
        if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
            raise InvalidOption(f"namespace is {namespace!r}: use letters, digits and _.:-")
        if outer := _INSIDE_ANOTHER.fullmatch(namespace):
            text = f"clients of the namespace {outer[1]!r} could act as its servers"
            raise InvalidOption(
                f"namespace is {namespace!r}: {text}; use another word than channel"
            )
        self._keys = f"{namespace}:token:".encode()
        self._channels = f"{namespace}:channel:".encode()
        self._answers = f"{namespace}:answers:".encode()
        self.all = f"{namespace}:all".encode()
        self.sync = f"{namespace}:sync".encode()


class _Channel(Struct):
    channel: str


class UnsubscribeAll(Struct, tag_field="command", tag="unsubscribeAll"):
    """On ``sync``: unsubscribe all peers from a channel, as node-token-sockjs has it."""

    data: _Channel


class Question(Struct, tag_field="command", tag="ask"):
    """
    On ``sync``: servers of ours are asked something.

    :ivar id: repeated in the answers.
    :ivar server: which is to hear them.
    :ivar question: for :meth:`IStoreListener.answer`.
    """

    id: int
    server: str
    question: Raw


class Answer(Struct):
    """
    On the channel of a server that has asked: a part of an answer.

    :ivar id: of the question.
    :ivar last: whether the answer ends.
    :ivar part: see :meth:`IStoreLink.ask_servers`.
    """

    id: int
    last: bool
    part: Raw


Command: TypeAlias = UnsubscribeAll | Question

_decode_command: Callable[[bytes], Command] = decoder(Command)  # type: ignore[arg-type]
_decode_answer = decoder(Answer)


def encode_unsubscribe_all(channel: str) -> bytes:
    """The message on ``sync`` that unsubscribes all peers from a channel."""
    return dumps(UnsubscribeAll(_Channel(channel)))


def decode_command(payload: bytes) -> Command | None:
    """
    :param payload: what came on ``sync``.
    :return: what is to be done, None if it says anything else.
    """
    try:
        return _decode_command(payload)
    except Malformed:
        return None


def decode_answer(payload: bytes) -> Answer | None:
    """
    :param payload: what came on the channel of a server that has asked.
    :return: a part of an answer, None if it is none.
    """
    try:
        return _decode_answer(payload)
    except Malformed:
        return None
