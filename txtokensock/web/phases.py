"""
The deadlines of connecting.
"""

from __future__ import annotations

from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import AttemptTimeout, Phase

__all__ = ["within_phase"]

T = TypeVar("T")


def within_phase(
    step: Deferred[T], phase: Phase, seconds: float, reactor: IReactorTime
) -> Deferred[T]:
    """
    :return: ``step``, which is cancelled after ``seconds`` and then fails with
        :class:`~txtokensock.errors.AttemptTimeout`, which names the phase.
    """

    def timed_out(*_: object) -> Failure:
        return Failure(AttemptTimeout(phase, seconds))

    return step.addTimeout(seconds, reactor, timed_out)
