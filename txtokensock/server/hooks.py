"""
Hooks, with which the application decides what peers may do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias, get_args

from twisted.internet.defer import CancelledError
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from ..actions import outcome_error
from ..support.checks import check_callable, check_choice, is_number
from ..support.portable import Portable
from ..support.user_functions import UserFunctionTimeout, call_user_function, within
from .peer import Peer

__all__ = ["Event", "Hook", "Hooks", "Refused"]

Event: TypeAlias = Literal[
    "authentication", "subscribe", "unsubscribe", "publish", "broadcast", "join", "leave"
]
"""What a hook can be asked about; those for the last two are told what has happened."""

_CALLED_WITH: dict[str, Sequence[str]] = {
    "authentication": ("peer", "identity"),
    "subscribe": ("peer", "channel"),
    "unsubscribe": ("peer", "channel"),
    "publish": ("peer", "channel", "data"),
    "broadcast": ("peer", "data"),
    "join": ("peer", "channel"),
    "leave": ("peer", "channel"),
}

_LONGEST = 1e8
"""Seconds; a timer takes no infinity."""

Hook: TypeAlias = Callable[..., Any]
"""A function, one that returns a Deferred, or a coroutine function."""


class Refused(Portable):
    """
    A hook, or the server, refuses a request.

    :ivar error: what the client is told, any JSON that is not falsy.
    """

    def __init__(self, error: Any) -> None:
        super().__init__("refused")
        self.error = error


class Hooks:
    """
    The hooks of one server.

    :param reactor: for their deadline.
    :param timeout: seconds that each hook has; it may change.
    :param expose_errors: whether a client is told the text of an unexpected exception.
    """

    def __init__(
        self, reactor: IReactorTime, timeout: float, *, expose_errors: bool = False
    ) -> None:
        self._reactor = reactor
        self.timeout = timeout
        self._expose_errors = expose_errors
        self._hooks: dict[str, list[Hook]] = {event: [] for event in get_args(Event)}

    def add(self, event: Event, hook: Hook) -> None:
        """
        Ask a hook about an event from now on.

        :raises InvalidOption: for an unknown event, or a hook that cannot be called.
        """
        hooks = self._of(event)
        check_callable(f"the hook for {event!r}", hook, *_CALLED_WITH[event])
        hooks.append(hook)

    def remove(self, event: Event, hook: Hook) -> None:
        """Ask a hook no more; nothing happens if it was not asked."""
        if hook in self._of(event):
            self._of(event).remove(hook)

    def has(self, event: Event) -> bool:
        """Whether anybody is asked about an event."""
        return bool(self._hooks[event])

    def of(self, event: Event) -> tuple[Hook, ...]:
        """The hooks of an event now."""
        return tuple(self._hooks[event])

    def _of(self, event: Event) -> list[Hook]:
        return self._hooks[check_choice("event", event, self._hooks)]

    async def ask(self, event: Event, peer: Peer, *arguments: Any) -> float | None:
        """
        Ask every hook of the event, one after the other.

        :param peer: whose request it is about.
        :param arguments: what hooks of the event get besides.
        :return: the seconds for which all allow it, at least 1; None where none says seconds.
        :raises Refused: with the first refusal: False is "Forbidden", an exception is
            what :func:`~txtokensock.actions.outcome_error` makes of it, a hook that had
            its time is "Timeout".  Anything else but False allows it.
        """
        shortest: float | None = None
        for hook in self.of(event):
            try:
                allowed = await within(
                    self.timeout, self._reactor, call_user_function(hook, peer, *arguments)
                )
            except CancelledError:  # the peer went: nobody waits for an answer
                raise
            except UserFunctionTimeout:
                raise Refused("Timeout") from None
            except Exception:
                error = outcome_error(
                    Failure(),
                    f"{event} hook",
                    peer=peer,
                    identity=arguments[0] if event == "authentication" else peer.auth,
                    expose=self._expose_errors,
                )
                raise Refused(error) from None
            if allowed is False:
                raise Refused("Forbidden")
            if is_number(allowed):
                # Also "expires - now" that is over, and NaN: the hook refuses next time.
                seconds = min(allowed, _LONGEST) if allowed >= 1 else 1.0
                shortest = seconds if shortest is None else min(seconds, shortest)
        return shortest
