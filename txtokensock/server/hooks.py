"""
Hooks: the application's say in what peers may do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias, get_args

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure

from ..actions import outcome_error, run_action
from ..support.checks import check_callable, check_choice

__all__ = ["Event", "Hook", "HookTimeout", "Hooks", "Refused", "within"]

Event: TypeAlias = Literal["authentication", "subscribe", "unsubscribe", "publish", "broadcast"]
"""What a hook can be asked about."""

Hook: TypeAlias = Callable[..., Any]
"""A function, one that returns a Deferred, or a coroutine function."""


class Refused(Exception):
    """
    A request is refused.

    :ivar error: what its sender is told, as JSON; never falsy.
    """

    def __init__(self, error: Any) -> None:
        super().__init__("refused")
        self.error = error


class HookTimeout(Exception):
    """What was asked had its time."""


class Hooks:
    """
    The hooks of one server.

    :param reactor: for their deadline.
    :param timeout: seconds that each hook has.
    """

    def __init__(self, reactor: IReactorTime, timeout: float) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._hooks: dict[str, list[Hook]] = {event: [] for event in get_args(Event)}

    def add(self, event: Event, hook: Hook) -> None:
        """
        :raises InvalidOption: for an unknown event, or what cannot be called.
        """
        check_callable(f"the hook for {event!r}", hook)
        self._of(event).append(hook)

    def remove(self, event: Event, hook: Hook) -> None:
        """Nothing happens if it is not there."""
        if hook in self._of(event):
            self._of(event).remove(hook)

    def _of(self, event: Event) -> list[Hook]:
        return self._hooks[check_choice("event", event, self._hooks)]

    async def ask(self, event: Event, *arguments: Any) -> None:
        """
        Ask every hook of the event, one after the other.

        :raises Refused: with the first refusal: False is "Forbidden", an exception is
            what :func:`~txtokensock.actions.outcome_error` makes of it, a hook that had
            its time is "Timeout".  Anything else but False allows it.
        """
        for hook in tuple(self._hooks[event]):
            try:
                allowed = await within(self._timeout, self._reactor, run_action(hook, *arguments))
            except CancelledError:  # the peer went: nobody waits for an answer
                raise
            except HookTimeout:
                raise Refused("Timeout") from None
            except Exception:
                raise Refused(outcome_error(Failure(), f"{event} hook")) from None
            if allowed is False:
                raise Refused("Forbidden")


def within(seconds: float, reactor: IReactorTime, asked: Deferred[Any]) -> Deferred[Any]:
    """
    A deadline that holds whatever ``asked`` does with its cancellation: coroutines and
    Deferreds may ignore it, and their later result must change nothing.

    :return: fires as ``asked`` does, or fails with :class:`HookTimeout`.  Cancelling it
        cancels ``asked``, and fails at once.
    """
    answer: Deferred[Any] = Deferred(lambda _: give_up())
    timer: IDelayedCall | None = None
    waiting = True

    def give_up() -> None:
        nonlocal waiting
        waiting = False
        if timer is not None and timer.active():
            timer.cancel()
        asked.cancel()

    def too_late() -> None:
        give_up()
        answer.errback(HookTimeout())

    def settle(result: Any) -> None:
        nonlocal waiting
        if not waiting:
            return
        waiting = False
        if timer is not None:
            timer.cancel()
        answer.callback(result)

    asked.addBoth(settle)
    if waiting:
        timer = reactor.callLater(seconds, too_late)
    return answer
