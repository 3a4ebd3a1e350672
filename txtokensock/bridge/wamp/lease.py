"""
Whose turn it is, among several bridges.
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...support.timer import Timer
from .realm import CallResult, Realm, RealmLost, Undo, WampError

__all__ = ["Lease"]

_TAKEN = "wamp.error.procedure_already_exists"


@define(eq=False, repr=False)
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

    _realm: Realm
    _procedure: str
    _retry: float
    _reactor: IReactorTime
    _granted: Callable[[], object]
    _refused: Callable[[str], object]
    _undo: Undo | None = field(init=False, default=None)
    _later: Timer = field(init=False)
    _told: bool = field(init=False, default=False)
    _stopped: bool = field(init=False, default=False)

    def __attrs_post_init__(self) -> None:
        self._later = Timer(self._reactor, self.start)

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
