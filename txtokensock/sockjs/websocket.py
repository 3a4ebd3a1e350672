"""
What the WebSockets of client and server have in common, on top of Autobahn's protocols.

Autobahn's own timers run on the global reactor whatever reactor it is given.  All are off,
and every deadline is kept by the session, on its clock.

These parts of Autobahn are private, or not documented, and are used here or in the modules of
the two sides:

- ``_dataReceived``: what ``dataReceived`` does once it has built a debug message of each read.
- ``_connectionMade``: what a protocol has before its handshake, and needs no transport for.
- ``_fail_connection``: closes with the codes of RFC 6455, which ``sendClose`` refuses.
- ``failedByMe``: nothing that follows a violation of the peer's is delivered.
- ``data``: what it has read and not used yet: the beginning of a frame, or of the answer to the
  handshake.
- ``current_frame``: the frame whose head it has read: the rest of that is its own to read.
- ``inside_message``: whether it waits for more fragments of a message.
- ``message_is_binary``: what ``onMessageEnd`` delivers; Autobahn's own makes a Deferred a
  message, for listeners that we do not have.
- ``sendData``: Autobahn's own can trickle, and logs: a quarter of what a message costs.
- ``dropConnection``: Autobahn's own resets the connection after a clean close.
- ``processHandshake``: joins several headers of one name, which cookies do not survive.
- ``failHandshake``: is given the reason why a server's answer does not open a WebSocket.
- ``consumeData``: Autobahn's own goes on with all that was read, whatever came to light.
- ``processData``: the same.
- ``http_status_line``: the status that refused a handshake.
- ``http_headers``: the ``Location`` and ``Retry-After`` of that answer.
- ``wasClean``: whether the closing handshake was complete.
- ``wasNotCleanReason``: what is known where it was not.
- ``wasMaxMessagePayloadSizeExceeded``: whether that is that a message was too large.
- ``remoteCloseCode``: of the peer's close frame.
- ``remoteCloseReason``: the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from zope.interface import implementer

from ..support.direct_writes import follow_buffer
from ..support.quiet_log import Quiet
from .message_buffer import MessageBuffer
from .pongs import Pongs
from .text_frames import TextFrameReader

__all__ = ["TIMERS_OFF", "WebSocketConnection"]

TIMERS_OFF = {"openHandshakeTimeout": 0, "closeHandshakeTimeout": 0, "autoPingInterval": 0}
"""Autobahn's protocol options of both sides."""


