"""
Messages for one peer, gathered over one turn of the reactor, or one read.

A SockJS frame costs several times what a message in it costs, so the answers to a burst of
calls, and the copies of a broadcast, leave in one frame.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ..sockjs.transport import SockJSTransport
from ..support.slices import Slices
from ..support.waiters import Waiters
from .ops.observer import Observer

__all__ = ["Outbox"]

_FRAME_SIZE = 64 * 1024
"""Bytes after which a frame is sent: receivers limit the size of one."""


@implementer(IPushProducer)
class Outbox:
    """
    Writes messages to a transport, several in one frame, and follows how full its buffer is.

    :param transport: takes the messages.
    :param slices: says when to hand them over.
    :param observer: is told how many leave.
    :ivar full: whether more waits for the peer to read than the network takes.
    :ivar patience_from: when it is worth again to wait until it is not, in seconds of the
        reactor's clock.
    """

    __slots__ = (
        "_drains",
        "_due",
        "_messages",
        "_observer",
        "_size",
        "_slices",
        "_transport",
        "full",
        "patience_from",
    )

    def __init__(self, transport: SockJSTransport, slices: Slices, observer: Observer) -> None:
        self._transport = transport
        self._slices = slices
        self._observer = observer
        self._messages: list[bytes] = []
        self._size = 0
        self._due = False
        self._drains: Waiters[None] | None = None
        self.full = False
        self.patience_from = 0.0
        transport.registerProducer(self, True)
        transport.after_delivery = self.flush

    def write(self, message: bytes) -> None:
        """
        Send a message at the end of this turn, or of the read that provoked it; or at once, if
        a frame is full.
        """
        self._messages.append(message)
        self._size += len(message)
        if self._size >= _FRAME_SIZE:
            self.flush()
        elif not (self._due or self._transport.delivering):
            self._due = True
            self._slices.call(self.flush)

    def flush(self) -> None:
        """Send everything that was written, at once."""
        self._due = False
        if self._messages:
            messages, size = self._messages, self._size
            self._messages, self._size = [], 0
            self._observer.messages_sent(len(messages), size)
            self._transport.writeSequence(messages)

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """Note that the buffer is full: what is sent now waits until the peer reads."""
        self.full = True

    def resumeProducing(self) -> None:
        """Note that the buffer has drained."""
        self.full = False
        drains, self._drains = self._drains, None
        if drains is not None:
            drains.fire()

    def stopProducing(self) -> None:
        """Let those go who wait: nothing can be sent any more."""
        self.resumeProducing()

    def drained(self, seconds: float) -> Deferred[None]:
        """
        :return: fires with None when the buffer has drained, or after so many seconds.
            Cancelling it ends this wait.
        """
        if not self.full:
            return succeed(None)
        if self._drains is None:
            self._drains = Waiters()
        wait = self._drains.wait()
        return wait.addTimeout(seconds, self._slices.reactor, lambda *_: None)
