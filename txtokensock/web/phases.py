"""
The deadlines of connecting.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import AttemptTimeout, Phase
from .handshake import TLSUnanswered

__all__ = ["within_phase"]

T = TypeVar("T")


def within_phase(
    step: Deferred[T], phase: Phase, seconds: float, reactor: IReactorTime
) -> Deferred[T]:
    """
    :return: ``step``, which is cancelled after ``seconds`` and then fails with
        :class:`~txtokensock.errors.AttemptTimeout`, which names the phase.
    """

    def timed_out(outcome: object, _: float) -> Failure:
        unanswered = isinstance(outcome, Failure) and outcome.check(TLSUnanswered)
        hint = ": TLS was not answered, is it http:// there?" if unanswered else ""
        return Failure(AttemptTimeout(phase, seconds, hint))

    return step.addTimeout(seconds, reactor, timed_out)
