"""
The sessions of one SockJS server.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.web.http import FORBIDDEN, INTERNAL_SERVER_ERROR, SERVICE_UNAVAILABLE

from ...support.deadlines import Deadlines
from ...support.slices import Slices
from ...support.timer import Timer
from ...support.waiters import Waiters
from ...web.server.admissions import Admissions
from .options import SockJSOptions
from .polling_session import PollingSession
from .request_info import RequestInfo
from .session import ServerSession
from .shared_buffers import SharedBuffers
from .websocket_session import WebSocketSession

__all__ = ["SessionTable"]

S = TypeVar("S", bound=ServerSession)
W = TypeVar("W", bound=WebSocketSession)


class SessionTable:
    """
    Makes sessions within the limits, counts them in all and by address, and closes them.

    :param reactor: its clock is used for the sessions' deadlines.
    :param options: of the server.
    :param factory: builds the protocol of a session.
    :param on_refusal: called for each that is refused as one address has too many.
    :ivar options: of the sessions from now on.
    :ivar buffers: what the sessions hold.
    :ivar closed: whether :meth:`close` was called: no session is admitted any more.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: IReactorTime,
        options: SockJSOptions,
        factory: IProtocolFactory,
        on_refusal: Callable[[], object] | None = None,
    ) -> None:
        self.reactor = reactor
        self.options = options
        self.closed = False
        self._factory = factory
        self._on_refusal = on_refusal
        self._slices = Slices(reactor)
        self._sessions: Admissions[ServerSession] = Admissions()
        self._by_id: dict[str, PollingSession] = {}
        self.buffers = SharedBuffers(options.max_buffered_total)
        self._ends: Waiters[None] = Waiters()
        self._on_end = self._remove  # one object for all sessions
        self._beats: Deadlines[ServerSession] = Deadlines(reactor, self._beat, Timer)

    def __len__(self) -> int:
        return len(self._sessions)

    def admit(self, info: RequestInfo) -> IProtocol | int:
        """
        :return: the protocol for a new session, or the HTTP status that refuses it.
        """
        refusal = self._refusal(info.peer)
        if refusal is not None:
            return refusal
        try:
            protocol = self._factory.buildProtocol(info.peer)
        except Exception:
            self._log.failure(
                "buildProtocol raised, a client is refused", event="sockjs.protocol_failed"
            )
            return INTERNAL_SERVER_ERROR
        return FORBIDDEN if protocol is None else protocol

    def _refusal(self, peer: IAddress) -> int | None:
        options = self.options
        if self.closed:
            return SERVICE_UNAVAILABLE
        if options.max_sessions is not None and len(self) >= options.max_sessions:
            return SERVICE_UNAVAILABLE
        allowed = options.max_sessions_per_address
        if allowed is not None and self._sessions.count(peer) >= allowed:
            if self._on_refusal is not None:
                self._on_refusal()
            return 429
        return None

    def start_websocket(self, session_type: type[W], protocol: IProtocol, info: RequestInfo) -> W:
        """
        Make a session over a WebSocket, and count it.

        :param protocol: what :meth:`admit` gave.
        """
        return self._start(session_type, protocol, info)

    def start_polling(
        self, session_id: str, protocol: IProtocol, info: RequestInfo
    ) -> PollingSession:
        """
        Make a session over HTTP requests, which find it by its name, and count it.

        :param session_id: chosen by the client, and a credential: who knows it can read and
            send as this client.
        :param protocol: what :meth:`admit` gave.
        """
        forget = partial(self._by_id.pop, session_id, None)
        session = self._start(PollingSession, protocol, info, forget)
        self._by_id[session_id] = session
        return session

    def _start(
        self, make: Callable[..., S], protocol: IProtocol, info: RequestInfo, *more: object
    ) -> S:
        """:param more: what a session of that kind takes besides."""
        session = make(
            protocol,
            info,
            self.options,
            self.reactor,
            self._slices,
            self._on_end,
            self.buffers,
            self._beats,
            *more,
        )
        self._sessions.add(session, session.peer())
        return session

    def _remove(self, session: ServerSession) -> None:
        self._sessions.remove(session)
        if not self._sessions:
            self._beats.stop()
        self._tell_the_end()

    def _beat(self, sessions: list[ServerSession]) -> None:
        for session in sessions:
            try:
                session.beat()
            except Exception:
                self._log.failure("a heartbeat could not be sent", event="sockjs.failed")

    def find(self, session_id: str) -> PollingSession | None:
        """The polling session of that name, also for some seconds after its end."""
        return self._by_id.get(session_id)

    # -- the end

    def close(self, code: int, reason: str) -> Deferred[None]:
        """
        Close every session, and admit none from now on.

        :return: fires with None when all have ended, which takes ``close_timeout`` at
            most.  Never fails; cancelling it stops the waiting, not the closing.
        """
        self.closed = True
        done = self._ends.wait()
        self._slices.for_each(
            self._sessions, lambda session: session.transport.close_by_session(code, reason)
        )
        self._tell_the_end()
        return done

    def _tell_the_end(self) -> None:
        if self.closed and not self._sessions:
            for session in list(self._by_id.values()):
                session.forget()
            self._ends.fire()
