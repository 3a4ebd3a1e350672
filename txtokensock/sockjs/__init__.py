"""
SockJS for Twisted: carries any protocol, and knows nothing of what it says.
"""

from .client.endpoint import SockJSClientEndpoint
from .client.transports import DEFAULT_MAX_MESSAGE_SIZE, DEFAULT_TRANSPORTS, TRANSPORTS
from .interfaces import ISockJSTransport
from .server.origins import same_origin
from .server.request_info import RequestInfo
from .server.resource import SockJSResource

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_TRANSPORTS",
    "TRANSPORTS",
    "ISockJSTransport",
    "RequestInfo",
    "SockJSClientEndpoint",
    "SockJSResource",
    "same_origin",
]
