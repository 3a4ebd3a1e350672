"""
Every fault, by its name and by where it can happen.
"""

from __future__ import annotations

from typing import Any

from .breaking import BREAKING, CONNECTING
from .closing import CLOSING
from .functions import FUNCTIONS
from .nonsense_frames import FRAMES, STREAM, WEBSOCKET
from .nonsense_http import HTTP
from .nonsense_messages import MESSAGES
from .poison import POISON, REQUESTS

__all__ = ["KINDS"]

KINDS: dict[str, dict[str, Any]] = {
    "TCP": CONNECTING,
    "connection": BREAKING,
    "HTTP": HTTP,
    "frames": FRAMES,
    "WebSocket": WEBSOCKET,
    "stream": STREAM,
    "messages": MESSAGES,
    "closing": CLOSING,
    "poison": POISON,
    "functions": FUNCTIONS,
    "requests": REQUESTS,
}
"""
The kinds of faults: of making a connection; of the connection, whatever it carries; of HTTP,
where a response is due; of SockJS frames; of the WebSocket; of streaming responses; of
token-sockjs messages; of a close, in whatever time it takes; of calls that the peer cannot take.

The last two are the user's: functions that raise, and requests that no server takes.
"""
