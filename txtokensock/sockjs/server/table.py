"""
All sessions of one SockJS server.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.web import http

from .options import Options

if TYPE_CHECKING:
    from .session import ServerSession

__all__ = ["SessionTable"]


class SessionTable:
    """
    Counts sessions, in all and by address, and closes them.

    :param reactor: for every deadline of the sessions.
    :param options: of the server.
    :ivar closed: whether :meth:`close` was called: there is no room any more.
    """

    def __init__(self, reactor: IReactorTime, options: Options) -> None:
        self.reactor = reactor
        self.options = options
        self.closed = False
        self._sessions: set[ServerSession] = set()
        self._by_address: Counter[str] = Counter()
        self._waiting_for_the_end: list[Deferred[None]] = []

    def __len__(self) -> int:
        return len(self._sessions)

    def refusal(self, peer: IAddress) -> int | None:
        """
        :return: the HTTP status that a new session of ``peer`` is refused with, None if
            there is room.
        """
        options = self.options
        if self.closed:
            return http.SERVICE_UNAVAILABLE
        if options.max_sessions is not None and len(self) >= options.max_sessions:
            return http.SERVICE_UNAVAILABLE
        allowed, host = options.max_sessions_per_address, _host(peer)
        if allowed is not None and host is not None and self._by_address[host] >= allowed:
            return 429
        return None

    def add(self, session: ServerSession) -> None:
        """The session starts."""
        self._sessions.add(session)
        host = _host(session.peer())
        if host is not None:
            self._by_address[host] += 1

    def remove(self, session: ServerSession) -> None:
        """The session has ended; nothing happens if it was removed before."""
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        host = _host(session.peer())
        if host is not None:
            self._by_address[host] -= 1
            if not self._by_address[host]:
                del self._by_address[host]
        self._tell_the_end()

    def close(self, code: int, reason: str) -> Deferred[None]:
        """
        Close every session, and admit none from now on.

        :return: fires with None when all have ended, which takes ``close_timeout`` at
            most.  Never fails; cancelling it stops the waiting, not the closing.
        """
        self.closed = True
        done: Deferred[None] = Deferred(self._waiting_for_the_end.remove)
        self._waiting_for_the_end.append(done)
        for session in list(self._sessions):
            session.transport.close(code, reason)
        self._tell_the_end()
        return done

    def _tell_the_end(self) -> None:
        if self.closed and not self._sessions:
            waiting, self._waiting_for_the_end = self._waiting_for_the_end, []
            for done in waiting:
                done.callback(None)


def _host(address: IAddress) -> str | None:
    """What sessions are counted by: the peers of a UNIX socket cannot be told apart."""
    host = getattr(address, "host", None)
    return host if isinstance(host, str) else None
