"""
Results of Deferreds and coroutines, where no reactor runs.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["result_of"]

T = TypeVar("T")


def result_of(
    waited_for: Deferred[T] | Coroutine[Any, Any, T], settle: Callable[[], object] = lambda: None
) -> T:
    """
    The result of what is done, such as a coroutine that asks a :class:`StubTokenSocket`.  For
    what a server in memory has to answer, use its ``result()``.

    :param waited_for: a Deferred, or a coroutine that waits for Deferreds; it is run now.
    :param settle: called before the result is taken.
    :return: what it fired with.
    :raises Exception: what it failed with.
    :raises AssertionError: where it has not fired.
    """
    if not isinstance(waited_for, Deferred):
        waited_for = Deferred.fromCoroutine(waited_for)
    outcomes: list[T | Failure] = []

    def note(outcome: Any) -> Any:
        outcomes.append(outcome)
        return outcome

    waited_for.addBoth(note)
    settle()
    if not outcomes:
        raise AssertionError(f"{waited_for!r} has no result yet")
    outcome = outcomes[0]
    if isinstance(outcome, Failure):
        waited_for.addErrback(lambda _: None)  # it is raised here
        outcome.raiseException()
    return outcome
