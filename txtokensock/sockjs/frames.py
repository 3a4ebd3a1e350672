"""
SockJS frames, both directions (no I/O).

The server sends one of ``o`` (open), ``h`` (heartbeat), ``a["text",...]``
(messages), ``m"text"`` (one message) and ``c[code,"reason"]`` (close).  The client
sends ``["text",...]``, or a bare ``"text"``, which servers accept as well.

Source: sockjs-protocol 0.3.3; sockjs-client 1.6.1 for ``m``; sockjs-node 0.3.24 for
the bare text and for ignoring empty frames.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from ..errors import InvalidData, InvalidOption, shorten
from ..jsontext import Malformed, decoder

__all__ = [
    "ARRAY_TOO_LONG",
    "GO_AWAY",
    "HEARTBEAT_FRAME",
    "INTERRUPTED",
    "NORMAL_CLOSURE",
    "NO_HEARTBEAT",
    "OPEN_FRAME",
    "STILL_OPEN",
    "TOO_SLOW",
    "Close",
    "FrameError",
    "Heartbeat",
    "Messages",
    "Open",
    "ServerFrame",
    "check_close",
    "check_close_reason",
    "decode_client_frame",
    "decode_client_frames",
    "decode_server_frame",
    "encode_client_frame",
    "encode_close_frame",
    "encode_server_frame",
    "encode_texts",
    "escape_frame",
    "is_utf8",
    "largest_frame",
]

OPEN_FRAME = b"o"
HEARTBEAT_FRAME = b"h"

# The codes with which a session is closed, and their reasons, as sockjs-node 0.3.24 has them
# but for 4001 and 4002.
NORMAL_CLOSURE = (1000, "Normal closure")
INTERRUPTED = (1002, "Connection interrupted")
STILL_OPEN = (2010, "Another connection still open")
GO_AWAY = (3000, "Go away!")
NO_HEARTBEAT = (3000, "No response from heartbeat")
"""How the WebSocket of a dead peer is closed."""
TOO_SLOW = (4001, "Too much waits to be read")
"""How a session is closed that exceeded ``max_buffered``."""
ARRAY_TOO_LONG = (4002, "Too many messages in one frame")
"""How a session is closed that exceeded ``max_array_length``."""


class FrameError(ValueError):
    """A peer sent something that is not a SockJS frame; the message says what it was."""


@dataclass(frozen=True, slots=True)
class Open:
    """``o``: the session is open."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """``h``: the session is alive."""


@dataclass(frozen=True, slots=True)
class Messages:
    """
    ``a`` or ``m``: messages, in order.

    :ivar messages: each in UTF-8.
    """

    messages: list[bytes]


@dataclass(frozen=True, slots=True)
class Close:
    """``c``: the session is closed."""

    code: int
    reason: str


ServerFrame: TypeAlias = Open | Heartbeat | Messages | Close

_OPEN = Open()
_HEARTBEAT = Heartbeat()

_decode_texts = decoder(list[str])
_decode_text = decoder(str)
_decode_close = decoder(tuple[int, str])


def decode_server_frame(frame: bytes) -> ServerFrame | None:
    """
    :param frame: what one WebSocket message, or one line of an xhr stream, holds.
    :return: None for an empty frame, which is ignored.
    :raises FrameError: if it is not a valid frame.
    """
    kind, body = frame[:1], frame[1:]
    try:
        if kind == b"a":
            messages: list[bytes] = []
            decode_messages(frame, messages)
            return Messages(messages)
        if kind == b"m":
            return Messages([_decode_text(body).encode()])
        if kind == b"c":
            return Close(*_decode_close(body))
    except Malformed as problem:
        raise FrameError(f"a broken {kind.decode()!r} frame: {problem}") from None
    if frame == OPEN_FRAME:
        return _OPEN
    if frame == HEARTBEAT_FRAME:
        return _HEARTBEAT
    if not frame:
        return None
    raise FrameError(f"an unknown frame: {shorten(repr(frame[:40]))}")


def decode_messages(frame: bytes, messages: list[bytes]) -> None:
    """
    :param frame: one that begins with ``a``, as a server's frames mostly do.
    :param messages: gets those of the frame, each in UTF-8.
    :raises FrameError: if it is not a valid frame; then it gets none.
    """
    try:
        texts = _decode_texts(frame[1:])
    except Malformed as problem:
        raise FrameError(f"a broken 'a' frame: {problem}") from None
    for text in texts:
        messages.append(text.encode())


def decode_client_frame(frame: bytes) -> list[bytes]:
    """
    :param frame: what one WebSocket message, or the body of one xhr_send, holds.
    :return: its messages, each in UTF-8.  A text in the list is its own content; any
        other JSON value in a list is refused.
    :raises FrameError: if it is not a valid frame; an empty one is not.
    """
    try:
        if frame[:1] == b'"':
            return [_decode_text(frame).encode()]
        return [text.encode() for text in _decode_texts(frame)]
    except Malformed as problem:
        raise FrameError(f"broken framing: {problem}") from None


def decode_client_frames(frames: list[bytes]) -> list[list[bytes]]:
    """
    Decode what came in together, in one go.

    :return: what :func:`decode_client_frame` makes of each frame.
    :raises FrameError: if one is not valid.
    """
    lists = _decode_lists(frames) if len(frames) > 1 else None
    if lists is None:
        return [decode_client_frame(frame) for frame in frames]
    return [[text.encode() for text in texts] for texts in lists]


_decode_lines = msgspec.json.Decoder(list[str]).decode_lines


def _decode_lists(lists: list[bytes]) -> list[list[str]] | None:
    """
    Decode lists of texts, one a line, which takes half as long as one by one.

    msgspec goes by the values, not by the lines.  Where every line begins with a bracket and ends
    with one, no two can be one value, for a comma would be missing: as many values as lines are
    one in each.

    :return: None if they are not all such lists, without a line break.
    """
    others = len(lists) - 1
    text = b"\n".join(lists)
    if text.count(b"\n") != others or text.count(b"]\n[") != others:
        return None
    if not (text.startswith(b"[") and text.endswith(b"]")):
        return None
    try:
        decoded = _decode_lines(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    return decoded if len(decoded) == len(lists) else None


def encode_client_frame(messages: Sequence[bytes]) -> bytes:
    """
    Encode a client's frame, ``["text",...]``.

    :param messages: each in UTF-8.
    :raises InvalidData: if one is not UTF-8.
    """
    return msgspec.json.encode(_texts(messages))


def encode_texts(messages: Sequence[bytes]) -> list[bytes]:
    """
    Encode the texts of a client's frame, without the brackets and commas around them.

    :param messages: each in UTF-8.
    :raises InvalidData: if one is not UTF-8.
    """
    return [msgspec.json.encode(text) for text in _texts(messages)]


def largest_frame(messages: int, size: int) -> int:
    """
    :param size: bytes of so many messages together.
    :return: bytes that a client's frame of them has at most: each byte may need a backslash in
        front, each message has quotes and a comma, and all have brackets.
    """
    return 2 * size + 3 * messages + 2


def _texts(messages: Sequence[bytes]) -> list[str]:
    try:
        return [message.decode() for message in messages]
    except UnicodeDecodeError:
        raise InvalidData("a SockJS message must be text in UTF-8") from None


def encode_server_frame(messages: Sequence[bytes]) -> bytes:
    """
    Encode a server's frame with messages, ``a["text",...]``.

    :param messages: each in UTF-8.
    :raises InvalidData: if one is not UTF-8.
    """
    return b"a" + encode_client_frame(messages)


# U+200C to U+200F, U+2028 to U+202F, U+2060 to U+206F and U+FFF0 to U+FFFF in UTF-8.
_MANGLED = re.compile(rb"\xe2\x80[\x8c-\x8f\xa8-\xaf]|\xe2\x81[\xa0-\xaf]|\xef\xbf[\xb0-\xbf]")

_MOST_ESCAPES = 1000
"""
Where there are more, everything that is not ASCII is escaped, which takes no function call for
each: for a megabyte of them that would be a quarter of a second.
"""


def escape_frame(frame: bytes) -> bytes:
    """
    Escape the characters that browsers change in HTTP responses: those of
    ``escapable_by_server`` in sockjs-protocol 0.3.3.

    :param frame: of a server.
    """
    if b"\xe2" not in frame and b"\xef" not in frame:
        return frame
    escaped, count = _MANGLED.subn(_escape, frame, _MOST_ESCAPES)
    if count < _MOST_ESCAPES:
        return escaped
    return frame[:1] + json.dumps(json.loads(frame[1:]), separators=(",", ":")).encode()


def _escape(match: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(match.group().decode())


def encode_close_frame(code: int, reason: str) -> bytes:
    """Encode the frame that closes a session, ``c[code,"reason"]``."""
    return b"c" + msgspec.json.encode((code, reason))


def check_close(code: int, reason: str) -> None:
    """
    Check that a WebSocket can be closed with this code and reason: RFC 6455, sections 5.5
    and 7.4.

    :raises InvalidOption: unless the code is 1000 or 3000 to 4999, and the reason text of at
        most 123 bytes in UTF-8.
    """
    if not isinstance(code, int) or (code != 1000 and not 3000 <= code <= 4999):
        raise InvalidOption(f"the close code is {code!r}: it must be 1000 or 3000 to 4999")
    check_close_reason(reason)


def check_close_reason(reason: str) -> bytes:
    """
    :return: the reason as it is sent.
    :raises InvalidOption: unless it is text of at most 123 bytes in UTF-8.
    """
    if not isinstance(reason, str):
        raise InvalidOption(f"the close reason is {reason!r}: it must be text")
    try:
        encoded = reason.encode()
    except UnicodeEncodeError:
        raise InvalidOption("the close reason holds half of a surrogate pair") from None
    if len(encoded) > 123:
        raise InvalidOption("the close reason must be at most 123 bytes in UTF-8")
    return encoded


def is_utf8(data: bytes) -> bool:
    """Whether the bytes are text in UTF-8, which messages and frames must be."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
