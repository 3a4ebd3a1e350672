"""
All sessions of one SockJS server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory, IReactorTime
from twisted.logger import Logger
from twisted.web import http

from ...support.waiters import Waiters
from ...web.server.admissions import Admissions
from .options import SockJSOptions
from .request_info import RequestInfo

if TYPE_CHECKING:
    from .polling_session import PollingSession
    from .session import ServerSession

__all__ = ["SessionTable"]


class SessionTable:
    """
    Admits sessions, counts them in all and by address, and closes them.

    :param reactor: for every deadline of the sessions.
    :param options: of the server.
    :param factory: builds the protocol of a session.
    :ivar closed: whether :meth:`close` was called: there is no room any more.
    """

    _log = Logger()

    def __init__(
        self, reactor: IReactorTime, options: SockJSOptions, factory: IProtocolFactory
    ) -> None:
        self.reactor = reactor
        self.options = options
        self.closed = False
        self._factory = factory
        self._sessions: Admissions[ServerSession] = Admissions()
        self._by_id: dict[str, PollingSession] = {}
        self._ends: Waiters[None] = Waiters()

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
            self._log.failure("buildProtocol raised, a client is refused")
            return http.INTERNAL_SERVER_ERROR
        return http.FORBIDDEN if protocol is None else protocol

    def _refusal(self, peer: IAddress) -> int | None:
        options = self.options
        if self.closed:
            return http.SERVICE_UNAVAILABLE
        if options.max_sessions is not None and len(self) >= options.max_sessions:
            return http.SERVICE_UNAVAILABLE
        allowed = options.max_sessions_per_address
        if allowed is not None and self._sessions.count(peer) >= allowed:
            return 429
        return None

    def add(self, session: ServerSession) -> None:
        """The session starts."""
        self._sessions.add(session, session.peer())

    def remove(self, session: ServerSession) -> None:
        """The session has ended; nothing happens if it was removed before."""
        if session not in self._sessions:
            return
        self._sessions.remove(session)
        self._tell_the_end()

    # -- polling sessions, which requests ask for

    def find(self, session_id: str) -> PollingSession | None:
        """The session of that name, even for a while after its end."""
        return self._by_id.get(session_id)

    def keep(self, session_id: str, session: PollingSession) -> None:
        """Let requests find the session."""
        self._by_id[session_id] = session

    def forget(self, session_id: str) -> None:
        """Let them find it no more."""
        self._by_id.pop(session_id, None)

    # -- the end

    def close(self, code: int, reason: str) -> Deferred[None]:
        """
        Close every session, and admit none from now on.

        :return: fires with None when all have ended, which takes ``close_timeout`` at
            most.  Never fails; cancelling it stops the waiting, not the closing.
        """
        self.closed = True
        done = self._ends.wait()
        for session in list(self._sessions):
            session.transport.close(code, reason)
        self._tell_the_end()
        return done

    def _tell_the_end(self) -> None:
        if self.closed and not self._sessions:
            for session in list(self._by_id.values()):
                session.forget()
            self._ends.fire()
