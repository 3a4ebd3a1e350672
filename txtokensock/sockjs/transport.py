"""
The transport that a protocol over SockJS sees, the same on client and server.
"""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import SockJSClosed
from ..support.deprecation import deprecate
from ..support.slices import LONGEST_SLICE, Slices
from .frames import NORMAL_CLOSURE, check_close
from .interfaces import ISockJSProtocol, ISockJSSession, ISockJSTransport

__all__ = ["SockJSTransport"]

_LONG = 16
"""
Units of a message that may take more than a turn has room for.  It waits for a turn of its own,
behind other such messages, so that those who send small ones are not behind all of them.
"""

_ONE_READ = 64 * 1024
"""Bytes that Twisted reads at once."""

_HEARD = deprecate("ISockJSTransport.heard", "frames_received", ends="0.3.0")


class State(enum.Enum):
    """
    Where a transport is on its way; the value says it in words.

    ===========  ===============  ========  ==============  ====================
    state        messages         sends     close or abort  session ended
    ===========  ===============  ========  ==============  ====================
    WAITING      wait             nothing   CLOSING         ENDED
    OPEN         are delivered    yes       CLOSING         DRAINING
    HALF_CLOSED  are dropped      nothing   CLOSING         DRAINING
    CLOSING      are dropped      nothing   aborts          DRAINING, then ENDED
    DRAINING     are dropped      nothing   ENDED           ignored
    ENDED        are dropped      nothing   ignored         ignored
    ===========  ===============  ========  ==============  ====================

    ``connect`` leads from WAITING to OPEN, and ``closing`` from there to HALF_CLOSED.
    Messages that came before are delivered in HALF_CLOSED and in DRAINING, which becomes ENDED
    with ``connectionLost`` as soon as none is left.  Whether the protocol is paused is
    independent of the state.
    """

    WAITING = "the protocol is not there yet"
    OPEN = "messages go both ways"
    HALF_CLOSED = "nothing can be sent any more, and the session is not over yet"
    CLOSING = "this side closed or dropped the session, which is not over yet"
    DRAINING = "the session is over, and messages that came before wait for the protocol"
    ENDED = "connectionLost was called"


WAITING, OPEN, HALF_CLOSED, CLOSING, DRAINING, ENDED = State


