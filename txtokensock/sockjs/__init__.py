"""
SockJS for Twisted: carries any protocol, and knows nothing of what it says.
"""

from .client.endpoint import SockJSClientEndpoint
from .interfaces import ISockJSTransport

__all__ = ["ISockJSTransport", "SockJSClientEndpoint"]