@implementer(IPushProducer)
class WebSocketConnection:
    """
    A mixin for Autobahn's protocols: sends and reads text, counts fragments, answers pings,
    and follows its TCP connection's buffer, whose push producer it is.

    :param text_frames: takes the frames that need no Autobahn.
    """

    log = Quiet()
    _log = Logger()

    most_fragments: int
    """The most frames of one message: empty ones take memory, and count for no size limit."""

    # From Twisted and Autobahn.
    transport: Any
    state: Any
    STATE_OPEN: int
    data: bytes
    current_frame: Any
    inside_message: bool
    failedByMe: bool
    message_is_binary: bool
    _dataReceived: Any
    sendPing: Any
    sendPong: Any
    sendClose: Any

    def __init__(self, text_frames: TextFrameReader) -> None:
        super().__init__()
        self._text_frames = text_frames
        self._message = MessageBuffer()
        self._pongs = Pongs()
        self._fragments = 0
        self._producing = False
        self._write: Callable[[bytes], object] | None = None

    def bytes_received(self, data: bytes) -> None:
        """
        Read what came in.  Whole text frames are handed up together; whatever else there is,
        and what follows it in the same read, is Autobahn's.
        """
        while data:
            data = self.read_some(data, sys.maxsize, sys.maxsize)

    def read_some(self, data: bytes, most: int, size: int) -> bytes:
        """
        Read some of what came in.

        :param most: how many text frames to hand up.
        :param size: how many bytes to give to Autobahn, where they do not begin with one.
        :return: what is left.
        """
        frames = self._text_frames
        if (
            self.state == self.STATE_OPEN
            and not self.data
            and self.current_frame is None
            and not self.inside_message
        ):
            payloads, data = frames.take(data, most)
            if payloads:
                self.texts_received(payloads)
            if payloads or not data:
                return data
        elif kept := frames.release():
            data = kept + data
        self._dataReceived(data[:size])
        return data[size:]

    # -- from Autobahn

    def onMessageBegin(self, isBinary: bool) -> None:
        super().onMessageBegin(isBinary)  # type: ignore[misc]
        self._fragments = 0

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)  # type: ignore[misc]
        self._fragments += 1
        if self._fragments > self.most_fragments and not self.failedByMe:
            self.too_many_fragments()

    def onMessageFrameData(self, payload: bytes) -> None:
        if not self.failedByMe:
            self._message.add(payload)

    def onMessageEnd(self) -> None:
        message = self._message.take()
        if self.failedByMe:
            return
        if self.message_is_binary:
            self.binary_received(message)
        else:
            self.texts_received([message])

    def onPing(self, payload: bytes) -> None:
        self.activity()
        self._answer(self._pongs.pinged(payload))

    def onPong(self, payload: bytes) -> None:
        self.activity()

    def _answer(self, payload: bytes | None) -> None:
        if payload is not None:
            self.sendPong(payload)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:
        write = self._write or self.transport.write
        write(data)

    def texts_received(self, payloads: list[bytes]) -> None:
        """The text messages of one read have come, in order."""
        raise NotImplementedError

    def binary_received(self, message: bytes) -> None:
        """A binary message has come."""
        raise NotImplementedError

    def activity(self) -> None:
        """A ping or a pong has come: the peer is alive."""
        raise NotImplementedError

    def too_many_fragments(self) -> None:
        """End the connection: a message has more than ``most_fragments`` frames."""
        raise NotImplementedError

    # -- for the session

    def send_frame(self, frame: bytes) -> None:
        """Send one message in its frame, unless the WebSocket is closing."""
        if self.state == self.STATE_OPEN:
            write = self._write or self.transport.write
            write(frame)

    def ping(self) -> None:
        """Ask for a pong, unless the WebSocket is closing."""
        self.sendPing()

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake; what was sent before leaves first."""
        self.sendClose(code, reason)

    def fail(self, code: int, reason: str) -> None:
        """Close for a violation of RFC 6455; nothing that follows it is delivered."""
        raise NotImplementedError

    def limit_messages(self, size: int) -> None:
        """Close for a message of more bytes, from now on, before its bytes come."""
        self.maxMessagePayloadSize = self.maxFramePayloadSize = size
        self._text_frames.limit(size)

    def ignore_input(self) -> None:
        """Look at nothing that the peer sends any more, but at the end of the connection."""
        raise NotImplementedError

    def abort(self) -> None:
        """Drop the connection without sending anything more."""
        self.transport.abortConnection()

    def pause(self) -> None:
        """Stop reading from the network."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read from the network again."""
        self.transport.resumeProducing()

    # -- IPushProducer: the TCP buffer

    @property
    def buffer_is_full(self) -> bool:
        """Whether what is sent now has to wait for the peer to read."""
        return self._pongs.held

    def follow_buffer(self) -> None:
        """Follow the TCP buffer from now on; what was written before leaves now."""
        self._producing = True
        self._write = follow_buffer(self.transport, self)

    def unregisterProducer(self) -> None:
        """Autobahn calls this before it closes: TLS never ends while there is a producer."""
        if self._producing:
            self._producing = False
            self.transport.unregisterProducer()

    def pauseProducing(self) -> None:
        """Hold pongs back, for the TCP buffer is full."""
        self._pongs.hold()
        self.buffer_full()

    def resumeProducing(self) -> None:
        """Send pongs again, for the TCP buffer has drained."""
        self._answer(self._pongs.release())
        self.buffer_drained()

    def stopProducing(self) -> None:
        """Do nothing: the connection is lost, and ``connectionLost`` follows."""

    def buffer_full(self) -> None:
        """The TCP buffer is full: what is sent now waits until the peer reads."""
        raise NotImplementedError

    def buffer_drained(self) -> None:
        """The TCP buffer has drained: all that was sent has left."""
        raise NotImplementedError
