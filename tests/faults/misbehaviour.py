"""
Every fault, by its name and by where it can happen.
"""

from __future__ import annotations

from .breaking import BREAKING, CONNECTING
from .nonsense_frames import FRAMES, STREAM, WEBSOCKET
from .nonsense_http import HTTP
from .nonsense_messages import MESSAGES
from .scene import Fault

__all__ = ["KINDS"]

KINDS: dict[str, dict[str, Fault]] = {
    "TCP": CONNECTING,
    "connection": BREAKING,
    "HTTP": HTTP,
    "frames": FRAMES,
    "WebSocket": WEBSOCKET,
    "stream": STREAM,
    "messages": MESSAGES,
}
"""
The kinds of faults: of making a connection; of the connection, whatever it carries; of HTTP,
where a response is due; of SockJS frames; of the WebSocket; of streaming responses; of
token-sockjs messages.
"""
