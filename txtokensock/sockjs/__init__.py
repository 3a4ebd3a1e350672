"""
SockJS for Twisted, client and server: carries the messages of any protocol.
"""

from typing import TYPE_CHECKING

from ..support.lazy_exports import lazy_exports

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_TRANSPORTS",
    "TRANSPORTS",
    "ISockJSProtocol",
    "ISockJSTransport",
    "InputLimits",
    "RequestInfo",
    "SockJSClientEndpoint",
    "SockJSOptions",
    "SockJSResource",
    "Transport",
    "same_origin",
]

# The client loads no server, nor the server a client.
if TYPE_CHECKING:
    from ..web.server.origins import same_origin
    from .client.endpoint import SockJSClientEndpoint
    from .client.transports import DEFAULT_MAX_MESSAGE_SIZE, TRANSPORTS
    from .interfaces import ISockJSProtocol, ISockJSTransport
    from .server.input_meter import InputLimits
    from .server.options import SockJSOptions
    from .server.request_info import RequestInfo
    from .server.resource import SockJSResource
    from .transport_names import DEFAULT_TRANSPORTS, Transport
else:
    __getattr__, __dir__ = lazy_exports(
        globals(),
        {
            "DEFAULT_MAX_MESSAGE_SIZE": ".client.transports",
            "DEFAULT_TRANSPORTS": ".transport_names",
            "TRANSPORTS": ".client.transports",
            "ISockJSProtocol": ".interfaces",
            "ISockJSTransport": ".interfaces",
            "InputLimits": ".server.input_meter",
            "RequestInfo": ".server.request_info",
            "SockJSClientEndpoint": ".client.endpoint",
            "SockJSOptions": ".server.options",
            "SockJSResource": ".server.resource",
            "Transport": ".transport_names",
            "same_origin": "..web.server.origins",
        },
    )
