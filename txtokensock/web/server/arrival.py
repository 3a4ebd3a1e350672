"""
In which time a request has to arrive.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from ...support.deadlines import Deadlines, Late
from .site_limits import Refusal, SiteLimits

__all__ = ["Arrival"]


def _ignore(_: Refusal) -> None:
    """There is nobody to tell."""


class Arrival:
    """
    The deadline of what a connection brings: the head of a request, then its body.

    :param reactor: its clock.
    :param deadlines: those of the site.
    :param limits: of the site.
    :param late: called with which of its limits was crossed.
    :ivar body_bytes: bytes of the body that have come.
    """

    __slots__ = (
        "_began",
        "_begins",
        "_deadlines",
        "_late",
        "_limits",
        "_reactor",
        "_refusal",
        "_seconds",
        "body_bytes",
    )

    def __init__(
        self,
        reactor: IReactorTime,
        deadlines: Deadlines[Late],
        limits: SiteLimits,
        late: Callable[[Refusal], object],
    ) -> None:
        self._reactor = reactor
        self._deadlines = deadlines
        self._limits = limits
        self._late = late
        self._seconds: float | None = None  # that what is awaited has
        self._refusal: Refusal = "head_timeout"
        self._begins = False  # a body, in this read
        self._began = 0.0
        self.body_bytes = 0

    @property
    def awaited(self) -> bool:
        """Whether a head or a body is on its way."""
        return self._seconds is not None

    def head(self) -> None:
        """A head has to come, from now on."""
        self._refusal = "head_timeout"
        self._start(self._limits.head_timeout)

    def body(self) -> None:
        """The head is there, and its body has to come, unless it has at the end of this read."""
        self.complete()
        self._refusal = "body_timeout"
        self._begins = True
        self.body_bytes = 0

    def read(self) -> None:
        """All that has come was taken."""
        if self._begins:
            self._began = self._reactor.seconds()
            self._start(self._limits.body_timeout)

    def complete(self) -> None:
        """The request is there, or nobody waits for it any more."""
        self._begins = False
        if self._seconds is not None:
            self._deadlines.remove(self, self._seconds)
            self._seconds = None

    def end(self) -> None:
        """The connection is gone: nobody is told any more."""
        self.complete()
        self._late = _ignore  # it may be long until somebody collects the garbage that this is

    def linger(self, seconds: float) -> None:
        """Give a connection that is being closed so long."""
        self._start(seconds)

    def _start(self, seconds: float) -> None:
        self.complete()
        self._seconds = seconds
        self._deadlines.add(self, seconds, self._reactor.seconds())

    def late(self) -> None:
        """Its time is over, unless a body is coming as fast as it has to."""
        self._seconds = None
        if self._refusal == "body_timeout":
            limits = self._limits
            allowed = limits.body_timeout + self.body_bytes / limits.body_rate
            left = self._began + allowed - self._reactor.seconds()
            if left > 0:
                self._start(max(left, 1.0))
                return
        self._late(self._refusal)
