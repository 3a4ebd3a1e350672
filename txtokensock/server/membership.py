"""
Who has joined and left the channels of one server, told to the application.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..support.slices import Slices
from ..support.user_functions import begin_user_function
from .hooks import Hooks
from .peer import Peer

__all__ = ["Membership"]


class Membership:
    """
    Calls what the application has given for ``join`` and ``leave``, in the order in which it
    happens, in later turns: a change is over by then, and many at once take many turns.

    :param hooks: have these functions.
    :param slices: for later turns.
    """

    _log = Logger()

    def __init__(self, hooks: Hooks, slices: Slices) -> None:
        self._hooks = hooks
        self._slices = slices
        self._due: deque[tuple[Literal["join", "leave"], Peer, str]] = deque()
        self._telling = False

    def tell(self, event: Literal["join", "leave"], peer: Peer, channel: str) -> None:
        """A peer was subscribed to a channel, or is no more."""
        if self._hooks.has(event):
            self._due.append((event, peer, channel))
            if len(self._due) == 1 and not self._telling:
                self._slices.call(self._some)

    def flush(self) -> None:
        """Tell everything now: no turn comes any more."""
        while self._due:
            self._next()

    def _some(self) -> None:
        self._telling = True  # what a function causes is behind it, and needs no other call
        while self._due and self._slices.units > 0:
            self._slices.units -= 2
            self._next()
        self._telling = False
        if self._due:
            self._slices.call(self._some)

    def _next(self) -> None:
        event, peer, channel = self._due.popleft()  # a function may stop the server: flush()
        for function in self._hooks.of(event):
            called = begin_user_function(function, peer, channel)
            if isinstance(called, Deferred):
                called.addErrback(self._failed, event, channel)

    def _failed(self, failure: Failure, event: str, channel: str) -> None:
        self._log.failure(
            "the application's function for {what} failed, on {channel}",
            failure,
            event="membership.failed",
            what=event,
            channel=channel,
        )
