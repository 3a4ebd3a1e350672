"""
Bookkeeping on what was asked: every call has one outcome, every loss one return.

The judges here know nothing of sockets, and are tested by themselves.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any, get_args

from twisted.internet import error
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from txtokensock import errors

from .verdict import Verdict

__all__ = ["LATEST", "LEAVING", "Calls", "Connections", "is_leaving", "name_of"]

SAFE = (errors.CallTimeout, errors.QueueFull)
"""How any call may fail; what else there may be, its caller knows."""

NETWORK = (errors.ConnectionLost, *SAFE)
"""How any call may fail that is not sent again by itself."""

ENDS = (
    errors.PeerSilent,
    errors.SockJSClosed,
    error.ConnectionAborted,
    error.ConnectionDone,
    error.ConnectionLost,
)
"""Why a connection may be lost."""

LEAVING = "Server shutting down"
"""What a server answers that was told to stop."""

LATEST = 60.0
"""Seconds for any outcome: several times what any call here is given."""

_SHOWN = 5


def name_of(problem: BaseException) -> str:
    """The name of an error as the figures have it, with what it says of itself."""
    name = type(problem).__name__
    if is_leaving(problem):
        return f"{name} ({LEAVING})"
    phase = getattr(problem, "phase", None)
    return name if phase is None else f"{name} ({phase})"


def is_leaving(problem: BaseException) -> bool:
    """Whether a server answered so because it is being stopped."""
    return isinstance(problem, errors.RemoteError) and problem.error == LEAVING


class Calls:
    """
    Whatever gives a Deferred is a call here.

    :ivar made: how many there were.
    :ivar answered: how many of them succeeded.
    :ivar failed: how many of them failed, by the name of the error.
    :ivar longest: how long an outcome took at most, in seconds.
    """

    def __init__(self, verdict: Verdict, clock: IReactorTime) -> None:
        self.longest = 0.0
        self.made = 0
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self._verdict = verdict
        self._clock = clock
        self._numbers = itertools.count(1)
        self._pending: dict[int, tuple[str, float]] = {}

    @property
    def pending(self) -> list[str]:
        """What has no outcome yet."""
        return [what for what, _ in self._pending.values()]

    def make(self, what: str) -> int:
        """A call is made: ``what``, for people.  Returns its number."""
        number = next(self._numbers)
        self.made += 1
        self._pending[number] = (what, self._clock.seconds())
        return number

    def answer(self, number: int, is_right: bool = True, shown: object = None) -> None:
        """A call was answered; ``shown`` is the answer, for people."""
        what = self._settle(number, "an answer")
        self.answered += 1
        if not is_right:
            self._verdict.against("a call got the wrong answer", f"{what}: {str(shown)[:200]}")

    def fail(
        self, number: int, problem: BaseException, may_fail: tuple[type[BaseException], ...]
    ) -> None:
        """A call failed; ``may_fail``: how it may."""
        what = self._settle(number, repr(problem))
        self.failed[name_of(problem)] += 1
        if not isinstance(problem, may_fail) and not is_leaving(problem):
            self._verdict.against("a call failed as it must not", f"{what}: {problem!r}")

    def watch(
        self,
        what: str,
        deferred: Deferred[Any],
        *,
        right: Callable[[Any], bool] = lambda _: True,
        may_fail: tuple[type[BaseException], ...] = (),
        again: bool = False,
    ) -> None:
        """
        :param right: whether this is the answer.
        :param may_fail: how it may, besides by the network's fault.
        :param again: whether it is sent again where the connection is lost.
        """
        number = self.make(what)

        def answered(result: Any) -> None:
            self.answer(number, right(result), result)

        def failed(failure: Failure) -> None:
            assert failure.value is not None
            self.fail(number, failure.value, (SAFE if again else NETWORK) + may_fail)

        deferred.addCallbacks(answered, failed)

    def settle(self) -> None:
        """All must be over by now, and the sum must be right."""
        if self._pending:
            shown = ", ".join(self.pending[:_SHOWN])
            self._verdict.against(
                "calls are left without an outcome", f"{len(self._pending)}, such as {shown}"
            )
        outcomes = self.answered + self.failed.total()
        if outcomes != self.made:
            self._verdict.against(
                "calls are not answers and failures", f"{self.made} made, {outcomes} outcomes"
            )

    def _settle(self, number: int, outcome: str) -> str:
        if number not in self._pending:
            self._verdict.against("a call had two outcomes", f"number {number}, now {outcome}")
            return "unknown"
        what, begun = self._pending.pop(number)
        seconds = self._clock.seconds() - begun
        self.longest = max(self.longest, seconds)
        if seconds > LATEST:
            self._verdict.against("an outcome came too late", f"{what}: after {seconds:.1f} s")
        return what


class Connections:
    """
    How one client's connection came and went.

    :param name: the client's.
    :ivar made: connections so far.
    :ivar lost: and losses.
    :ivar failed: attempts that failed, by the error.
    :ivar ends: losses, by the error.
    """

    def __init__(self, name: str, verdict: Verdict) -> None:
        self.made = 0
        self.lost = 0
        self.failed: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self._name = name
        self._verdict = verdict

    @property
    def up(self) -> bool:
        """Whether there is one, as far as we were told."""
        return self.made > self.lost

    def heard(self, problem: BaseException | None) -> None:
        """A ``ready`` or ``reconnect`` event."""
        if problem is not None:
            self._attempt_failed(problem)
            return
        if self.up:
            self._verdict.against(
                "a second connection was made", f"{self._name}, while one was up"
            )
        self.made += 1

    def _attempt_failed(self, problem: BaseException) -> None:
        self.failed[name_of(problem)] += 1
        phase = getattr(problem, "phase", None)
        if not isinstance(problem, errors.ConnectionFailed) or phase not in get_args(errors.Phase):
            # A loss right after auth, before it was told, is told as a failed attempt.
            if isinstance(problem, ENDS):
                return
            self._verdict.against("an attempt failed without a name", f"{self._name}: {problem!r}")

    def gone(self, problem: BaseException) -> None:
        """A ``disconnect`` event."""
        if not self.up:
            self._verdict.against("a loss was told twice", f"{self._name}: {problem!r}")
        self.lost += 1
        self.ends[name_of(problem)] += 1
        if not isinstance(problem, ENDS):
            self._verdict.against("a loss has no name", f"{self._name}: {problem!r}")

    def settle(self, connected: bool) -> None:
        """:param connected: whether the client says that it is, now."""
        if self.made != self.lost + connected:
            self._verdict.against(
                "losses and returns differ",
                f"{self._name}: {self.made} connections, {self.lost} losses, "
                f"{'connected' if connected else 'not connected'} now",
            )
