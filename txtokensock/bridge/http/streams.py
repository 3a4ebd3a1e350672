"""
One stream of Server-Sent Events, and what waits for a reader that is slow.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from zope.interface import implementer

from ...jsontext import dumps

__all__ = ["HEARTBEAT", "Stream", "event"]

HEARTBEAT = b": heartbeat\n\n"
"""A comment: it tells both ends, and what is between them, that the other is there."""


def event(name: str | None, data: Any) -> bytes:
    """
    An event.

    :param name: its type; None for the usual, which is ``message``.
    :param data: anything that has a JSON form; JSON has no line breaks of its own.
    """
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    return head + b"data: " + dumps(data) + b"\n\n"


@implementer(IPushProducer)
class Stream:
    """
    What is sent to one reader.  While the reader takes nothing, events wait, so many
    bytes of them; then the oldest make room, and an event ``gap`` says how many did.

    :param request: Twisted's, whose headers are set.
    :param room: bytes that may wait.
    :ivar ended: fires with None when it has ended.
    :ivar started: whether the headers are sent.
    :ivar dropped: how many events made room, all in all.
    :ivar paused_since: the time since when the reader takes nothing, or None.
    """

    def __init__(self, request: Any, room: int, reactor: IReactorTime) -> None:
        self._request = request
        self._room = room
        self._reactor = reactor
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._gap = 0
        self.started = False
        self._over = False
        self.dropped = 0
        self.paused_since: float | None = None
        self.ended: Deferred[None] = Deferred()

    def start(self, first: bytes) -> None:
        """Send the headers, ``first``, and what came meanwhile."""
        self.started = True
        self._request.notifyFinish().addErrback(lambda _: self._end())
        self._request.registerProducer(self, True)
        self._request.write(first)
        self._flush()

    def send(self, data: bytes) -> int:
        """
        Send an event, now or when the reader takes it.

        :return: how many events made room for it.
        """
        if self._over:
            return 0
        if self.started and self.paused_since is None:
            self._request.write(data)
            return 0
        self._waiting.append(data)
        self._size += len(data)
        dropped = 0
        while self._size > self._room:
            self._size -= len(self._waiting.popleft())
            dropped += 1
        self._gap += dropped
        self.dropped += dropped
        return dropped

    def beat(self) -> None:
        """Send a heartbeat, unless the reader takes nothing."""
        if self.started and not self._over and self.paused_since is None:
            self._request.write(HEARTBEAT)

    def finish(self, last: bytes = b"") -> None:
        """Send a last event, if any, and end the response."""
        if self._over:
            return
        if self.started:
            self._request.unregisterProducer()
            if last:
                self._request.write(last)
        self._end()

    def abort(self) -> None:
        """Drop the connection: nobody reads.  ``ended`` fires when it is gone."""
        self._request.channel.forceAbortClient()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self._waiting.clear()
            self._size = 0
            self.ended.callback(None)

    # -- IPushProducer

    def pauseProducing(self) -> None:
        """The reader is slow."""
        if self.paused_since is None:
            self.paused_since = self._reactor.seconds()

    def resumeProducing(self) -> None:
        """The reader took what it had."""
        self.paused_since = None
        self._flush()

    def stopProducing(self) -> None:
        """The connection is gone, which the request is told as well."""

    def _flush(self) -> None:
        if self._gap:
            gap, self._gap = self._gap, 0
            self._request.write(event("gap", {"dropped": gap}))
        # Each write may pause us again.
        while self._waiting and self.paused_since is None and not self._over:
            data = self._waiting.popleft()
            self._size -= len(data)
            self._request.write(data)
