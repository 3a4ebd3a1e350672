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
    "CLOSED_BY_APPLICATION",
    "IDENTITY_EXPIRED",
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

    def naming(self, limit: str, value: float) -> CloseCode:
        """The same with a reason that names the limit which was exceeded, and its value."""
        return CloseCode(self.code, f"{self.reason}: the limit {limit} is {value:.10g}")


NOT_AUTHENTICATED = CloseCode(4401, "Not authenticated")
"""The client sent something else before its ``auth`` was answered."""

AUTHENTICATION_REFUSED = CloseCode(4403, "Authentication refused")
"""The token is unknown, used or expired, or an ``authentication`` hook refused."""

AUTHENTICATION_TIMEOUT = CloseCode(4408, "Not authenticated in time")
"""The client did not authenticate within ``Limits.auth_timeout``."""

CLOSED_BY_APPLICATION = CloseCode(4410, "Closed by the application")
"""The application has closed all peers of an identity."""

MESSAGE_TOO_LARGE = CloseCode(4413, "Message too large")
"""
A message has more bytes than ``Limits.message_size``, and nothing in it says to which request an
answer would belong; otherwise it is answered with an error.
"""

NESTED_TOO_DEEP = CloseCode(4414, "JSON nested too deep")
"""The same for JSON that nests deeper than ``Limits.json_depth``."""

CHANNEL_NAME_TOO_LONG = CloseCode(4415, "Channel name too long")
"""How earlier servers closed for a channel's name that is too long, where they answer now."""

TOO_MANY_CHANNELS = CloseCode(4416, "Too many channels")
"""How earlier servers closed for channels that are too many, where they answer now."""

TOO_MANY_CALLS = CloseCode(4417, "Too many requests in flight")
"""How earlier servers closed for requests that are too many, where they answer now."""

TOO_MANY_PEERS = CloseCode(4418, "Too many connections from this address")
"""More clients of this address are connected than ``Limits.peers_per_address``."""

IDENTITY_EXPIRED = CloseCode(4419, "Identity expired")
"""
The time is over that ``expires`` of the identity says, and the client has sent no fresh token.
"""

TOO_MANY_MESSAGES = CloseCode(4429, "Too many messages per second")
"""The client exceeded ``Limits.messages_per_second`` and ``Limits.message_burst``."""

SHUTTING_DOWN = CloseCode(4503, "Server shutting down")
"""The server is stopping, or is not running."""

STORE_UNAVAILABLE = CloseCode(4504, "Store unavailable")
"""The store could not be reached to look the token up."""
