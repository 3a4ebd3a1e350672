"""
What a WebSocket on the server has to do with its TCP connection.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from .websocket_session import WebSocketSession

__all__ = ["TCPWire"]


@implementer(IPushProducer)
class TCPWire:
    """
    Half of a :class:`~.websocket_session.WebSocketWire`: it is the push producer of its TCP
    transport, and tells its session what the transport says of its buffer.
    """

    transport: Any  # a consumer and a push producer as well, as every TCP transport is
    _session: WebSocketSession
    _producing = False

    def _follow_buffer(self) -> None:
        self.transport.registerProducer(self, True)
        self._producing = True

    def unregisterProducer(self) -> None:
        """TLS never ends while a producer is registered."""
        if self._producing:
            self._producing = False
            self.transport.unregisterProducer()

    # -- IPushProducer: the TCP buffer

    def pauseProducing(self) -> None:
        """The buffer is full."""
        self._session.buffer_full()

    def resumeProducing(self) -> None:
        """The buffer has drained."""
        self._session.buffer_empty()

    def stopProducing(self) -> None:
        """The connection is lost; connectionLost says so too."""

    # -- WebSocketWire

    def abort(self) -> None:
        """Drop the connection at once."""
        self.transport.abortConnection()

    def pause(self) -> None:
        """Read no more."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read again."""
        self.transport.resumeProducing()
