"""
SockJS for Twisted: carries any protocol, and knows nothing of what it says.
"""

from .client.endpoint import SockJSClientEndpoint
from .interfaces import ISockJSTransport
from .server.origins import same_origin
from .server.request import RequestInfo
from .server.resource import SockJSResource

__all__ = [
    "ISockJSTransport",
    "RequestInfo",
    "SockJSClientEndpoint",
    "SockJSResource",
    "same_origin",
]
