"""
What is asked of the server, across connections: the queue, what is in flight, and
which answer belongs to what.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from threading import get_ident
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorTime
from twisted.python import threadable
from twisted.python.failure import Failure

from ..errors import CallTimeout, ClientClosed, ConnectionLost, QueueFull, remote_error
from ..messages.from_server import Answer
from ..support.threads import wrong_thread
from ..support.timer import NextTurn
from .request import Completion, Request
from .request_deadlines import RequestDeadlines

__all__ = ["RequestConnection", "RequestQueue"]

_FRAME_MESSAGES = 128
_FRAME_BYTES = 64 * 1024
_REMEMBERED_SENDS = 1024

_IN_FLIGHT = 9_000
"""
Requests that may wait for their answers, the others for their turn: a server that
reads everything and answers nothing must not fill the memory either.  Servers of ours
work on 10,000 requests of one client, and close who has more.
"""


class RequestConnection(Protocol):
    """An authenticated connection, as far as a request queue needs it."""

    acks: bool

    @property
    def writable(self) -> bool:
        """Whether messages can be sent, and there is room for them."""

    @property
    def reading(self) -> bool:
        """Whether anything is read at present, so that an answer can arrive."""

    def send(self, messages: list[bytes]) -> None:
        """Send messages, in one frame."""


class RequestQueue:
    """
    Takes requests, sends them in order while there is a connection, and sees to it
    that each has exactly one outcome, in bounded time.

    :param reactor: for timeouts, and to gather what one turn sends into one frame.
    :param queue_limit: requests that may wait.
    :param report: called with errors that belong to no Deferred, or no longer to one.
    :ivar closed: why nothing is taken any more, or None.
    :ivar obstacle: why there is no connection, as far as it is known, or ``""``.
    """

    def __init__(
        self, reactor: IReactorTime, queue_limit: int, report: Callable[[Exception], None]
    ) -> None:
        self._queue_limit = queue_limit
        self._report = report
        self._queue: OrderedDict[str, Request] = OrderedDict()
        self._in_flight: dict[str, Request] = {}
        self._sends: OrderedDict[str, str] = OrderedDict()
        self._connection: RequestConnection | None = None
        self._next_flush = NextTurn(reactor, self._flush)
        self._deadlines = RequestDeadlines(reactor, self._timed_out)
        self.closed: ClientClosed | None = None
        self.obstacle: Exception | str = "the client was not started"

    # -- requests

    def submit(self, request: Request, timeout: float) -> Deferred[Any]:
        """
        :param timeout: seconds until it fails with
            :class:`~txtokensock.errors.CallTimeout`, time in the queue included.
        :return: fires with the outcome; cancelling it withdraws the request wherever
            it is, and a late answer is dropped.
        """
        if get_ident() != threadable.ioThread:  # saves a call for each message
            elsewhere = wrong_thread()
            if elsewhere is not None:
                return fail(elsewhere)
        if self.closed is not None:
            return fail(self.closed.copy())
        if len(self._queue) >= self._queue_limit and not request.channel_request:
            return fail(
                QueueFull(f"{request.what}: {self._queue_limit} messages are already waiting")
            )
        deferred: Deferred[Any] = Deferred(lambda _: self._withdraw(request))
        request.deferred = deferred
        request.timeout = timeout
        self._deadlines.add(request, timeout)
        self._queue[request.uuid] = request
        self._schedule_flush()
        return deferred

    def answered(self, answer: Answer) -> None:
        """Finish the request that this is the answer to."""
        request = self._in_flight.pop(answer.uuid, None)
        self._schedule_flush()
        if request is None:
            what = self._sends.pop(answer.uuid, None)
            if what is not None and answer.error is not None:
                self._report(remote_error(answer.error, f"{what} was refused"))
        elif answer.error is not None:
            request.finish(Failure(remote_error(answer.error, request.what)))
        elif request.completion is Completion.SENT:
            request.finish(None)  # "success" is no news
        else:
            request.finish(answer.result)

    # -- connections

    def attach(self, connection: RequestConnection) -> None:
        """Send what waits on this connection."""
        self._connection = connection
        self.obstacle = ""
        # The subscriptions were asked for just now; they go before what waited.
        waiting = sorted(self._queue.items(), key=lambda entry: not entry[1].channel_request)
        self._queue = OrderedDict(waiting)
        self._schedule_flush()

    def detach(self, reason: Exception) -> None:
        """
        The connection is gone, for ``reason``: what was in flight fails, save what is
        idempotent; that goes first on the next one, before what waits.
        """
        self._connection = None
        self.obstacle = reason
        self._sends.clear()
        self._next_flush.cancel()
        in_flight, self._in_flight = self._in_flight, {}
        waiting, self._queue = self._queue, OrderedDict()
        lost: list[Request] = []
        for request in [*in_flight.values(), *waiting.values()]:
            again = request.idempotent or request.uuid in waiting
            if again and not request.channel_request:
                self._queue[request.uuid] = request
            else:
                lost.append(request)
        for request in lost:
            request.finish(Failure(_lost(request, reason)))

    def writable(self) -> None:
        """Send what waits: the connection takes messages again."""
        self._schedule_flush()

    # -- the end

    def close(self, reason: ClientClosed) -> Callable[[], None]:
        """
        Nothing is sent or taken any more.

        :return: fails what waited; a callback may reopen this and submit requests again.
        """
        self.closed = reason
        self._connection = None
        self._sends.clear()
        self._next_flush.cancel()
        self._deadlines.stop()
        in_flight, self._in_flight = self._in_flight, {}
        waiting, self._queue = self._queue, OrderedDict()

        def fail_all() -> None:
            for request in [*in_flight.values(), *waiting.values()]:
                # What was sent may have run, also where it waits to be sent again.
                error = _lost(request, reason) if request.sent else reason.copy()
                request.finish(Failure(error))

        return fail_all

    def reopen(self) -> None:
        """Take requests again after :meth:`close`."""
        self.closed = None
        self.obstacle = ""

    # -- details

    def _withdraw(self, request: Request) -> None:
        request.deferred = None
        self._forget(request)

    def _forget(self, request: Request) -> None:
        self._queue.pop(request.uuid, None)
        self._in_flight.pop(request.uuid, None)
        self._schedule_flush()

    def _timed_out(self, request: Request) -> None:
        self._forget(request)
        request.finish(Failure(self.timeout(request.what, request.timeout, request.sent)))

    def timeout(
        self, what: str, seconds: float, sent: bool, waited_for: str = "answer"
    ) -> CallTimeout:
        """
        The error of what took too long, with what is behind it.

        :param sent: whether it was sent.
        :param waited_for: what did not come, where it was.
        """
        missing, why, cause = waited_for, "", None
        if self._connection is None:
            missing = "connection"
            why = f": {self.obstacle}" if self.obstacle else ""
            cause = self.obstacle if isinstance(self.obstacle, Exception) else None
        elif not sent:
            missing, why = "room for it on the connection", ": the server is behind"
        elif not self._connection.reading:
            why = ": nothing is read, for a subscription, a listener or the server is behind"
        error = CallTimeout(
            f"{what}: no {missing} within {seconds:g} seconds{why}", may_have_run=sent
        )
        error.__cause__ = cause
        return error

    def _room(self) -> int:
        """How many requests can be sent now."""
        if self._connection is None or not self._connection.writable:
            return 0
        return _IN_FLIGHT - len(self._in_flight)

    def _schedule_flush(self) -> None:
        if self._queue and not self._next_flush.scheduled and self._room() > 0:
            self._next_flush.schedule()

    def _flush(self) -> None:
        # Firing Deferreds runs the caller's code, which may do anything at all, so
        # that everything is looked at again for each frame.
        while self._connection is not None and self._queue and (room := self._room()) > 0:
            self._send_frame(self._connection, min(room, _FRAME_MESSAGES))

    def _send_frame(self, connection: RequestConnection, most: int) -> None:
        frame: list[Request] = []
        size = 0
        while self._queue and len(frame) < most and size < _FRAME_BYTES:
            _, request = self._queue.popitem(last=False)
            frame.append(request)
            size += len(request.payload)
            request.sent = True
            if request.completion is Completion.ANSWER or connection.acks:
                self._in_flight[request.uuid] = request
        connection.send([request.payload for request in frame])
        for request in frame:
            if not request.idempotent:
                request.payload = b""  # what waits for its answer only need not be large
            if request.completion is Completion.SENT and not connection.acks:
                self._remember(request)
                request.finish(None)

    def _remember(self, request: Request) -> None:
        """A refusal may yet come; the server says nothing where it agrees."""
        self._sends[request.uuid] = request.what
        if len(self._sends) > _REMEMBERED_SENDS:
            self._sends.popitem(last=False)


def _lost(request: Request, reason: Exception) -> ConnectionLost:
    problem = f"{request.what}: the connection was lost before the answer: {reason}"
    error = ConnectionLost(problem, may_have_run=request.sent)
    error.__cause__ = reason
    return error
