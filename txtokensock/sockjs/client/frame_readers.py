"""
How frames are read from HTTP responses (no I/O).

Source: sockjs-protocol 0.3.3, sockjs-client 1.6.1; for event streams the HTML standard,
section 9.2.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from operator import methodcaller
from typing import Protocol

from ..frames import HEARTBEAT_FRAME, FrameError
from ..transport_names import Transport

__all__ = ["EVENTSOURCE", "XHR_POLLING", "XHR_STREAMING", "EventReader", "Framing", "LineReader"]


class FrameReader(Protocol):
    """Reads the frames of one response."""

    @property
    def complete(self) -> bool:
        """Whether the response may end here: no frame is incomplete."""

    def feed(self, data: bytes) -> list[bytes]:
        """
        :param data: more of the response, in pieces of any size.
        :return: the frames that are complete now.
        :raises FrameError: for a frame that is too large.
        """


class _Lines:
    """
    Cuts a stream into lines.

    :param limit: bytes of one frame.
    :param split: cuts bytes that do not end within a line end.
    :param around: bytes of a line besides its frame.
    """

    def __init__(self, limit: int, split: Callable[[bytes], list[bytes]], around: int = 0) -> None:
        self._limit = limit
        self._around = around
        self._split = split
        self._begun = bytearray()  # many short pieces would take much more memory in a list

    @property
    def complete(self) -> bool:
        return not self._begun

    def feed(self, data: bytes) -> list[bytes]:
        *lines, rest = self._split(data)
        if lines:
            lines[0] = bytes(self._begun) + lines[0]
            self._begun.clear()
        self._begun += rest
        longest = max(map(len, (self._begun, *lines)))
        if longest > self._limit + self._around:
            raise FrameError(f"a frame of more than max_message_size={self._limit} bytes")
        return lines


class LineReader:
    """
    Reads the responses of xhr: each line is a frame.

    :param limit: bytes of one frame.
    """

    def __init__(self, limit: int) -> None:
        self._lines = _Lines(limit, _split_at_line_feeds)

    @property
    def complete(self) -> bool:
        return self._lines.complete

    def feed(self, data: bytes) -> list[bytes]:
        return [_without_padding(line) for line in self._lines.feed(data) if line]


_split_at_line_feeds = methodcaller("split", b"\n")


def _without_padding(line: bytes) -> bytes:
    """A streaming response begins with a line of 2048 ``h``, for old browsers."""
    return line if line.strip(b"h") else HEARTBEAT_FRAME


_LINE_END = re.compile(rb"\r\n|\r|\n")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_FIELD = b"data: "
_ESCAPE = re.compile(rb"%[0-9A-Fa-f]{2}")
_RESERVED = frozenset(b";/?:@&=+$,#")


class EventReader:
    """
    Reads an event stream: each event is a frame.

    :param limit: bytes of one frame with its escapes.
    """

    def __init__(self, limit: int) -> None:
        self._lines = _Lines(limit, _LINE_END.split, around=len(_FIELD))
        self._after_cr = False
        self._started = False
        self._data: bytes | None = None
        self._type = b""

    @property
    def complete(self) -> bool:
        return self._lines.complete and self._data is None

    def feed(self, data: bytes) -> list[bytes]:
        if not data:
            return []
        if self._after_cr and data.startswith(b"\n"):
            data = data[1:]
        self._after_cr = data.endswith(b"\r")
        frames = []
        for line in self._lines.feed(data):
            if not self._started:
                self._started = True
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if line:
                self._field(line)
            else:
                frames += self._event()
        return frames

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            if self._data is not None:  # no server writes JSON with line breaks
                raise FrameError("a frame of several lines")
            self._data = value
        elif name == b"event":
            self._type = value

    def _event(self) -> list[bytes]:
        data, self._data = self._data, None
        kind, self._type = self._type, b""
        if not data or kind not in (b"", b"message"):
            return []
        return [_unescape(data)]


def _unescape(frame: bytes) -> bytes:
    """Undo escapes as decodeURI of JavaScript does: servers escape line breaks and ``%``."""
    return _ESCAPE.sub(_unescape_one, frame) if b"%" in frame else frame


def _unescape_one(escape: re.Match[bytes]) -> bytes:
    byte = int(escape.group()[1:], 16)
    return escape.group() if byte in _RESERVED else bytes([byte])


@dataclass(frozen=True, slots=True)
class Framing:
    """
    How one transport requests and reads frames.

    :ivar name: of the transport.
    :ivar method: of the request.
    :ivar page: the last part of its URL.
    :ivar content_type: that a response must have, or None for any: servers do not agree.
    :ivar reader: makes what reads one response, given the bytes of its largest frame.
    """

    name: Transport
    method: str
    page: str
    content_type: str | None
    reader: Callable[[int], FrameReader]


XHR_STREAMING = Framing("xhr-streaming", "POST", "xhr_streaming", None, LineReader)
XHR_POLLING = Framing("xhr-polling", "POST", "xhr", None, LineReader)
EVENTSOURCE = Framing("eventsource", "GET", "eventsource", "text/event-stream", EventReader)
