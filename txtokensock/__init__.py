"""
token-sockjs for Twisted: RPC in both directions and publish/subscribe over SockJS.
"""

from .client.backoff import Backoff
from .client.socket import TokenSocket
from .client.subscription import Subscription
from .client.timeouts import Timeouts

__all__ = ["Backoff", "Subscription", "Timeouts", "TokenSocket"]
