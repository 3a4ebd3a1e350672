"""
The answers of all servers of a store to a question of one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ...errors import StoreUnavailable
from ...support.timer import Timer

__all__ = ["PATIENCE", "Answered", "Gathering"]

PATIENCE = 5.0
"""Seconds in which servers have to answer: one that is stopped, or out of reach, does not."""


class Answered(NamedTuple):
    """
    :ivar servers: how many have answered.
    :ivar silent: how many have heard the question, and did not answer in time.
    """

    servers: int
    silent: int


class Gathering:
    """
    Counts the answers to one question; they may come before it is known how many will.

    :param reactor: for the time that the servers have.
    :param heard: called with each part of each answer.
    :param patience: that time, in seconds.
    :ivar outcome: fires with :class:`Answered`, see :meth:`IStoreLink.ask_servers`.
    """

    def __init__(
        self, reactor: IReactorTime, heard: Callable[[bytes], object], patience: float
    ) -> None:
        self._heard = heard
        self._patience = patience
        self._servers = 0
        self._expected: int | None = None
        self._timer = Timer(reactor, self._end)
        self.outcome: Deferred[Answered] = Deferred(lambda _: self._timer.stop())

    def expect(self, servers: int) -> None:
        """So many servers hear the question, and have to answer from now on."""
        if not self.outcome.called:
            self._expected = servers
            self._timer.start(self._patience)
            self._count()

    def part(self, part: bytes, last: bool) -> None:
        """Take a part of one server's answer; ``last`` ends that."""
        if not self.outcome.called:
            self._heard(part)
            self._servers += last
            self._count()

    def fail(self, failure: Failure) -> None:
        """The question reaches nobody, or its answers come no more."""
        self._timer.stop()
        if not self.outcome.called:
            self.outcome.errback(failure)

    def _count(self) -> None:
        if not self.outcome.called and self._servers == self._expected:
            self._end()

    def _end(self) -> None:
        self._timer.stop()
        silent = max(0, (self._expected or 0) - self._servers)
        if self._servers:
            self.outcome.callback(Answered(self._servers, silent))
        else:  # who asks is among them
            text = f"none of {silent} servers has answered, this one included"
            self.outcome.errback(Failure(StoreUnavailable(text)))
