"""
What every server in memory offers: its clock, its network, and clients.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ..client.socket import TokenSocket
from ..support.interfaces import AnyFactory
from .network import Accept, MemoryNetwork

__all__ = ["MemoryHost"]

T = TypeVar("T")
E = TypeVar("E", bound=Exception)


class MemoryHost:
    """
    A server in memory, and the time that passes for it and its clients.

    :param factory: serves every connection, HTTP and WebSocket alike.
    :param clock: the time; a new one by default.
    :ivar network: connects the clients.
    """

    def __init__(self, factory: AnyFactory, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.network = MemoryNetwork(self.clock, factory)

    @property
    def open_connections(self) -> int:
        """How many connections there are now, those of token requests included."""
        return len(self.network.open)

    def client(self, **options: Any) -> TokenSocket:
        """
        A client of this server, not yet started.

        :param options: those of :class:`~txtokensock.TokenSocket`.
        """
        options.setdefault("host", "http://server.test")
        options.setdefault("endpoint", self.network.endpoint(self._accepts_socket()))
        options.setdefault("agent", self.network.agent(self._accepts_token_request()))
        return TokenSocket(reactor=self.clock, **options)

    def settle(self) -> None:
        """Let everything happen that can happen now, without any time passing."""
        self.clock.advance(0)

    def result(self, waited_for: Deferred[T] | Coroutine[Any, Any, T]) -> T:
        """
        Let everything happen that can happen now, and take the result: with this, any test
        can wait for a Deferred, without ``await`` and without a plugin.

        :param waited_for: a Deferred, or a coroutine that waits for Deferreds; it is run then.
        :return: what it fired with.
        :raises Exception: what it failed with.
        :raises AssertionError: where it has not fired, and so waits for time to pass (see
            :meth:`advance`), or for something that never happens.
        """
        if not isinstance(waited_for, Deferred):
            waited_for = Deferred.fromCoroutine(waited_for)
        outcomes: list[T | Failure] = []

        def note(outcome: Any) -> Any:
            outcomes.append(outcome)
            return outcome

        waited_for.addBoth(note)
        self.settle()
        if not outcomes:
            raise AssertionError(f"{waited_for!r} has no result yet")
        outcome = outcomes[0]
        if isinstance(outcome, Failure):
            waited_for.addErrback(lambda _: None)  # it is raised here
            outcome.raiseException()
        return outcome

    def failure(self, waited_for: Deferred[Any] | Coroutine[Any, Any, Any], kind: type[E]) -> E:
        """
        :meth:`result` of what has to fail.

        :param kind: of the error.
        :return: the error.
        :raises AssertionError: where it has a result, or none yet.
        """
        try:
            result = self.result(waited_for)
        except kind as error:
            return error
        raise AssertionError(f"{waited_for!r} did not fail, but fired with {result!r}")

    def advance(self, seconds: float) -> None:
        """
        Let time pass.  Unlike ``Clock.advance``, every timer finds the time at which it
        is due, as it does on a reactor.
        """
        end = self.clock.seconds() + seconds
        self.settle()
        while True:
            due = min((call.getTime() for call in self.clock.getDelayedCalls()), default=end)
            if due >= end:
                break
            self.clock.rightNow = due
            self.settle()
        self.clock.rightNow = end
        self.settle()

    def _accepts_socket(self) -> Accept:
        return lambda: True

    def _accepts_token_request(self) -> Accept:
        return lambda: True
