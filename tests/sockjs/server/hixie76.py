"""
The client's end of a WebSocket of draft-hixie-thewebsocketprotocol-76.
"""

from __future__ import annotations

from .http import Connection
from .support import Server

KEYS = {"Sec-WebSocket-Key1": "4 @1  46546xW%0l 1 5", "Sec-WebSocket-Key2": "12998 5 Y3 1  .P00"}
BODY = b"^n:ds[4U"
ANSWER = b"8jKS'y:G*Co,Wxa-"
"""The example of section 1.3 of the draft; sockjs-protocol has the same keys."""

CLOSE = b"\xff\x00"


def upgrade(
    server: Server, path: str = "/0/a/websocket", body: bytes = b"", **headers: str | None
) -> Connection:
    """A client that sent its headers, and perhaps its body."""
    wanted: dict[str, str | None] = {
        "Upgrade": "WebSocket",
        "Connection": "Upgrade",
        "Origin": "http://example.com",
        **KEYS,
    }
    wanted.update({name.replace("_", "-"): value for name, value in headers.items()})
    lines = [f"{name}: {value}" for name, value in wanted.items() if value is not None]
    if "Host" not in wanted:
        lines.append("Host: example.com")
    connection = server.connect()
    head = "\r\n".join([f"GET /echo{path} HTTP/1.1", *lines, "", ""])
    connection.send(head.encode("latin-1") + body)
    return connection


def opened(server: Server, path: str = "/0/a/websocket") -> Connection:
    """A client whose WebSocket is open; what came until then is taken."""
    connection = upgrade(server, path, b"aaaaaaaa")
    connection.take()
    return connection


def text(message: str) -> bytes:
    """A frame."""
    return b"\x00" + message.encode() + b"\xff"
