"""
Why this server closes a session: SockJS close codes and their reasons.

node-token-sockjs closes with 1000 whatever happened (S28), and the JavaScript clients
do not look at the code; people who read logs do.  The hundreds are HTTP's, where HTTP
has a word for it.  4001 and 4002 are the SockJS server's own, for a reader that is too
slow and for a frame of too many messages.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "AUTHENTICATION_REFUSED",
    "AUTHENTICATION_TIMEOUT",
    "CHANNEL_NAME_TOO_LONG",
    "MESSAGE_TOO_LARGE",
    "NESTED_TOO_DEEP",
    "NOT_AUTHENTICATED",
    "SHUTTING_DOWN",
    "STORE_UNAVAILABLE",
    "TOO_MANY_CALLS",
    "TOO_MANY_CHANNELS",
    "TOO_MANY_MESSAGES",
    "TOO_MANY_PEERS",
    "CloseCode",
]


class CloseCode(NamedTuple):
    """A close code and the reason that goes with it."""

    code: int
    reason: str


NOT_AUTHENTICATED = CloseCode(4401, "Not authenticated")
"""Something else was sent where ``auth``, and its answer, must come first."""

AUTHENTICATION_REFUSED = CloseCode(4403, "Authentication refused")
"""The token is unknown, used or too old, or an ``authentication`` hook said no."""

AUTHENTICATION_TIMEOUT = CloseCode(4408, "Not authenticated in time")
"""``Limits.auth_timeout`` passed."""

MESSAGE_TOO_LARGE = CloseCode(4413, "Message too large")
"""``Limits.message_size``."""

NESTED_TOO_DEEP = CloseCode(4414, "JSON nested too deep")
"""``Limits.json_depth``."""

CHANNEL_NAME_TOO_LONG = CloseCode(4415, "Channel name too long")
"""``Limits.channel_length``."""

TOO_MANY_CHANNELS = CloseCode(4416, "Too many channels")
"""``Limits.channels``."""

TOO_MANY_CALLS = CloseCode(4417, "Too many requests in flight")
"""``Limits.calls``."""

TOO_MANY_PEERS = CloseCode(4418, "Too many connections from this address")
"""``Limits.peers_per_address``."""

TOO_MANY_MESSAGES = CloseCode(4429, "Too many messages per second")
"""``Limits.messages_per_second`` and ``Limits.message_burst``."""

SHUTTING_DOWN = CloseCode(4503, "Server shutting down")
"""The service stops, or is not running."""

STORE_UNAVAILABLE = CloseCode(4504, "Store unavailable")
"""The token could not be looked up."""
