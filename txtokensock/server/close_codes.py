"""
The SockJS close codes with which the server closes a session, and their reasons.

node-token-sockjs closes with 1000 whatever happened, and the JavaScript clients ignore the
code; people who read logs do not.  Where HTTP has a status for the reason, the code is 4000
plus that status.  4001 and 4002 are those of :class:`~txtokensock.sockjs.SockJSResource`: a
client that reads too slowly, and a frame with too many messages.
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
"""The client sent something else before its ``auth`` was answered."""

AUTHENTICATION_REFUSED = CloseCode(4403, "Authentication refused")
"""The token is unknown, used or expired, or an ``authentication`` hook refused."""

AUTHENTICATION_TIMEOUT = CloseCode(4408, "Not authenticated in time")
"""The client did not authenticate within ``Limits.auth_timeout``."""

MESSAGE_TOO_LARGE = CloseCode(4413, "Message too large")
"""A message has more bytes than ``Limits.message_size``."""

NESTED_TOO_DEEP = CloseCode(4414, "JSON nested too deep")
"""The JSON of a message nests deeper than ``Limits.json_depth``."""

CHANNEL_NAME_TOO_LONG = CloseCode(4415, "Channel name too long")
"""A channel's name has more bytes than ``Limits.channel_length``."""

TOO_MANY_CHANNELS = CloseCode(4416, "Too many channels")
"""The client asked for more channels than ``Limits.channels``."""

TOO_MANY_CALLS = CloseCode(4417, "Too many requests in flight")
"""More of the client's requests are in flight than ``Limits.calls``."""

TOO_MANY_PEERS = CloseCode(4418, "Too many connections from this address")
"""More clients of this address are connected than ``Limits.peers_per_address``."""

TOO_MANY_MESSAGES = CloseCode(4429, "Too many messages per second")
"""The client exceeded ``Limits.messages_per_second`` and ``Limits.message_burst``."""

SHUTTING_DOWN = CloseCode(4503, "Server shutting down")
"""The server is stopping, or is not running."""

STORE_UNAVAILABLE = CloseCode(4504, "Store unavailable")
"""The store could not be reached to look the token up."""
