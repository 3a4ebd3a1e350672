"""
Events and their listeners.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import isasyncgen, iscoroutine, isgenerator
from typing import Any, Literal, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..support.checks import check_callable, check_choice
from ..support.user_functions import UserFunctionError

__all__ = ["Event", "Events", "Listener", "call_listener"]

Listener = Callable[..., Any]
"""A function, one that returns a Deferred, or a coroutine function."""

Event: TypeAlias = Literal["ready", "reconnect", "message", "disconnect", "gap", "error"]
"""What a listener of a client can hear, see :meth:`~txtokensock.TokenSocket.on`."""

_log = Logger()


def call_listener(listener: Listener, *arguments: Any) -> Deferred[Any] | None:
    """
    Call a listener; what it raises, now or later, is logged and goes no further.

    :return: fires when it is done, and never fails; None where it is done already.
    """
    try:
        result = listener(*arguments)
    except BaseException as raised:
        _log.failure(
            "the listener {listener} raised",
            # It has no name here: that would be a cycle, by way of its traceback.
            Failure(raised if isinstance(raised, Exception) else UserFunctionError(raised)),
            event="client.listener_failed",
            listener=listener,
        )
        return None
    if result is None:  # of nearly all
        return None
    if iscoroutine(result):
        result = Deferred.fromCoroutine(result)
    if not isinstance(result, Deferred):
        if isgenerator(result) or isasyncgen(result):
            _log.error(
                "the listener {listener} gave a generator, of which nothing runs",
                event="client.listener_failed",
                listener=listener,
            )
        return None
    return result.addErrback(
        lambda failure: _log.failure(
            "the listener {listener} failed",
            failure,
            event="client.listener_failed",
            listener=listener,
        )
    )


@dataclass(eq=False, slots=True)
class _Added:
    listener: Listener
    once: bool
    called: bool = False


class Events:
    """
    Listeners, by the name of the event.

    :param events: the events that there are, and the names of what their listeners are given.
    """

    def __init__(self, events: Mapping[str, Sequence[str]]) -> None:
        self._events = events
        self._listeners: dict[str, list[_Added]] = {name: [] for name in events}

    def add(self, event: str, listener: Listener, *, once: bool = False) -> None:
        """
        Call ``listener`` at each ``event`` from now on, or only at the next one.

        :raises InvalidOption: for an event that does not exist, or what cannot be called.
        """
        listeners = self._of(event)
        check_callable(f"the listener for {event!r}", listener, *self._events[event])
        listeners.append(_Added(listener, once))

    def remove(self, event: str, listener: Listener) -> None:
        """Call ``listener`` no more; where it was added twice, once less."""
        listeners = self._of(event)
        for entry in listeners:
            if entry.listener == listener:
                listeners.remove(entry)
                return

    def remove_all(self, event: str | None = None) -> None:
        """Call no listener of ``event``, or none at all, any more."""
        for name in self._listeners if event is None else [event]:
            self._of(name).clear()

    def listeners(self, event: Event) -> Sequence[object]:
        """The listeners of an event: the same sequence for good, which grows and shrinks."""
        return self._listeners[event]

    def emit(
        self,
        event: str,
        *arguments: Any,
        running: Callable[[Deferred[Any]], object] = lambda _: None,
    ) -> bool:
        """
        Call the listeners, in the order in which they were added.

        :param running: called with a Deferred for each that is not done at once, which
            fires when it is, and never fails.
        :return: whether there was one.
        """
        listeners = self._listeners[event]
        if not listeners:
            return False
        for entry in listeners[:]:
            if entry.once:
                if entry.called:  # by an event that a listener before it caused
                    continue
                entry.called = True
                if entry in listeners:
                    listeners.remove(entry)
            deferred = call_listener(entry.listener, *arguments)
            if deferred is not None:
                running(deferred)
        return True

    def _of(self, event: str) -> list[_Added]:
        return self._listeners[check_choice("event", event, self._listeners)]
