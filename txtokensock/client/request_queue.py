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

from ..errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    QueueFull,
    UsageError,
    remote_error,
)
from ..messages.announced_limits import AnnouncedLimits
from ..messages.from_client import encode_call
from ..messages.from_server import Answer
from ..support.deadlines import Deadlines
from ..support.threads import wrong_thread
from ..support.timer import NextTurn, Timer
from .acceptance import Acceptance, closed_for_a_message
from .request import Completion, Request, uuid_source
from .sending_limits import FRAME_BYTES, SendingLimits

__all__ = ["RequestConnection", "RequestQueue"]

_ANSWER, _SENT = Completion  # a look into the Enum costs as much as a function's call

_REMEMBERED_SENDS = 1024

_LONGEST_WORK = 60.0
"""Seconds for which a server works on a request that nobody waits for, from when it was sent."""


class RequestConnection(Protocol):
    """
    An authenticated connection, as far as a request queue needs it.

    :ivar acks: whether the server acknowledges every request.
    :ivar limits: what it announced to take.
    """

    acks: bool
    limits: AnnouncedLimits | None

    @property
    def writable(self) -> bool:
        """Whether messages can be sent, and there is room for them."""

    @property
    def reading(self) -> bool:
        """Whether anything is read at present, so that an answer can arrive."""

    @property
    def delivering(self) -> bool:
        """
        Whether what came in together is being delivered: what is asked for meanwhile is sent
        when all of that was, by :meth:`RequestQueue.flush`.
        """

    def send(self, messages: list[bytes]) -> None:
        """Send messages, in one frame."""


