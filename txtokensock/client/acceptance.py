"""
What of all that was sent the server has certainly taken, and what it may have closed for.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ..support.timer import Timer
from .request import Request

__all__ = ["Acceptance", "closed_for_a_message"]

_PATIENCE = 5.0
"""Seconds that a server has to close for a message; a ping that it answers says so sooner."""

_CLOSED_FOR_A_MESSAGE = frozenset({1009, 4413, 4414, 4415, 4416})
"""
WebSocket's "message too big", and what txtokensock's server closes with where a message is too
large, nests too deep, or names a channel that is too long or one too many.
"""


def closed_for_a_message(reason: Exception) -> bool:
    """Whether a connection was lost because the server could not take something that was sent."""
    code = getattr(reason, "code", None)
    return code in _CLOSED_FOR_A_MESSAGE or getattr(reason, "status", None) == 413


class Acceptance:
    """
    Numbers the requests of one connection.  A server takes what is sent in order, so its answer
    to one shows that it took all before that.

    What it may have closed for is a suspect, and is sent alone: after everything before it was
    taken, with a ping behind it, and with nothing else until either is answered.

    :param reactor: for the deadline of an answer.
    :param resume: called when there is nothing to wait for any more.
    :ivar sent: the number of the request that was sent last; whoever sends counts on.
    :ivar waiting: whether nothing is to be sent until the server has taken everything.
    """

    def __init__(self, reactor: IReactorTime, resume: Callable[[], object]) -> None:
        self._resume = resume
        self._deadline = Timer(reactor, self._all_taken)
        self.start()

    def start(self) -> None:
        """Nothing has been sent on this connection."""
        self._deadline.stop()
        self.waiting = False
        self.sent = self._taken = self._ping = 0

    def sending(self, request: Request) -> None:
        """This is sent next."""
        self.sent += 1
        request.number = self.sent

    def answered(self, number: int) -> None:
        """The server has taken the request of that number."""
        if number > self._taken:
            self._taken = number
        if self.waiting and self.complete:
            self.waiting = False
            self._deadline.stop()
            self._resume()

    @property
    def complete(self) -> bool:
        """Whether the server has taken everything, but for a ping."""
        return not self._untaken

    def wait(self, ping: Request | None) -> None:
        """
        Send nothing until the server has taken everything, or has had the time to close.

        :param ping: is sent for that.
        """
        if ping is not None:
            self.sending(ping)
            self._ping = ping.number
        self.waiting = True
        self._deadline.start(_PATIENCE)

    def suspect(self, request: Request) -> bool:
        """Whether the server may not have taken a request that was sent."""
        return request.number > self._taken

    @property
    def one_suspect(self) -> bool:
        """Whether it may not have taken one only, but for a ping."""
        return self._untaken == 1

    @property
    def _untaken(self) -> int:
        return self.sent - self._taken - (self._ping > self._taken)

    def _all_taken(self) -> None:
        self.waiting = False
        self._taken = self.sent
        self._resume()