@implementer(ISockJSTransport)
class SockJSTransport:
    """
    Stands between a protocol and the session that moves its messages.  It keeps their order
    while the protocol is paused, and calls ``connectionLost`` exactly once.  :class:`State`
    has what each input does in each state.

    :param session: what moves the messages.
    :param name: of what carries the session.
    :param slices: for messages that are too many for one turn of the reactor; while they
        wait, no more is read.  None delivers all at once.
    :ivar delivering: whether the protocol is getting messages: what they provoke can wait until
        the last of them.
    :ivar after_delivery: called, if it is set, when the protocol has got what came together, or
        as much of it as a turn has room for.  It must not raise.
    """

    _log = Logger()

    def __init__(
        self, session: ISockJSSession, name: str = "", slices: Slices | None = None
    ) -> None:
        self._session = session
        self._slices = slices
        self.name = name
        self.frames_received = 0
        self.bytes_received = 0
        self.bytes_in_frames = 0
        self.last_received = 0.0
        self.frame_limits: tuple[int | None, int | None] = (None, None)
        self._state = WAITING
        self._protocol: IProtocol | None = None
        self._undelivered: deque[bytes] | tuple[()] = ()  # an empty deque takes 760 bytes
        self._paused = False
        self.delivering = False
        self._in_read = False
        self.after_delivery: Callable[[], object] | None = None
        self._continuing = False  # the rest is delivered in a later turn
        self._turn_of_long = False  # which is this one, for one message
        self._reading_held = False  # until then
        self._reason: Failure | None = None
        self._news_of_closing: Failure | None = None

    @property
    def disconnecting(self) -> bool:
        """Whether the end has begun, on either side: nothing that is written is sent."""
        return self._state is not OPEN and self._state is not WAITING

    @property
    def bytes_undelivered(self) -> int:
        """Bytes of messages that wait for the protocol."""
        return sum(map(len, self._undelivered))

    @property
    def heard(self) -> int:
        """The name that ``frames_received`` had."""
        _HEARD.warn()
        return self.frames_received

    # -- for the session

    def connect(self, protocol: IProtocol) -> None:
        """Connect ``protocol``, once, when the session is open."""
        assert self._state is WAITING, self._state
        self._state = OPEN
        self._protocol = protocol
        try:
            protocol.makeConnection(self)
        except BaseException:
            self._protocol_raised()
        self._deliver()

    def messages_received(self, messages: list[bytes]) -> None:
        """Deliver messages in order, now or when the protocol resumes."""
        if self._state is OPEN:
            self._add(messages)
            if not self._continuing:
                self._deliver()
            elif not self._reading_held and not self._paused:
                self._reading_held = True
                self._session.pause_reading()
        elif self._state is WAITING:
            self._add(messages)

    def _add(self, messages: list[bytes]) -> None:
        if self._undelivered:
            self._undelivered.extend(messages)
        else:
            self._undelivered = deque(messages)

    def closing(self, reason: Failure) -> None:
        """
        The session can send nothing any more, and is going to end.  A protocol that wants to
        know hears of it after the messages that came before.
        """
        if self._state is OPEN:
            self._state = HALF_CLOSED
            if ISockJSProtocol.providedBy(self._protocol):
                self._news_of_closing = reason
            self._deliver()

    def close_by_session(self, code: int, reason: str) -> None:
        """Close for a reason of the session's; a protocol that wants to know is told at once."""
        was_open = self._state is OPEN
        self.close(code, reason)
        protocol: Any = self._protocol
        if was_open and ISockJSProtocol.providedBy(protocol):
            try:
                protocol.connectionClosing(Failure(SockJSClosed(code, reason)))
            except BaseException:
                self._protocol_raised()

    def lost(self, reason: Failure) -> None:
        """
        The session is over without a close.  Of messages that came before, no more is kept than
        one read brings: nobody is there who waits for what they do.

        :param reason: see :meth:`ended`.
        """
        if self._state is OPEN and self.bytes_undelivered > _ONE_READ:
            self._undelivered = ()
        self.ended(reason)

    def ended(self, reason: Failure) -> None:
        """
        The session is over.  Messages that came before the end are delivered first, however
        long the protocol stays paused.

        :param reason: for the protocol, unless this side had one before.
        """
        if self._protocol is None:  # connectionLost has no one to be called on
            self._undelivered = ()
            self._state = ENDED
        elif self._state in (OPEN, HALF_CLOSED, CLOSING):
            self._reason = self._reason or reason
            self._state = DRAINING
            self._deliver()

    def read_begins(self) -> None:
        """
        What is received until :meth:`read_ends` came in together.  What it provokes is sent only
        then: the last of it may be the first sign of a close.
        """
        self._in_read = True

    def read_ends(self) -> None:
        """Call ``after_delivery``, with nothing more to come."""
        self._in_read = False
        if self.after_delivery is not None:
            self.after_delivery()

    # -- delivery

    def _deliver(self) -> None:
        protocol: Any = self._protocol
        if self.delivering or protocol is None:
            return
        self.delivering = True
        try:
            if self._slices is not None:
                self._deliver_slice(protocol, self._slices)
            else:
                while self._undelivered and not self._paused:
                    protocol.dataReceived(self._undelivered.popleft())
            if self._state is HALF_CLOSED and not self._undelivered:
                self._tell_of_closing(protocol)
        except BaseException:
            self._protocol_raised()
        finally:
            self.delivering = False
        if not self._undelivered:
            self._undelivered = ()
        if self.after_delivery is not None and not self._in_read:
            self.after_delivery()
        if self._state is DRAINING and not self._undelivered:
            self._finish()

    def _deliver_slice(self, protocol: Any, slices: Slices) -> None:
        """Deliver what one turn has room for, and the rest later."""
        share = left = slices.share
        begun: float | None = None
        while self._undelivered and not self._paused:
            cost = 1 + (len(self._undelivered[0]) >> 12)
            long = cost > _LONG
            if not self._turn_of_long if long else left <= 0:
                if not self._continuing:
                    self._continuing = True
                    slices.call(self._continue_long if long else self._continue, long=long)
                break
            self._turn_of_long = False
            left -= cost
            protocol.dataReceived(self._undelivered.popleft())
            if not left & 7:  # now and then, for the clock costs more
                now = slices.reactor.seconds()
                begun = now if begun is None else begun
                if now - begun >= LONGEST_SLICE:
                    left = 0
        slices.units -= share - left

    def _continue_long(self) -> None:
        self._turn_of_long = True
        self._continue()
        self._turn_of_long = False

    def _continue(self) -> None:
        self._continuing = False
        self._deliver()
        if self._reading_held and not self._continuing:
            self._reading_held = False
            self._read_again()

    def _read_again(self) -> None:
        if not self._paused and self._state in (OPEN, HALF_CLOSED):
            self._session.resume_reading()

    def _tell_of_closing(self, protocol: Any) -> None:
        news, self._news_of_closing = self._news_of_closing, None
        if news is not None:
            protocol.connectionClosing(news)

    def _finish(self) -> None:
        self._state = ENDED
        protocol, self._protocol = self._protocol, None
        self.after_delivery = None
        assert protocol is not None
        assert self._reason is not None
        try:
            protocol.connectionLost(self._reason)
        except BaseException:
            self._log.failure(
                "the protocol raised from connectionLost", event="sockjs.protocol_failed"
            )

    def _protocol_raised(self) -> None:
        """
        Drop the session of a protocol that raised, as Twisted's reactor drops connections.
        The exception goes no further.
        """
        failure = Failure()
        self._log.failure(
            "the protocol raised, its SockJS session is dropped",
            failure,
            event="sockjs.protocol_failed",
        )
        self._drop(failure)

    def _drop(self, reason: Failure) -> None:
        """Stop delivering, and abort the session unless it is over already."""
        self._undelivered = ()
        self._reason = self._reason or reason
        if self._state is DRAINING:
            self._deliver()
        elif self._state is not ENDED:
            self._state = CLOSING
            self._session.abort()

    # -- ITransport

    def write(self, data: bytes) -> None:
        """Send one message, text in UTF-8."""
        if self._state is OPEN:
            self._session.send([data])

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send several messages in one frame."""
        messages = list(data)
        if messages and self._state is OPEN:
            self._session.send(messages)

    def loseConnection(self) -> None:
        """Close in order, after what was written before has been sent."""
        self.close(*NORMAL_CLOSURE)

    def close(self, code: int, reason: str) -> None:
        """
        Close in order, with a code and a reason.

        :raises InvalidOption: if a WebSocket cannot be closed with them.
        """
        check_close(code, reason)
        if self._state in (WAITING, OPEN, HALF_CLOSED):
            self._state = CLOSING
            self._undelivered = ()
            self._session.close(code, reason)
        elif self._state is DRAINING:
            self._undelivered = ()
            self._deliver()

    def abortConnection(self) -> None:
        """Drop the connection at once."""
        self._drop(Failure(ConnectionAborted()))

    def getPeer(self) -> IAddress:
        """The address of the other side."""
        return self._session.peer()

    def getHost(self) -> IAddress:
        """The address of this side."""
        return self._session.host()

    # -- IPushProducer: what comes in

    def pauseProducing(self) -> None:
        """Stop delivering, and stop reading from the network."""
        if not self._paused:
            self._paused = True
            if self._state is OPEN and not self._reading_held:
                self._session.pause_reading()

    def resumeProducing(self) -> None:
        """Deliver what waits, then read from the network again."""
        if not self._paused:
            return
        self._paused = False
        self._deliver()
        if self._continuing:
            self._reading_held = True
        else:
            self._read_again()

    def stopProducing(self) -> None:
        """Close, for the consumer wants no more."""
        self.loseConnection()

    # -- IConsumer: what goes out

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume ``producer`` as the network's buffer fills and drains."""
        self._session.register_producer(producer, streaming)

    def unregisterProducer(self) -> None:
        """Stop pausing and resuming the producer."""
        self._session.unregister_producer()
