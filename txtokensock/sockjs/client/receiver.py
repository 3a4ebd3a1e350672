"""
Receives frames over HTTP: one response after the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from ...errors import SessionLost
from ...web.client.http_client import COMPLETE, unwrap
from ...web.tls.policy import explain
from ..frames import FrameError
from .frame_readers import FrameReader

__all__ = ["Receiver"]


class Receiver:
    """
    Sends requests for frames: the next one when the response to the one before is complete.

    While it is paused, responses are not read from the network.  A response that is complete
    is followed by another request all the same, since a server ends a session that has none
    for some seconds; the body of its response is not read either.

    :param request: sends the request for frames.
    :param new_reader: makes what reads one response.
    :param on_response: called with each response as soon as its head is there; says whether
        it is one with frames.  If not, the receiver is to be stopped.
    :param on_bytes: called with how many bytes of a body came in, before their frames.
    :param on_frames: called with the frames of one read, in order; some may follow even where
        one ended the session.
    :param on_violation: called with what is wrong, where what came in is not frames.
    :param on_failure: called with what a request failed with, or when its response broke
        off: what was in it is unknown.
    """

    def __init__(
        self,
        request: Callable[[], Deferred[Any]],
        new_reader: Callable[[], FrameReader],
        *,
        on_response: Callable[[IResponse], bool],
        on_bytes: Callable[[int], object],
        on_frames: Callable[[list[bytes]], object],
        on_violation: Callable[[str], object],
        on_failure: Callable[[Exception], object],
    ) -> None:
        self._request = request
        self._new_reader = new_reader
        self._on_response = on_response
        self._on_bytes = on_bytes
        self._on_frames = on_frames
        self._on_violation = on_violation
        self._on_failure = on_failure
        self._asked: Deferred[Any] | None = None
        self._unread: IResponse | None = None
        self._body: _Body | None = None
        self._paused = False
        self._last = False
        self._stopped = False

    def start(self) -> None:
        """Send the first request."""
        self._asked = asked = self._request()
        asked.addCallback(self._responded).addErrback(self._failed)

    def pause(self) -> None:
        """Stop reading from the network; frames of what was read already may still come."""
        self._paused = True
        if self._body is not None:
            self._body.pause()

    def resume(self) -> None:
        """Read from the network again."""
        self._paused = False
        unread, self._unread = self._unread, None
        if unread is not None:
            self._read(unread)
        elif self._body is not None:
            self._body.resume()

    def finish(self) -> None:
        """Send no further request."""
        self._last = True

    def cancel(self) -> None:
        """Cancel the request under way, as if it had failed."""
        if self._asked is not None:
            self._asked.cancel()

    def stop(self) -> None:
        """Call none of the functions any more.  The caller drops the connections."""
        self._stopped = True
        self._unread = None
        self.cancel()

    def _responded(self, response: IResponse) -> None:
        self._asked = None
        if self._stopped or not self._on_response(response):
            return
        if self._paused:
            self._unread = response
        else:
            self._read(response)

    def _read(self, response: IResponse) -> None:
        body = self._body = _Body(self._new_reader(), self)
        response.deliverBody(body)
        if self._paused and self._body is body:
            body.pause()  # deliverBody lets the network go on, whatever happened meanwhile

    def _failed(self, failure: Failure) -> None:
        self._asked = None
        if not self._stopped:
            problem: Any = failure.value
            self._on_failure(problem)

    # -- for the body

    def received(self, body: _Body, data: bytes) -> None:
        """Read more of a response."""
        if self._stopped:
            return
        self._on_bytes(len(data))
        try:
            frames = body.reader.feed(data)
        except FrameError as problem:
            self._on_violation(str(problem))
            return
        body.frames += len(frames)
        if frames:
            self._on_frames(frames)

    def ended(self, body: _Body, reason: Failure) -> None:
        """Judge a response that has ended, and send the next request."""
        if self._stopped:
            return
        self._body = None
        if not isinstance(reason.value, COMPLETE):
            problem = explain(unwrap(reason).value)
            self._on_failure(SessionLost(f"a response broke off: {problem}"))
        elif not body.reader.complete:
            self._on_failure(SessionLost("a response ended within a frame"))
        elif not body.frames:
            # Sending the next request at once could repeat this without end.
            self._on_violation("a response without a frame")
        elif not self._last:
            self.start()


class _Body(Protocol):
    """
    The body of one response.

    :ivar frames: how many frames it held so far.
    """

    def __init__(self, reader: FrameReader, receiver: Receiver) -> None:
        self.reader = reader
        self.frames = 0
        self._receiver = receiver

    transport: Any  # Twisted's TransportProxyProducer, which does nothing after the end

    def dataReceived(self, data: bytes) -> None:
        self._receiver.received(self, data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._receiver.ended(self, reason)

    def pause(self) -> None:
        """Stop reading the body."""
        self.transport.pauseProducing()

    def resume(self) -> None:
        """Read the body again."""
        self.transport.resumeProducing()
