"""
An HTTP response with SockJS frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from ...support.direct_writes import write_now
from ...web.server.answers import unbuffered
from .framing import Framing

__all__ = ["FrameStream"]


@implementer(IPushProducer)
class FrameStream:
    """
    One response.  That to a poll begins with its only frame, so that it has a length;
    a streaming one begins at once.

    It is the push producer of its request, so that it knows when the TCP buffer is full.

    :param request: an :class:`~twisted.web.iweb.IRequest` whose other headers are set.
    :param framing: how frames are written.
    :param limit: bytes after which a streaming response is full.
    :ivar writable: whether the TCP buffer has room.
    :ivar written: bytes of frames so far.
    :ivar full: whether no more frames may be written.
    """

    def __init__(self, request: Any, framing: Framing, limit: int) -> None:
        self._request = request
        self._framing = framing
        self._limit = limit
        self.written = 0
        self._lost = False
        self._unsent = False
        self.writable = True
        self.full = False
        self._on_lost: Callable[[], object] | None = None
        self._on_writable: Callable[[], object] | None = None
        request.notifyFinish().addErrback(self._connection_lost)
        request.setHeader(b"content-type", framing.content_type.encode())
        if not framing.single:
            unbuffered(request)
            request.registerProducer(self, True)
            request.write(framing.prelude)

    def follow(self, lost: Callable[[], object], writable: Callable[[], object]) -> None:
        """
        Have these called until the response is ended.

        :param lost: called if the connection is lost.
        :param writable: called when the TCP buffer has drained.
        """
        self._on_lost, self._on_writable = lost, writable

    def write(self, frame: bytes) -> None:
        """Write one frame; nothing happens if the connection is lost."""
        if self._lost:
            return
        data = self._framing.wrap(frame)
        if self._framing.single:
            self._request.setHeader(b"content-length", b"%d" % len(data))
        # Full before it is written: the TCP buffer may ask for more in between.
        self.written += len(data)
        self.full = self._framing.single or self.written >= self._limit
        self._request.write(data)
        self._unsent = True

    def flush(self) -> None:
        """Have what was written leave now, and not in the next turn of the reactor."""
        if self._unsent and not self._lost:
            self._unsent = False
            write_now(self._request.transport)

    def finish(self) -> None:
        """End the response; nothing happens if the connection is lost."""
        self._on_lost = self._on_writable = None
        if not self._lost:
            if not self._framing.single:
                self._request.unregisterProducer()
            self._request.finish()

    def abort(self) -> None:
        """Drop the response's connection at once."""
        self._on_lost = self._on_writable = None
        if not self._lost:
            request = self._request
            (request.transport or request.channel).abortConnection()  # HTTP/1.1, HTTP/2

    def _connection_lost(self, _: object) -> None:
        self._lost = True
        self._request = None  # a circle: it would keep the connection's buffer
        if self._on_lost is not None:
            self._on_lost()

    # -- IPushProducer: the TCP buffer

    def pauseProducing(self) -> None:
        self.writable = False

    def resumeProducing(self) -> None:
        self.writable = True
        if self._on_writable is not None:
            self._on_writable()

    def stopProducing(self) -> None:
        """Do nothing: the connection is lost, and ``notifyFinish`` fires."""
