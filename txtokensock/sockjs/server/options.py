"""
What can be set about a SockJS server, checked once.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidOption
from ...support.checks import check_count, check_seconds
from ...web.server.origins import OriginPolicy

__all__ = ["ARRAY_TOO_LONG", "NO_HEARTBEAT", "TOO_SLOW", "Options"]

NO_HEARTBEAT = (3000, "No response from heartbeat")
"""The close of a WebSocket whose peer is dead; sockjs-node 0.3.24 says the same."""

TOO_SLOW = (4001, "Too much waits to be read")
"""The close of a session that crossed ``max_buffered``."""

ARRAY_TOO_LONG = (4002, "Too many messages in one frame")
"""The close of a session that crossed ``max_array_length``."""

_SECONDS = ("heartbeat", "heartbeat_timeout", "disconnect_delay", "close_timeout")
_COUNTS = ("response_limit", "max_message_size", "max_buffered")
_OPTIONAL_COUNTS = ("max_array_length", "max_sessions", "max_sessions_per_address")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    The options of :class:`~txtokensock.sockjs.server.resource.SockJSResource`, which
    documents them.

    :raises InvalidOption: for a value that cannot be.
    """

    websocket: bool
    raw_websocket: bool
    cookie_needed: bool
    sockjs_url: str
    heartbeat: float
    heartbeat_timeout: float
    disconnect_delay: float
    close_timeout: float
    response_limit: int
    max_message_size: int
    max_array_length: int | None
    max_buffered: int
    max_sessions: int | None
    max_sessions_per_address: int | None
    origins: OriginPolicy

    def __post_init__(self) -> None:
        for name in _SECONDS:
            check_seconds(name, getattr(self, name))
        for name in _COUNTS:
            check_count(name, getattr(self, name))
        for name in _OPTIONAL_COUNTS:
            check_count.optional(name, getattr(self, name))
        if not isinstance(self.sockjs_url, str) or not self.sockjs_url:
            raise InvalidOption(f"sockjs_url is {self.sockjs_url!r}: it must be a URL")
