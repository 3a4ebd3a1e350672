"""
token-sockjs for Twisted: RPC in both directions and publish/subscribe over SockJS.

- :class:`TokenSocket` is the client.
- :class:`txtokensock.server.TokenSocketServer` is the server.
- :mod:`txtokensock.sockjs` carries any Twisted protocol over SockJS.
- :mod:`txtokensock.testing` has servers in memory for your tests.
"""

from .client.backoff import Backoff
from .client.socket import TokenSocket
from .client.subscription import Subscription
from .client.timeouts import Timeouts
from .errors import (
    ActionError,
    AllHostsFailed,
    AttemptTimeout,
    AuthenticationAborted,
    AuthenticationError,
    AuthenticationRefused,
    CallTimeout,
    ClientClosed,
    ConnectFailed,
    ConnectionFailed,
    ConnectionLost,
    CredentialsUnavailable,
    Forbidden,
    FunctionNotFound,
    HandshakeRefused,
    InvalidAddress,
    InvalidChannel,
    InvalidData,
    InvalidOption,
    NetworkError,
    PeerError,
    PeerSilent,
    ProxyRefused,
    QueueFull,
    RemoteError,
    SockJSClosed,
    SockJSRefused,
    SubscriptionEnded,
    TLSFailed,
    TokenError,
    TokenInvalid,
    TokenRefused,
    TokenServerError,
    TokenSocketError,
    TokenUnreachable,
    UnsolicitedError,
    UsageError,
)
from .web.tls import TLSPolicy

__all__ = [
    "ActionError",
    "AllHostsFailed",
    "AttemptTimeout",
    "AuthenticationAborted",
    "AuthenticationError",
    "AuthenticationRefused",
    "Backoff",
    "CallTimeout",
    "ClientClosed",
    "ConnectFailed",
    "ConnectionFailed",
    "ConnectionLost",
    "CredentialsUnavailable",
    "Forbidden",
    "FunctionNotFound",
    "HandshakeRefused",
    "InvalidAddress",
    "InvalidChannel",
    "InvalidData",
    "InvalidOption",
    "NetworkError",
    "PeerError",
    "PeerSilent",
    "ProxyRefused",
    "QueueFull",
    "RemoteError",
    "SockJSClosed",
    "SockJSRefused",
    "Subscription",
    "SubscriptionEnded",
    "TLSFailed",
    "TLSPolicy",
    "Timeouts",
    "TokenError",
    "TokenInvalid",
    "TokenRefused",
    "TokenServerError",
    "TokenSocket",
    "TokenSocketError",
    "TokenUnreachable",
    "UnsolicitedError",
    "UsageError",
]
