"""
What every server in memory offers: its clock, its network, and clients.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ..client.socket import TokenSocket
from ..support.providers import AnyFactory
from .network import MemoryNetwork, NetworkFault
from .results import result_of

__all__ = ["MemoryHost"]

_GRACE = 10.0
"""Seconds that clients and server have to end: as long as each of their own deadlines for it."""

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
        self._clients: list[TokenSocket] = []

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
        options.setdefault("endpoint", self.network.endpoint(self._accepts_socket))
        options.setdefault("agent", self.network.agent(self._accepts_token_request))
        client = TokenSocket(reactor=self.clock, **options)
        self._clients.append(client)
        return client

    def fault(self, name: NetworkFault) -> None:
        """Let something go wrong between client and server: see :meth:`MemoryNetwork.fault`."""
        self.network.fault(name)

    def heal(self) -> None:
        """End every fault: see :meth:`MemoryNetwork.heal`."""
        self.network.heal()

    def finish(self) -> None:
        """
        End every client that was made here, and the server, and see that nothing is left.

        :raises AssertionError: if a connection or a timer is.
        """
        self.heal()
        ends = [client.end() for client in self._clients]
        self.settle()
        ends += self._stop()
        self.advance(_GRACE)
        for end in ends:
            self.result(end)
        left = [*self.network.open, *self.clock.getDelayedCalls()]
        if left:
            raise AssertionError(f"left at the end: {left}")

    def _stop(self) -> list[Deferred[None]]:
        return []

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
        return result_of(waited_for, self.settle)

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

    def _accepts_socket(self) -> bool | None:
        return True

    def _accepts_token_request(self) -> bool | None:
        return True
