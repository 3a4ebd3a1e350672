"""
How long each phase of a connection may take.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..errors import AttemptTimeout, Phase, TokenRefused, TokenServerError
from .checks import check_seconds
from .portable import Portable
from .timer import Deadline

__all__ = [
    "SLOWEST_LINK",
    "Timeouts",
    "Unanswered",
    "add_deadline",
    "transfer_time",
    "within_phase",
]

T = TypeVar("T")

SLOWEST_LINK = 25_000
"""Bytes a second of a link that connections are kept over."""

_FEW = 4096
"""Bytes that delay nothing that counts."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """
    The deadline of each phase of an attempt to connect, of sending over HTTP, and of
    closing; all in seconds.  Each transport that an attempt tries has its own ``connect``,
    ``handshake`` and ``open``.

    :ivar token: asking ``authentication`` and the whole token request.
    :ivar connect: TCP, TLS and proxies.
    :ivar handshake: the answer to the WebSocket handshake, to the first HTTP request of
        another transport, and to ``/info``.
    :ivar open: the wait for SockJS's ``o`` frame.
    :ivar auth: the wait for the answer to ``auth``; the server may call our actions
        meanwhile and wait for them.
    :ivar send: each request with messages, where a transport over HTTP is used, besides a
        second for each 25 kB of it; after that the connection is dropped.
    :ivar close: an orderly close; after that the connection is dropped.
    :raises InvalidOption: for a value that is not a number of seconds above 0 and below 1e9.
    """

    token: float = 10.0
    connect: float = 10.0
    handshake: float = 10.0
    open: float = 10.0
    auth: float = 30.0
    send: float = 30.0
    close: float = 5.0

    def __post_init__(self) -> None:
        for field in fields(self):
            check_seconds(f"timeouts.{field.name}", getattr(self, field.name))


class Unanswered(Portable, CancelledError):
    """Connecting was cancelled; the text says who had not answered by then."""


def transfer_time(size: float) -> float:
    """:return: how many seconds so many bytes may take on a slow link."""
    return size / SLOWEST_LINK if size > _FEW else 0.0


def add_deadline(
    waiting: Deferred[T],
    seconds: float,
    reactor: IReactorTime,
    late: Callable[[object, float], Failure],
) -> Deferred[T]:
    """
    Cancel ``waiting`` when the time is over, see :class:`~.timer.Deadline`.

    :param late: called then with the outcome and ``seconds``; gives the Failure instead.
    :return: ``waiting``.
    """
    is_late = False

    def over() -> None:
        nonlocal is_late
        is_late = True
        waiting.cancel()

    deadline = Deadline(reactor, over)
    deadline.start(seconds)

    def done(outcome: T | Failure) -> T | Failure:
        deadline.stop()
        return late(outcome, seconds) if is_late else outcome

    return waiting.addBoth(done)


def within_phase(
    step: Deferred[T], phase: Phase, timeouts: Timeouts, reactor: IReactorTime
) -> Deferred[T]:
    """
    :param phase: the phase that ``step`` belongs to; ``timeouts`` has its deadline.
    :return: ``step``.  When the time is over it is cancelled, and fails with
        :class:`~txtokensock.errors.AttemptTimeout`, which names the phase; or with the
        refusal of a token, where only the end of its body was missing.
    """
    seconds: float = getattr(timeouts, phase)

    def timed_out(outcome: object, _: float) -> Failure:
        problem = outcome.value if isinstance(outcome, Failure) else None
        if isinstance(outcome, Failure) and isinstance(problem, TokenRefused | TokenServerError):
            return outcome
        hint = f": {problem}" if isinstance(problem, Unanswered) else ""
        return Failure(AttemptTimeout(phase, seconds, hint))

    return add_deadline(step, seconds, reactor, timed_out)
