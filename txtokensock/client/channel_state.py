"""
One channel: what the server has been told of it, and what is wanted of it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ..support.timer import Timer
from ..support.waiters import Waiters
from .subscription import Subscription

__all__ = ["ChannelState", "State"]


class State(Enum):
    """What the server has been told of a channel, on this connection."""

    OFF = "nothing"
    SUBSCRIBING = "_subscribe sent"
    ON = "subscribed"
    UNSUBSCRIBING = "_unsubscribe sent"
    WAITING = "_subscribe refused, to be sent again after a while"


class ChannelState:
    """
    :ivar subscriptions: who wants it, in the order of asking.
    :ivar leavers: wait for the server to confirm the end.
    :ivar request: the one that is under way, or None.
    :ivar failures: how often in a row the server did not confirm, on this connection.
    :ivar doubtful: whether a request was not answered in time, so that the server may have
        subscribed us all the same, or may yet.
    """

    def __init__(
        self, name: str, reactor: IReactorTime, ask_again: Callable[[ChannelState], None]
    ) -> None:
        self.name = name
        self.state = State.OFF
        self.subscriptions: dict[Subscription, None] = {}
        self.leavers: Waiters[None] = Waiters()
        self.request: Deferred[Any] | None = None
        self.failures = 0
        self.doubtful = False
        self._timer = Timer(reactor, lambda: ask_again(self))

    @property
    def wanted(self) -> bool:
        return bool(self.subscriptions)

    def wait(self, seconds: float) -> None:
        """Ask again after so many seconds."""
        self.state = State.WAITING
        self._timer.start(seconds)

    def stop_waiting(self) -> None:
        """What is asked of the server next depends on what is wanted now."""
        self._timer.stop()
        if self.state is State.WAITING:
            # A silent server may yet subscribe us, and then it must be told.
            unsubscribe = self.doubtful and not self.wanted
            self.state = State.ON if unsubscribe else State.OFF

    def lose(self) -> None:
        """The connection is gone, and with it everything that the server knew."""
        self._timer.stop()
        self.state = State.OFF
        self.request = None
        self.failures = 0
        self.doubtful = False
