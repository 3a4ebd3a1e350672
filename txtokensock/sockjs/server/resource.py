"""
SockJS as a resource of twisted.web.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.web.http import Request
from twisted.web.resource import IResource
from zope.interface import implementer

from ...support.providers import AnyFactory
from ...web.server.answers import (
    Answer,
    Page,
    answer,
    foreign_origin,
    method_not_allowed,
    misdirected,
    not_found,
    preflight,
)
from ...web.server.hosts import HostPolicy
from ...web.server.origins import OriginPolicy
from ...web.server.parsed_forms import warn_of_parsed_forms
from ...web.server.trusted_proxies import TrustedProxies
from ..frames import GO_AWAY, check_close
from .options import SockJSOptions
from .pages import CLIENT_PATH, IFRAME_PATH, client_script, greeting, iframe, info
from .polling import PollingPages
from .request_info import RequestInfo
from .server_websocket import WebSocketFactory
from .session_table import SessionTable
from .upgrade import BadUpgrade, refuse_upgrade, take_over, websocket_key
from .websocket_session import RawWebSocketSession, WebSocketSession

__all__ = ["SockJSResource"]


@implementer(IResource)
class SockJSResource:
    """
    Serves any Twisted protocol over SockJS 0.3.3: put it into a site with ``putChild``.

    The protocol's transport is an
    :class:`~txtokensock.sockjs.interfaces.ISockJSTransport`, with the request that opened
    the session as ``request_info``, a :class:`~.request_info.RequestInfo`.

    A frame from a client is an array of texts, or a bare text.  Anything else is broken
    framing, also an array with anything but texts: it closes a WebSocket with 3000, and an
    xhr_send is answered with 500.  (sockjs-node hands such values to the application.)

    Clients choose the names of their polling sessions.  A name is a credential: who knows it
    can read and send as its client, and it is part of the URLs of its requests.  Here it is
    replaced in ``request.uri``, which is what a site writes into its access log.

    :param factory: its ``buildProtocol`` gets the client's address; None refuses the
        client with 403.
    :param options: all options in one object.
    :param reactor: its clock is used for all deadlines; the global one by default.
    :param on_refusal: called for each session that is refused with 429, see
        ``max_sessions_per_address``; to count them.
    :param changes: options one by one, as in ``SockJSResource(factory, heartbeat=10.0)``,
        in place of those in ``options``.
    :raises InvalidOption: for an option that is not valid.
    """

    isLeaf = True

    def __init__(
        self,
        factory: AnyFactory,
        options: SockJSOptions | None = None,
        *,
        reactor: Any = None,
        on_refusal: Callable[[], object] | None = None,
        **changes: Any,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor
        self._reactor = reactor
        options = replace(options or SockJSOptions(), **changes)
        self._table = SessionTable(reactor, options, factory, on_refusal)
        self._polling = PollingPages(self._table)
        self.reconfigure(options)

    def reconfigure(self, options: SockJSOptions) -> None:
        """
        Take other options.  They hold for requests and sessions from now on; sessions that there
        are keep those that they have.

        :param options: all of them.
        """
        self._options = self._table.options = options
        self._table.buffers.most = options.max_buffered_total
        self._origins = OriginPolicy(options.allowed_origins)
        self._hosts = HostPolicy(options.allowed_hosts, self._origins)
        self._proxies = TrustedProxies(options.trusted_proxies)
        self._websockets = WebSocketFactory(self._reactor, options.max_message_size)
        self._iframe = iframe(options)
        self._client_script = client_script(options)

    def __repr__(self) -> str:
        return f"<SockJSResource with {len(self._table)} sessions>"

    @property
    def session_count(self) -> int:
        """How many sessions there are at present."""
        return len(self._table)

    def close_sessions(self, code: int = GO_AWAY[0], reason: str = GO_AWAY[1]) -> Deferred[None]:
        """
        Close every session, and refuse new ones with 503 from now on.

        :param code: 1000, or 3000 to 4999.
        :param reason: at most 123 bytes in UTF-8.
        :return: fires with None when all have ended: after ``close_timeout`` at the
            latest.  It never fails.
        :raises InvalidOption: if a WebSocket cannot be closed with them.
        """
        check_close(code, reason)
        return self._table.close(code, reason)

    # -- IResource

    def getChildWithDefault(self, name: bytes, request: Any) -> IResource:
        """Return this resource, which serves every path below it."""
        return self

    def putChild(self, path: bytes, child: IResource) -> None:
        """
        :raises TypeError: always; this resource serves every path below it.
        """
        raise TypeError("a SockJS resource has no children")

    def render(self, request: Any) -> Answer:
        """Answer a request for any of the pages of SockJS."""
        warn_of_parsed_forms(request)
        self._proxies.look_at(request)
        _hide_session(request)
        if not self._hosts.allow(request):
            return misdirected(request)
        if not self._origins.allow(request):
            return foreign_origin(request)
        page = self._page(_segments(request))
        if page is None:
            return not_found(request)
        action = page.get(request.method)
        if action is None:
            return method_not_allowed(request, page)
        return action(request)

    # -- which page

    def _page(self, segments: list[str]) -> Page | None:
        match segments:
            case []:
                return {b"GET": greeting, b"HEAD": greeting}
            case ["info"]:
                return {b"GET": self._info, b"HEAD": self._info, b"OPTIONS": self._preflight}
            case ["websocket"] if self._options.raw_websocket and self._options.websocket:
                return {b"GET": self._raw_websocket}
            case [name] if name == CLIENT_PATH and self._client_script is not None:
                return {b"GET": self._client_script.render, b"HEAD": self._client_script.render}
            case [name] if IFRAME_PATH.fullmatch(name):
                return {b"GET": self._iframe.render, b"HEAD": self._iframe.render}
            case [server, session, name] if _is_name(server) and _is_name(session):
                if name == "websocket":
                    return {b"GET": self._framed_websocket} if self._options.websocket else None
                return self._polling.page(name, session)
        return None

    def _info(self, request: Request) -> Answer:
        return info(request, self._options)

    def _preflight(self, request: Request) -> Answer:
        return preflight(request, b"OPTIONS, GET")

    # -- WebSockets

    def _framed_websocket(self, request: Request) -> Answer:
        return self._websocket(request, "websocket", WebSocketSession)

    def _raw_websocket(self, request: Request) -> Answer:
        return self._websocket(request, "websocket-raw", RawWebSocketSession)

    def _websocket(
        self, request: Request, transport: str, session_type: type[WebSocketSession]
    ) -> Answer:
        try:
            key = websocket_key(request)
        except BadUpgrade as problem:
            return refuse_upgrade(request, problem)
        info = RequestInfo.of(request, transport)
        admitted = self._table.admit(info)
        if isinstance(admitted, int):
            return answer(request, admitted)
        session = self._table.start_websocket(session_type, admitted, info)
        return take_over(request, self._websockets.build(key, session))


def _segments(request: Any) -> list[str]:
    """The path below the resource; one slash at its end is ignored, as by sockjs-node."""
    segments = [segment.decode("utf-8", "replace") for segment in request.postpath]
    if segments and not segments[-1]:
        segments.pop()
    return segments


def _hide_session(request: Any) -> None:
    """
    Replace the session's name in what a site logs, also where the page after it is none of
    ours: a client that has mistaken that may have the session all the same.
    """
    path, mark, query = request.uri.partition(b"?")
    segments = path.split(b"/")
    end = len(segments) - (not segments[-1])  # without the slash at the end
    below = len(request.postpath) - len(segments) + end
    if 1 < below < end:
        last = end - 1 if below > 2 else end
        segments[end - below + 1 : last] = [b"-"] * (last - end + below - 1)
        request.uri = b"/".join(segments) + mark + query


def _is_name(segment: str) -> bool:
    """Whether the segment can name a server or a session."""
    return bool(segment) and "." not in segment
