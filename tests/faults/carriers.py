"""
How frames leave an honest peer, on each of the five transports.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

from tests.kit.http import LAST_CHUNK, chunk, head, response
from txtokensock.testing.rfc6455 import CLOSE, PING, encode_frame

from .output import Output

__all__ = ["RECEIVERS", "Carrier", "EventSource", "Poll", "Stream", "WebSocket"]

_SCRIPT = "application/javascript; charset=UTF-8"


class Carrier:
    """
    What frames leave by: a WebSocket, or one response.

    :param out: its connection.
    :param persistent: whether the connection is used again after the response.
    :ivar single: whether it carries one frame only.
    :ivar framed: whether what it carries are SockJS frames.
    :ivar websocket: whether it is one.
    :ivar sent: bytes so far.
    """

    single = False
    framed = True
    websocket = False

    def __init__(self, out: Output, *, persistent: bool = True) -> None:
        self.out = out
        self.persistent = persistent
        self.sent = 0

    def head(self) -> bytes:
        """The beginning of the response."""
        raise NotImplementedError

    def frame(self, payload: bytes) -> bytes:
        """The bytes for one frame, which may be any."""
        raise NotImplementedError

    def texts(self, texts: Sequence[str]) -> bytes:
        """The bytes for messages, which may be any text."""
        return self.frame(b"a" + json.dumps(texts).encode())

    def opening(self) -> bytes:
        """The bytes that open a session."""
        return self.frame(b"o")

    def heartbeat(self) -> bytes:
        """The bytes of a sign of life."""
        return self.frame(b"h")

    def closing(self, code: int, reason: str) -> bytes:
        """The bytes that close it."""
        return self.frame(b"c" + json.dumps([code, reason]).encode())

    def finish(self) -> None:
        """The response is over."""
        if not self.persistent:
            self.out.close()


class WebSocket(Carrier):
    """
    :param accept: the value of ``Sec-WebSocket-Accept``.
    :param framed: False for the raw WebSocket.
    """

    websocket = True

    def __init__(self, out: Output, accept: str, *, framed: bool) -> None:
        super().__init__(out)
        self._accept = accept
        self.framed = framed

    def head(self) -> bytes:
        return head(
            101,
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {self._accept}",
        )

    def frame(self, payload: bytes) -> bytes:
        return encode_frame(payload)

    def texts(self, texts: Sequence[str]) -> bytes:
        if self.framed:
            return super().texts(texts)
        return b"".join(encode_frame(text.encode()) for text in texts)

    def opening(self) -> bytes:
        return super().opening() if self.framed else b""

    def heartbeat(self) -> bytes:
        return super().heartbeat() if self.framed else encode_frame(b"", PING)

    def closing(self, code: int, reason: str) -> bytes:
        if self.framed:
            return super().closing(code, reason) + close_frame(1000)
        return close_frame(code, reason)

    def finish(self) -> None:
        """A WebSocket ends otherwise."""


class Stream(Carrier):
    """A response with frames until it is long enough."""

    kind = _SCRIPT
    prelude = b"h" * 2048 + b"\n"

    def head(self) -> bytes:
        return head(200, f"Content-Type: {self.kind}", "Transfer-Encoding: chunked") + chunk(
            self.prelude
        )

    def frame(self, payload: bytes) -> bytes:
        return chunk(payload + b"\n")

    def finish(self) -> None:
        self.out.write(LAST_CHUNK)
        super().finish()


class EventSource(Stream):
    """The same as server-sent events."""

    kind = "text/event-stream"
    prelude = b"\r\n"

    def frame(self, payload: bytes) -> bytes:
        return chunk(b"data: " + payload.replace(b"%", b"%25") + b"\r\n\r\n")


class Poll(Carrier):
    """
    A response with one frame.

    :param begun: whether its head was sent, with no length, as for the first of a session.
    """

    single = True

    def __init__(self, out: Output, *, persistent: bool = True, begun: bool = False) -> None:
        super().__init__(out, persistent=persistent)
        self.begun = begun

    def head(self) -> bytes:
        return head(200, f"Content-Type: {_SCRIPT}", "Transfer-Encoding: chunked")

    def frame(self, payload: bytes) -> bytes:
        if self.begun:
            return chunk(payload + b"\n") + LAST_CHUNK
        return response(200, payload + b"\n", kind=_SCRIPT)


RECEIVERS: dict[str, type[Carrier]] = {
    "xhr_streaming": Stream,
    "eventsource": EventSource,
    "xhr": Poll,
}
"""By the last part of the URL."""


def close_frame(code: int, reason: str = "") -> bytes:
    """A WebSocket's close."""
    return encode_frame(struct.pack("!H", code) + reason.encode(), CLOSE)
