"""
The options of a SockJS server, checked once.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from ...errors import InvalidOption
from ...support.checks import check_count, check_seconds
from ...web.server.hosts import HostPolicy
from ...web.server.origins import AllowedOrigins, OriginPolicy
from ...web.server.trusted_proxies import TrustedProxies

__all__ = ["SockJSOptions"]

_SECONDS = ("heartbeat", "heartbeat_timeout", "disconnect_delay", "close_timeout")
_COUNTS = ("response_limit", "max_message_size", "max_buffered", "max_buffered_total")
_OPTIONAL_COUNTS = ("max_array_length", "max_sessions", "max_sessions_per_address")


SOCKJS_URL = "https://cdn.jsdelivr.net/npm/sockjs-client@1.6.1/dist/sockjs.min.js"
SOCKJS_INTEGRITY = "sha384-svdnwiXBL+Js+yUneJSRFy24NgGiOfDM/vkQl/vCeVrcbYD6yW8EwPr1FnxTEZsR"
"""The digest of that file, without which a browser does not run it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SockJSOptions:
    """
    The options of a :class:`~txtokensock.sockjs.SockJSResource`.

    :ivar websocket: whether to offer WebSockets, besides transports over HTTP requests.
    :ivar raw_websocket: whether to offer ``/websocket`` too, without SockJS frames.
    :ivar cookie_needed: whether to set a ``JSESSIONID`` cookie, by which load balancers
        keep a session on one server; an existing one is sent back.
    :ivar sockjs_url: where the iframe page gets the SockJS client from; by default one version
        of it, whose digest the page demands.
    :ivar sockjs_client_file: a copy of the SockJS client, which is served to the iframe page
        instead; it is read when the server starts.
    :ivar heartbeat: seconds between two heartbeats.
    :ivar heartbeat_timeout: seconds in which a WebSocket's peer must answer a ping.
    :ivar disconnect_delay: seconds that a polling session outlives its last request.
    :ivar close_timeout: seconds that an orderly close of a WebSocket may take.
    :ivar response_limit: bytes after which a streaming response is ended, and the client
        sends another request: browsers keep all of a response in memory.
    :ivar max_message_size: bytes of one WebSocket message, which is closed with 1009
        for more, and of one xhr_send body, which is answered with 413.  By then
        twisted.web has read that body, into a temporary file if it is large; only the
        site, or a proxy, can refuse it earlier.
    :ivar max_array_length: messages in one frame from a client; more close the session
        with 4002.  None for no limit.
    :ivar max_buffered: bytes that may wait for a client that does not read; more close
        the session with 4001.  With a WebSocket, the TCP buffer is included as soon as
        it is full.
    :ivar max_buffered_total: bytes that may wait in all sessions together, in and out; when
        more do, those that hold the most are closed with 4001.
    :ivar allowed_origins: whose pages may use this, see
        :data:`~txtokensock.web.server.origins.AllowedOrigins`; all by default, as SockJS
        is made for.  Others get 403.  Clients that are not browsers pass.
    :ivar allowed_hosts: hosts besides the loopback names that requests to a loopback address
        may be for, such as that of a proxy on this machine.  Others get 421.
    :ivar trusted_proxies: networks of the proxies that may say who the client is, see
        :class:`~txtokensock.web.server.trusted_proxies.TrustedProxies`.
    :ivar max_sessions: sessions at one time; more are refused with 503.
    :ivar max_sessions_per_address: the same for one client's host, with 429.
    :raises InvalidOption: for a value that is not valid.
    """

    websocket: bool = True
    raw_websocket: bool = True
    cookie_needed: bool = False
    sockjs_url: str = SOCKJS_URL
    sockjs_client_file: str | None = None
    heartbeat: float = 25.0
    heartbeat_timeout: float = 10.0
    disconnect_delay: float = 5.0
    close_timeout: float = 5.0
    response_limit: int = 128 * 1024
    max_message_size: int = 1024 * 1024
    max_array_length: int | None = None
    max_buffered: int = 4 * 1024 * 1024
    max_buffered_total: int = 32 * 1024 * 1024
    allowed_origins: AllowedOrigins = "*"
    allowed_hosts: Collection[str] = ()
    trusted_proxies: Collection[str] = ()
    max_sessions: int | None = None
    max_sessions_per_address: int | None = None

    def __post_init__(self) -> None:
        for name in _SECONDS:
            check_seconds(name, getattr(self, name))
        for name in _COUNTS:
            check_count(name, getattr(self, name))
        for name in _OPTIONAL_COUNTS:
            check_count.optional(name, getattr(self, name))
        if not isinstance(self.sockjs_url, str) or not self.sockjs_url:
            raise InvalidOption(f"sockjs_url is {self.sockjs_url!r}: it must be a URL")
        self.client_script()
        OriginPolicy(self.allowed_origins)
        HostPolicy(self.allowed_hosts)
        TrustedProxies(self.trusted_proxies)

    def client_script(self) -> str | None:
        """
        What ``sockjs_client_file`` holds now.

        :raises InvalidOption: if it cannot be read.
        """
        path = self.sockjs_client_file
        if path is None:
            return None
        try:
            return Path(path).read_text(encoding="utf-8")
        except OSError as problem:
            reason = problem.strerror
        except (TypeError, ValueError):
            reason = "it must be the path of a text"
        raise InvalidOption(f"sockjs_client_file {path!r} cannot be read: {reason}")
