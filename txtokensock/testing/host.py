"""
What every server in memory offers: its clock, its network, and clients.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.task import Clock

from ..client.socket import TokenSocket
from .network import Accept, MemoryNetwork

__all__ = ["MemoryHost"]


class MemoryHost:
    """
    A server in memory, and the time that passes for it and its clients.

    :param factory: serves every connection, HTTP and WebSocket alike.
    :param clock: the time; a new one by default.
    :ivar network: connects the clients.
    """

    def __init__(self, factory: IProtocolFactory, clock: Clock | None = None) -> None:
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
