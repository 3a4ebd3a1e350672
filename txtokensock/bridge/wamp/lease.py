"""
Whose turn it is, among several bridges.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...support.timer import Timer
from .realm import CallResult, Realm, RealmLost, Undo, WampError

__all__ = ["Lease"]

_TAKEN = "wamp.error.procedure_already_exists"


class Lease:
    """
    An exclusive registration: the router gives it to one session, and takes it back when
    that session ends, however it ends.

    :param realm: the session.
    :param procedure: what is registered.
    :param retry: seconds between attempts.
    :param reactor: for them.
    :param granted: called when it is ours.
    :param refused: called with the reason, at first and when it was taken from us.
    """

    _log = Logger()

    def __init__(
        self,
        realm: Realm,
        procedure: str,
        *,
        retry: float,
        reactor: IReactorTime,
        granted: Callable[[], object],
        refused: Callable[[str], object],
    ) -> None:
        self._realm = realm
        self._procedure = procedure
        self._retry = retry
        self._granted = granted
        self._refused = refused
        self._undo: Undo | None = None
        self._later = Timer(reactor, self.start)
        self._told = False
        self._stopped = False

    def start(self) -> None:
        """Ask for it, until it is ours."""
        asked = self._realm.register(
            self._procedure, "exact", _nothing, shared=False, on_revoked=self._revoked
        )
        asked.addCallbacks(self._registered, self._failed)

    def lost(self) -> None:
        """The session is gone, and the lease with it."""
        self._stopped = True
        self._undo = None
        self._later.stop()

    def release(self) -> Deferred[None]:
        """Let another bridge have it; fires when the router knows, and never fails."""
        undo = self._undo
        self.lost()
        return undo() if undo is not None else succeed(None)

    def _registered(self, undo: Undo) -> None:
        if self._stopped:
            undo()
            return
        self._undo = undo
        self._told = False
        self._log.info(
            "{lease} is ours: channels are forwarded here",
            event="wamp.lease",
            lease=self._procedure,
        )
        self._granted()

    def _failed(self, failure: Failure) -> None:
        if self._stopped or failure.check(RealmLost):
            return
        problem = failure.value
        taken = isinstance(problem, WampError) and problem.uri == _TAKEN
        why = "another bridge has the lease" if taken else failure.getErrorMessage()
        if not self._told:
            self._told = True
            self._log.info(
                "channels are not forwarded here: {why}", event="wamp.no_lease", why=why
            )
            self._refused(why)
        self._later.start(self._retry)

    def _revoked(self) -> None:
        """The router took the registration away: ask for it again."""
        if self._stopped:
            return
        self._undo = None
        self._told = True
        self._refused("the lease was taken away")
        self._later.start(self._retry)


def _nothing(*_: object) -> CallResult:
    return succeed(([], {}))
