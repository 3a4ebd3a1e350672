"""
token-sockjs for Twisted: RPC in both directions and publish/subscribe over SockJS.

- :class:`TokenSocket` is the client.
- :class:`txtokensock.server.TokenSocketServer` is the server.
- :mod:`txtokensock.sockjs` carries any Twisted protocol over SockJS.
- :mod:`txtokensock.testing` has servers in memory for your tests.
"""

from typing import TYPE_CHECKING

from .support.lazy_exports import lazy_exports
from .version import __version__ as __version__

__all__ = [
    "ActionError",
    "AllHostsFailed",
    "AllTransportsFailed",
    "AnnouncedLimits",
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
    "Gap",
    "HandshakeRefused",
    "InvalidAddress",
    "InvalidChannel",
    "InvalidData",
    "InvalidOption",
    "MessageTooLarge",
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
    "UnexpectedData",
    "UnsolicitedError",
    "UsageError",
]

# An import of one of these loads it and what it needs, and nothing else.
if TYPE_CHECKING:
    from .client.gap import Gap
    from .client.socket import TokenSocket
    from .client.subscription import Subscription
    from .errors import (
        ActionError,
        AllHostsFailed,
        AllTransportsFailed,
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
        MessageTooLarge,
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
        UnexpectedData,
        UnsolicitedError,
        UsageError,
    )
    from .messages.announced_limits import AnnouncedLimits
    from .support.backoff import Backoff
    from .support.timeouts import Timeouts
    from .web.tls.policy import TLSPolicy
else:
    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            **dict.fromkeys(__all__, ".errors"),
            "AnnouncedLimits": ".messages.announced_limits",
            "Backoff": ".support.backoff",
            "Gap": ".client.gap",
            "Subscription": ".client.subscription",
            "TLSPolicy": ".web.tls.policy",
            "Timeouts": ".support.timeouts",
            "TokenSocket": ".client.socket",
            # Modules that are documented as attributes of the package.
            "errors": ".errors",
            "sockjs": ".sockjs",
        },
    )
