"""
One request to the server, from the call to its single outcome.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable
from enum import Enum
from typing import Any

from msgspec import Struct
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Completion", "Request", "uuid_source"]


def uuid_source() -> Callable[[], str]:
    """
    A function that gives a new uuid at each call: unique among all clients, and cheap.
    Servers only echo it, so that it need not be hard to guess.
    """
    numbered = f"{secrets.token_hex(8)}-%x".__mod__
    return map(numbered, itertools.count(1)).__next__


class Completion(Enum):
    """When a request is done."""

    ANSWER = "with the server's answer"
    SENT = "with the answer where the server acknowledges, else when it is sent"


class Request(Struct, eq=False):
    """
    It is a struct, which is made in a quarter of the time, of values that mostly have defaults,
    and is the canceller of its Deferred itself.  Each object that waits with it would take the
    garbage collector's time, again and again.

    :ivar payload: the encoded message.
    :ivar uuid: matches the answer.
    :ivar verb: what is asked, for people, such as ``rpc``.
    :ivar name: of what, such as ``echo``; None where that says nothing.
    :ivar idempotent: it may be sent again on the next connection.
    :ivar channel_request: it speaks of this connection only: it is not kept for the next.
    :ivar channel: the name that the server is told, where it is told one.
    :ivar sent_at: when that was the last time, in seconds of the reactor's clock.
    :ivar number: its place among all that was sent on this connection, from 1; 0 where it was
        sent on none so far.
    :ivar suspect: a server may have closed for it: it is sent alone.
    :ivar timeout: seconds that it may take, in all.
    :ivar deferred: fires once, with the result or a failure; None before and after.
    :ivar withdrawn: called with it where the Deferred is cancelled.
    """

    payload: bytes
    uuid: str
    verb: str
    name: str | None = None
    completion: Completion = Completion.ANSWER
    idempotent: bool = False
    channel: str | None = None
    channel_request: bool = False
    sent_at: float = 0.0
    number: int = 0
    suspect: bool = False
    timeout: float = 0.0
    deferred: Deferred[Any] | None = None
    withdrawn: Callable[[Request], object] = lambda _: None

    @property
    def what(self) -> str:
        """What was asked, for people, such as ``rpc 'echo'``."""
        return self.verb if self.name is None else f"{self.verb} {self.name!r}"

    @property
    def sent(self) -> bool:
        """Whether it was handed to a transport at least once."""
        return self.number > 0

    @property
    def done(self) -> bool:
        """Whether it has had its outcome, or was withdrawn."""
        return self.deferred is None

    def __call__(self, _: object) -> None:
        """Withdraw it, for its Deferred was cancelled, which fires by itself."""
        self.deferred = None
        self.withdrawn(self)

    def finish(self, result: Any) -> None:
        """Fire the Deferred with a result, unless it is done."""
        deferred = self.deferred
        if deferred is not None:
            self.deferred = None
            deferred.callback(result)

    def fail(self, error: Exception) -> None:
        """Fire the Deferred with an error, unless it is done."""
        deferred = self.deferred
        if deferred is not None:
            self.deferred = None
            deferred.errback(Failure(error))