class RequestQueue:
    """
    Takes requests, sends them in order while there is a connection, and sees to it
    that each has exactly one outcome, in bounded time.

    What is asked while others wait for their answers is gathered into one frame: until the end
    of what is being read, or else of the turn.  What is asked when nothing is in flight is sent
    at once.

    :param reactor: for timeouts, and for the next turn.
    :param queue_limit: requests that may wait.
    :param queue_bytes: bytes of requests that are kept; when there are so many, no more are
        taken.
    :param report: called with errors that belong to no Deferred, or no longer to one.
    :ivar closed: why nothing is taken any more, or None.
    :ivar obstacle: why there is no connection, as far as it is known, or ``""``.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        queue_limit: int,
        queue_bytes: int,
        report: Callable[[Exception], None],
    ) -> None:
        self._reactor = reactor
        self._queue_limit = queue_limit
        self._queue_bytes = queue_bytes
        self._bytes = 0
        self._report = report
        self._withdrawn = self._forget  # one object for all requests
        self._queue: OrderedDict[str, Request] = OrderedDict()
        self._suspects: OrderedDict[str, Request] = OrderedDict()  # wait behind all others
        self._in_flight: dict[str, Request] = {}
        # Those that nobody waits for: their numbers, and until when they count.
        self._abandoned: dict[str, tuple[int, float]] = {}
        self._next_expiry = Timer(reactor, self._expire)
        self._new_ping = uuid_source()
        self._limits = SendingLimits(None, 0.0)
        self._acceptance = Acceptance(reactor, self._schedule_flush)
        self._paced = Timer(reactor, self._schedule_flush)
        self._sends: OrderedDict[str, Request] = OrderedDict()
        self._connection: RequestConnection | None = None
        self._leaving = False
        self._next_flush = NextTurn(reactor, self.flush)
        self._deadlines: Deadlines[Request] = Deadlines(reactor, self._timed_out)
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
            return fail(self.closed.copy(request.what))
        if not request.channel_request and (
            len(self._queue) >= self._queue_limit or self._bytes >= self._queue_bytes
        ):
            return fail(QueueFull(f"{request.what}: {self._waiting()}"))
        deferred: Deferred[Any] = Deferred(request)
        request.deferred, request.withdrawn, request.timeout = deferred, self._withdrawn, timeout
        self._deadlines.add(request, timeout, self._reactor.seconds())
        self._queue[request.uuid] = request
        self._bytes += len(request.payload)
        connection = self._connection
        if connection is not None and not connection.delivering and not self._next_flush.scheduled:
            alone = not self._in_flight and not self._abandoned
            if alone and (request.completion is _ANSWER or connection.acks):
                self.flush()  # nothing is gathered
            else:
                self._schedule_flush()
        return deferred

    def _waiting(self) -> str:
        if len(self._queue) >= self._queue_limit:
            return f"{self._queue_limit} messages are already waiting, which is queue_limit"
        return f"{self._bytes} bytes are already waiting: queue_bytes is {self._queue_bytes}"

    @property
    def limits(self) -> AnnouncedLimits | None:
        """What the server takes, where there is one and it has announced that."""
        return None if self._connection is None else self._limits.announced

    def answered(self, answer: Answer) -> None:
        """
        Finish the request that this is the answer to.  What it makes room for is sent by
        :meth:`flush`, which is called when all that came in together was delivered.

        One that the server has not begun, for it is about to close, stays in flight if it may be
        sent again: :meth:`detach` sees to that.
        """
        request = self._in_flight.get(answer.uuid)
        if request is None:
            self._answered_late(answer)
            return
        if answer.leaving:
            self._leaving = True
            if request.idempotent:
                self._acceptance.answered(request.number)
                return
        del self._in_flight[answer.uuid]
        self._acceptance.answered(request.number)
        if request.payload:
            self._let_go(request)
        self._deadlines.remove(request, request.timeout)
        if answer.error is not None:
            request.fail(remote_error(answer.error, request.what))
        elif request.completion is _SENT:
            request.finish(None)  # "success" is no news
        else:
            request.finish(answer.result)

    def _answered_late(self, answer: Answer) -> None:
        """Nobody waits for it, but it may show that there is room, or be a refusal."""
        if answer.uuid in self._abandoned:
            self._acceptance.answered(self._abandoned.pop(answer.uuid)[0])
        sent = self._sends.pop(answer.uuid, None)
        if sent is not None and answer.error is not None:
            self._report(remote_error(answer.error, f"{sent.what} was refused"))

    # -- connections

    def attach(self, connection: RequestConnection) -> None:
        """Send what waits on this connection."""
        self._connection = connection
        self._leaving = False
        self.obstacle = ""
        self._acceptance.start()
        self._limits = SendingLimits(connection.limits, self._reactor.seconds())
        # The subscriptions were asked for just now; they go before what waited.
        waiting = sorted(self._queue.items(), key=lambda entry: not entry[1].channel_request)
        self._queue = OrderedDict(waiting)
        self._schedule_flush()

    def detach(self, reason: Exception) -> None:
        """
        The connection is gone, for ``reason``: what was in flight fails, save what is
        idempotent; that goes first on the next one, before what waits.

        Where the server closed for something that it could not take, that may be each of those
        that it has not taken for certain.  They go one by one, behind what waits; one that is
        the only one fails.
        """
        self._connection = None
        self.obstacle = reason
        in_flight, waiting = self._stop()
        first: list[Request] = []
        suspects: list[Request] = []
        lost: list[tuple[Request, ConnectionLost]] = []
        poison = closed_for_a_message(reason)
        alone = poison and self._acceptance.one_suspect
        for request in in_flight.values():
            untaken = self._acceptance.suspect(request)
            request.suspect = untaken and (poison or request.suspect)
            if not request.idempotent or request.channel_request or (untaken and alone):
                # A server may have other reasons, so that it may have run all the same.
                lost.append((request, _lost(request, reason, True, culprit=untaken and alone)))
            else:
                (suspects if request.suspect else first).append(request)
        for request in waiting.values():
            if request.channel_request:
                lost.append((request, _lost(request, reason, request.sent)))
            else:
                (suspects if request.suspect else first).append(request)
        self._queue.update((request.uuid, request) for request in first)
        self._suspects.update((request.uuid, request) for request in suspects)
        self._acceptance.start()
        for request, error in lost:
            self._end(request)
            request.fail(error)

    def _stop(self) -> tuple[dict[str, Request], OrderedDict[str, Request]]:
        """:return: what was in flight, and what waited; nothing is and does any more."""
        self._sends.clear()
        self._abandoned.clear()
        self._next_expiry.stop()
        self._next_flush.cancel()
        self._paced.stop()
        in_flight, self._in_flight = self._in_flight, {}
        waiting, self._queue = self._queue, OrderedDict()
        waiting.update(self._suspects)
        self._suspects.clear()
        return in_flight, waiting

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
        self._deadlines.stop()
        self._acceptance.start()
        in_flight, waiting = self._stop()
        for request in [*in_flight.values(), *waiting.values()]:
            self._let_go(request)

        def fail_all() -> None:
            for request in [*in_flight.values(), *waiting.values()]:
                # What was sent may have run, also where it waits to be sent again.
                error = _lost(request, reason, True) if request.sent else reason.copy(request.what)
                request.fail(error)

        return fail_all

    def reopen(self) -> None:
        """Take requests again after :meth:`close`."""
        self.closed = None
        self.obstacle = ""

    # -- details

    def _forget(self, request: Request) -> None:
        self._queue.pop(request.uuid, None)
        self._suspects.pop(request.uuid, None)
        if self._in_flight.pop(request.uuid, None) is not None and self._limits.counts_calls:
            # The server still works on it.
            until = request.sent_at + _LONGEST_WORK
            self._abandoned[request.uuid] = request.number, until
            if until < self._next_expiry.due:
                self._next_expiry.start(max(0.0, until - self._reactor.seconds()))
        self._end(request)
        self._schedule_flush()

    def _expire(self) -> None:
        now = self._reactor.seconds()
        for uuid, (_, until) in [*self._abandoned.items()]:
            if until <= now:
                del self._abandoned[uuid]
        if self._abandoned:
            first = min(until for _, until in self._abandoned.values())
            self._next_expiry.start(first - now)
        self._schedule_flush()

    def _let_go(self, request: Request) -> None:
        """It will not be sent any more."""
        self._bytes -= len(request.payload)
        request.payload = b""

    def _end(self, request: Request) -> None:
        """It is about to have its outcome, or was withdrawn."""
        self._let_go(request)
        self._deadlines.remove(request, request.timeout)

    def _timed_out(self, requests: list[Request]) -> None:
        for request in requests:
            if not request.done:  # what the first one led to may have ended the next
                self._forget(request)
                request.fail(self.timeout(request.what, request.timeout, request.sent))

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
        elif not sent and self._paced.running:
            missing, why = "turn", ": the server takes no more messages a second"
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
        connection = self._connection
        if connection is None or not connection.writable:
            return 0
        if self._acceptance.waiting or self._paced.running:
            return 0
        if self._leaving:
            return 0  # it would only be refused
        return self._limits.in_flight - len(self._in_flight) - len(self._abandoned)

    def _schedule_flush(self) -> None:
        connection = self._connection
        if (
            (self._queue or self._suspects)
            and connection is not None
            and not connection.delivering
            and self._room() > 0
        ):
            self._next_flush.schedule()

    def flush(self) -> None:
        """Send what waits, as much as can be sent now."""
        # Firing Deferreds runs the caller's code, which may do anything at all, so
        # that everything is looked at again for each frame.
        while (
            (queue := self._queue or self._suspects)
            and (connection := self._connection) is not None
            and (room := self._room()) > 0
        ):
            limits, first = self._limits, next(iter(queue.values()))
            allowed = limits.room(self._reactor.seconds())
            cost = limits.cost(len(first.payload), ping=queue is self._suspects)
            if allowed < cost:
                self._paced.start(limits.wait(cost))
                return
            if queue is self._queue:
                self._send_frame(connection, queue, min(room, allowed))
            else:
                self._send_suspect(connection)

    def _send_suspect(self, connection: RequestConnection) -> None:
        """Send it, and nothing with it; but first see to it that all before it was taken."""
        if self._acceptance.complete:
            self._send_frame(connection, self._suspects, 1)
            if self._connection is not connection or self._acceptance.complete:
                return  # it was refused
        ping = None
        if self._room() > 0 and self._limits.room(self._reactor.seconds()) > 0:
            uuid = f"{self._new_ping()}-ping"
            ping = Request(encode_call("_ping", {}, uuid), uuid, "a ping")
            self._in_flight[uuid] = ping
        self._acceptance.wait(ping)
        if ping is not None:
            self._limits.sent(1, len(ping.payload))
            connection.send([ping.payload])
            ping.payload = b""

    def _send_frame(
        self, connection: RequestConnection, queue: OrderedDict[str, Request], most: int
    ) -> None:
        frame, refused, size = self._take_frame(queue, min(most, self._limits.frame_messages))
        if frame:
            self._limits.sent(len(frame), size)
            self._send_requests(connection, frame)
        for request, problem in refused:
            self._end(request)
            request.fail(_lost(request, problem, True) if request.sent else problem)

    def _send_requests(self, connection: RequestConnection, frame: list[Request]) -> None:
        acks, number, now = connection.acks, self._acceptance.sent, self._reactor.seconds()
        in_flight = self._in_flight
        done: list[Request] = []
        payloads: list[bytes] = []
        for request in frame:
            payloads.append(request.payload)
            number += 1
            request.number, request.sent_at = number, now
            if acks or request.completion is _ANSWER:
                in_flight[request.uuid] = request
            else:
                done.append(request)
            if not request.idempotent:
                self._let_go(request)  # what waits for its answer only need not be large
        self._acceptance.sent = number
        connection.send(payloads)
        for request in done:
            self._remember(request)
            self._deadlines.remove(request, request.timeout)
            request.finish(None)

    def _take_frame(
        self, queue: OrderedDict[str, Request], most: int
    ) -> tuple[list[Request], list[tuple[Request, UsageError]], int]:
        """The next requests of a queue: those to send, those that cannot be, and bytes."""
        limits = self._limits
        frame: list[Request] = []
        refused: list[tuple[Request, UsageError]] = []
        size, small = 0, limits.surely_fits(most) if len(queue) > 1 else 0.0
        while queue and len(frame) < most and size < FRAME_BYTES:
            uuid, request = queue.popitem(last=False)
            with_it = size + len(request.payload)
            problem = limits.problem(request)
            if problem is not None:
                refused.append((request, problem))
            elif frame and with_it > small and limits.fills(len(frame) + 1, with_it):
                queue[uuid] = request
                queue.move_to_end(uuid, last=False)
                break
            else:
                frame.append(request)
                size = with_it
        return frame, refused, size

    def _remember(self, request: Request) -> None:
        """A refusal may yet come; the server says nothing where it agrees."""
        self._sends[request.uuid] = request
        if len(self._sends) > _REMEMBERED_SENDS:
            self._sends.popitem(last=False)


def _lost(
    request: Request, reason: Exception, may_have_run: bool, *, culprit: bool = False
) -> ConnectionLost:
    how = (
        "the server closed the connection on it"
        if culprit
        else ("the connection was lost before the answer")
    )
    error = ConnectionLost(f"{request.what}: {how}: {reason}", may_have_run=may_have_run)
    error.__cause__ = reason
    return error
