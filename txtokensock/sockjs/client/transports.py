"""
The transports of a client, and the order in which they are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from ...errors import InvalidOption
from ..transport_names import DEFAULT_TRANSPORTS, Transport
from .client_websocket import open_raw_websocket, open_websocket
from .frame_readers import EVENTSOURCE, XHR_POLLING, XHR_STREAMING
from .http import open_http
from .session import ClientSession
from .session_target import SessionTarget

__all__ = [
    "DEFAULT_MAX_MESSAGE_SIZE",
    "DEFAULT_TRANSPORTS",
    "TRANSPORTS",
    "Preference",
    "check_transports",
]

Opener: TypeAlias = Callable[[ClientSession, SessionTarget], Deferred[Any]]
"""Fires when a connection is made; the session's Deferreds tell how the attempt goes."""

TRANSPORTS: dict[Transport, Opener] = {
    "websocket": open_websocket,
    **{
        framing.name: partial(open_http, framing)
        for framing in (XHR_STREAMING, EVENTSOURCE, XHR_POLLING)
    },
    "websocket-raw": open_raw_websocket,
}
"""One for each of :data:`~txtokensock.sockjs.transport_names.TRANSPORT_NAMES`, in that order."""

DEFAULT_MAX_MESSAGE_SIZE = 16 * 1024 * 1024
"""Bytes of one message that a client takes, whatever carries it."""

_REMEMBERED = 600.0
"""Seconds for which what worked is tried first."""


def check_transports(option: Sequence[str]) -> tuple[Transport, ...]:
    """
    :return: a copy.
    :raises InvalidOption: for anything but different names of transports.
    """
    several = isinstance(option, Sequence) and not isinstance(option, str | bytes)
    if not several or not option or not all(name in tuple(TRANSPORTS) for name in option):
        raise InvalidOption(
            f"transports is {option!r}: it must hold some of {', '.join(TRANSPORTS)}"
        )
    if len(set(option)) < len(option):
        raise InvalidOption(f"transports is {option!r}: it names one of them twice")
    return tuple(cast(Sequence[Transport], option))


class Preference:
    """
    Puts the transport that worked last first, for ten minutes.  Behind a proxy that breaks
    WebSockets, not every reconnect has to try one.

    :param reactor: its clock.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self._reactor = reactor
        self._worked: str | None = None
        self._when = 0.0

    def order(self, transports: Iterable[Transport]) -> list[Transport]:
        """:return: ``transports`` in the order in which to try them now."""
        if self._reactor.seconds() - self._when >= _REMEMBERED:
            self._worked = None
        return sorted(transports, key=lambda name: name != self._worked)

    def worked(self, transport: str) -> None:
        """Note the transport of a session that was opened."""
        self._worked = transport
        self._when = self._reactor.seconds()
