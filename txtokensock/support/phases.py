"""
The deadlines of connecting.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import AttemptTimeout, Phase

__all__ = ["Unanswered", "within_phase"]

T = TypeVar("T")


class Unanswered(CancelledError):
    """Connecting was cancelled; the text says what had not been answered by then."""


def within_phase(
    step: Deferred[T], phase: Phase, seconds: float, reactor: IReactorTime
) -> Deferred[T]:
    """
    :return: ``step``, which is cancelled after ``seconds`` and then fails with
        :class:`~txtokensock.errors.AttemptTimeout`, which names the phase.
    """

    def timed_out(outcome: object, _: float) -> Failure:
        problem = outcome.value if isinstance(outcome, Failure) else None
        hint = f": {problem}" if isinstance(problem, Unanswered) else ""
        return Failure(AttemptTimeout(phase, seconds, hint))

    return step.addTimeout(seconds, reactor, timed_out)
