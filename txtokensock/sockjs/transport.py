"""
The transport that a protocol over SockJS sees, the same on client and server.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..support.deprecation import deprecate
from .frames import NORMAL_CLOSURE, check_close
from .interfaces import ISockJSSession, ISockJSTransport

__all__ = ["SockJSTransport"]

_HEARD = deprecate("ISockJSTransport.heard", "frames_received", ends="0.3.0")


@implementer(ISockJSTransport)
class SockJSTransport:
    """
    Stands between a protocol and the session that moves its messages: keeps their order
    while the protocol is paused, and sees to it that the protocol hears of the end
    exactly once.

    :param session: what moves the messages.
    :param name: of what carries the session.
    """

    _log = Logger()

    def __init__(self, session: ISockJSSession, name: str = "") -> None:
        self._session = session
        self.name = name
        self._protocol: IProtocol | None = None
        self._undelivered: deque[bytes] = deque()
        self._paused = False
        self._delivering = False
        self._closing = False
        self._end: Failure | None = None
        self._session_gone = False
        self._ended = False
        self.frames_received = 0

    @property
    def heard(self) -> int:
        """The name that ``frames_received`` had."""
        _HEARD.warn()
        return self.frames_received

    # -- for the session

    def connect(self, protocol: IProtocol) -> None:
        """Start: the session is open, and ``protocol`` is on it."""
        self._protocol = protocol
        try:
            protocol.makeConnection(self)
        except Exception:
            self._protocol_raised()

    def messages_received(self, messages: list[bytes]) -> None:
        """Deliver messages in order, now or as soon as the protocol wants them."""
        if self._closing:
            return
        self._undelivered.extend(messages)
        self._deliver()

    def ended(self, reason: Failure) -> None:
        """
        The session is over, for ``reason``.  Messages that came before an orderly end
        are delivered first, however long the protocol stays paused.
        """
        self._session_gone = True
        self._end = self._end or reason
        self._deliver()

    # -- delivery

    def _deliver(self) -> None:
        if self._delivering or self._protocol is None:
            return
        self._delivering = True
        try:
            while self._undelivered and not self._paused and not self._closing:
                self._protocol.dataReceived(self._undelivered.popleft())
        except Exception:
            self._protocol_raised()
        finally:
            self._delivering = False
        if self._session_gone and not self._undelivered and not self._ended:
            assert self._end is not None
            self._ended = True
            self._closing = True
            protocol, self._protocol = self._protocol, None
            try:
                protocol.connectionLost(self._end)
            except Exception:
                self._log.failure("the protocol raised from connectionLost")

    def _protocol_raised(self) -> None:
        """
        As Twisted's reactor does: a protocol that raises loses its connection, and
        nobody else notices.
        """
        failure = Failure()
        self._log.failure("the protocol raised, its SockJS session is dropped", failure)
        self._end = self._end or failure
        self._drop()

    def _drop(self) -> None:
        self._closing = True
        self._undelivered.clear()
        if self._session_gone:
            self._deliver()
        else:
            self._session.abort()

    # -- ITransport

    def write(self, data: bytes) -> None:
        """Send one message: UTF-8 text."""
        if not self._closing and not self._session_gone:
            self._session.send([data])

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several messages in one frame."""
        messages = list(data)
        if messages and not self._closing and not self._session_gone:
            self._session.send(messages)

    def loseConnection(self) -> None:
        """Close in order; what was written before is sent first."""
        self.close(*NORMAL_CLOSURE)

    def close(self, code: int, reason: str) -> None:
        """
        Close in order, with a code and a reason of the caller's.

        :raises InvalidOption: if no WebSocket could carry them.
        """
        check_close(code, reason)
        if not self._closing:
            self._closing = True
            self._undelivered.clear()
            if self._session_gone:
                self._deliver()
            else:
                self._session.close(code, reason)

    def abortConnection(self) -> None:
        """Drop the connection at once."""
        if not self._ended:
            self._end = self._end or Failure(ConnectionAborted())
            self._drop()

    def getPeer(self) -> IAddress:
        """The other side's address."""
        return self._session.peer()

    def getHost(self) -> IAddress:
        """This side's address."""
        return self._session.host()

    # -- IPushProducer: what comes in

    def pauseProducing(self) -> None:
        """Deliver no more, and stop reading from the network."""
        if not self._paused:
            self._paused = True
            if not self._session_gone:
                self._session.pause_reading()

    def resumeProducing(self) -> None:
        """Deliver what waits, then read again."""
        if not self._paused:
            return
        self._paused = False
        self._deliver()
        if not self._paused and not self._session_gone:
            self._session.resume_reading()

    def stopProducing(self) -> None:
        """No more is wanted: close."""
        self.loseConnection()

    # -- IConsumer: what goes out

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume ``producer`` as the network's buffer fills and drains."""
        self._session.register_producer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self._session.unregister_producer()
