"""
The requests of one authenticated peer: each gets exactly one answer, in bounded time.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import ActionError, InvalidData, StoreUnavailable, shorten
from ..messages.from_client import Broadcast, Call, Publish, Subscribe, Unsubscribe
from ..messages.from_server import encode_answer, encode_error_answer
from ..support.user_functions import (
    PLAIN_TYPES,
    as_exception,
    begin_user_function,
    cancel_user_function,
)
from .calls import ServerCalls
from .hooks import Refused
from .in_flight import held_by
from .keyed_queue import KeyedQueue, Place
from .limits import LimitExceeded
from .ops.observer import Outcome, RequestKind
from .peer import PeerConnection
from .pubsub import PubSub, PubSubRequest
from .server_context import ServerContext

__all__ = ["PeerRequest", "PeerRequests", "request_name"]

PeerRequest: TypeAlias = Call | PubSubRequest


class _InFlight:
    """
    One request that is being worked on.

    :param requests: are told when it ends, and when its time is over.
    :ivar kind: of request.
    :ivar begun: when it came.
    :ivar rpc: what was asked.
    :ivar uuid: what the answer repeats.
    :ivar timeout: seconds that it may take.
    :ivar answered: nothing that comes later counts.
    """

    __slots__ = ("_requests", "answered", "begun", "kind", "outcome", "rpc", "timeout", "uuid")

    def __init__(
        self,
        request: PeerRequest,
        begun: float,
        timeout: float,
        outcome: Deferred[Any],
        requests: PeerRequests,
    ) -> None:
        self.kind = _kind(request)
        self.begun = begun
        self.rpc = request_name(request)
        self.uuid = request.uuid
        self.timeout = timeout
        self.outcome = outcome
        self.answered = False
        self._requests = requests

    def ended(self, outcome: Any) -> None:
        """
        :param outcome: what its Deferred has fired with.
        """
        if isinstance(outcome, Failure):
            self._requests.failed(as_exception(outcome), self)
        else:
            self._requests.succeeded(outcome, self)

    def late(self) -> None:
        self._requests.late(self)


class PeerRequests:
    """
    :param context: what the server's peers share.
    :param connection: of the peer whose requests they are.
    """

    __slots__ = (
        "_channel_queues",
        "_closed",
        "_connection",
        "_context",
        "_held",
        "_in_flight",
        "_peer",
        "_pubsub",
    )

    _log = Logger()

    def __init__(
        self,
        context: ServerContext,
        connection: PeerConnection,
    ) -> None:
        self._context = context
        self._connection = connection
        self._peer = connection.peer
        self._in_flight: dict[_InFlight, int] = {}  # what it holds; in order
        self._held = 0
        self._closed = False
        # A slow hook must not turn "subscribe, unsubscribe" around, nor lose what is
        # published between them.
        self._channel_queues = KeyedQueue()
        self._pubsub = PubSub(context, connection, self._channel_queues)

    def __len__(self) -> int:
        return len(self._in_flight)

    def handle(self, request: PeerRequest, text: bytes) -> None:
        """
        Start to work on a request.

        :param text: from which it was decoded.
        """
        context = self._context
        begun = context.reactor.seconds()
        if len(self._in_flight) >= self._peer.limits.calls:
            self._refuse(request, LimitExceeded.of("calls", self._peer.limits))
        elif not context.in_flight.has_room(self._held, context.limits.in_flight_total):
            self._refuse(request, LimitExceeded.of("in_flight_total", context.limits))
        elif isinstance(request, Call):
            self._call(request, begun, text)
        elif isinstance(request, Publish) and self._is_next(request):
            self._publish(request, begun, text)
        else:
            place = self._enter(request)
            outcome = Deferred.fromCoroutine(self._pubsub.handle(request, place))
            self._follow_in_order(request, begun, outcome, text, place)

    # -- channels

    def _is_next(self, request: Publish) -> bool:
        """Whether nobody is asked about it, and nothing before it in its channel is waited for."""
        return request.channel not in self._channel_queues and not self._context.hooks.has(
            "publish"
        )

    def _publish(self, request: Publish, begun: float, text: bytes) -> None:
        outcome: Deferred[list[bytes]]
        try:
            stored = self._pubsub.publish(request)
        except Exception:
            outcome = fail()
        else:
            if isinstance(stored, list):
                self._answer_now("publish", stored, begun)
                return
            outcome = Deferred.fromCoroutine(self._pubsub.published(request, stored))
        self._follow_in_order(request, begun, outcome, text, self._enter(request))

    def _enter(self, request: PubSubRequest) -> Place:
        return self._channel_queues.enter(
            None if isinstance(request, Broadcast) else request.channel
        )

    def _follow_in_order(
        self,
        request: PubSubRequest,
        begun: float,
        outcome: Deferred[list[bytes]],
        text: bytes,
        place: Place,
    ) -> None:
        self._follow(request, begun, outcome, text)
        outcome.addBoth(lambda _: place.leave())  # after its answer was sent

    def _refuse(self, request: PeerRequest, problem: LimitExceeded) -> None:
        self._context.observer.request_answered(_kind(request), "limit", 0.0)
        self._connection.send(
            encode_error_answer(request_name(request), request.uuid, str(problem))
        )

    def close(self, calls: ServerCalls) -> None:
        """
        The peer is gone: what is being worked on is cancelled, and nobody answered.

        :param calls: to the peer.  They fail first: a function that waits for one ends by that,
            and one that is cancelled instead is garbage that Python has to search for.
        """
        self._closed = True
        calls.close().addCallback(self._cancel_all)

    def _cancel_all(self, _: None) -> None:
        # The latest first: a request that waits for an earlier one must not get its turn.
        slices = self._context.slices
        slices.for_each(reversed(self._in_flight), self._cancel, at_a_time=64)

    def _cancel(self, entry: _InFlight) -> None:
        self._finish(entry, "cancelled")
        cancel_user_function(entry.outcome)

    # -- calls

    def _call(self, call: Call, begun: float, text: bytes) -> None:
        action = self._context.find_action(call.name)
        if action is None:
            self._context.observer.request_answered("call", "function_not_found", 0.0)
            self._connection.send(encode_error_answer(call.name, call.uuid, "Function not found"))
            return
        outcome = begin_user_function(action, call.data, self._peer)
        if type(outcome) in PLAIN_TYPES or not isinstance(outcome, Deferred):
            try:
                answer = encode_answer(call.name, call.uuid, outcome)
            except InvalidData:
                outcome = fail()
            else:
                self._answer_now("call", [answer], begun)
                return
        self._follow(call, begun, outcome, text)

    def _answer_now(self, kind: RequestKind, messages: list[bytes], begun: float) -> None:
        """Answer a request that was done at once, as most are: it was never in flight."""
        context = self._context
        context.observer.request_answered(kind, "success", context.reactor.seconds() - begun)
        for message in messages:
            self._connection.send(message)
        self._done()

    # -- answers

    def _follow(
        self, request: PeerRequest, begun: float, outcome: Deferred[Any], text: bytes
    ) -> None:
        """
        :param begun: when the request came.
        :param outcome: fires with the result of a call, and else with the messages to send.
        :param text: of the request.
        """
        timeout = self._peer.limits.call_timeout
        entry = _InFlight(request, begun, timeout, outcome, self)
        outcome.addBoth(entry.ended)
        if not entry.answered:
            held = self._in_flight[entry] = held_by(text)
            self._hold(held)
            self._context.deadlines.add(entry, timeout, begun)

    def succeeded(self, result: Any, entry: _InFlight) -> None:
        """
        :param result: of a call, and else the messages to send.
        """
        if entry.kind == "call" and not self._closed:
            try:
                result = [encode_answer(entry.rpc, entry.uuid, result)]
            except InvalidData:
                self.failed(Failure(), entry)
                return
        if self._finish(entry, "success"):
            for message in result:
                self._connection.send(message)
            self._done()

    def failed(self, failure: Failure, entry: _InFlight) -> None:
        """
        :param failure: of what it asked for, which its answer says.
        """
        error = failure.value
        if not self._finish(entry, _problem(error)):
            return  # also the CancelledError of our own making
        if isinstance(error, Refused):
            text = error.error
        elif isinstance(error, LimitExceeded):
            text = str(error)
            self._connection.charge(error.work)
        elif isinstance(error, StoreUnavailable):
            text = "Store unavailable"
        else:
            text = self._context.outcome_error(failure, entry.rpc, self._peer)
        self._connection.send(encode_error_answer(entry.rpc, entry.uuid, text))
        self._done()

    def late(self, entry: _InFlight) -> None:
        """Its time is over: answer, and let nothing that comes later count."""
        if self._finish(entry, "timeout"):
            self._log.warn(
                "{rpc} of {peer} took too long and is cancelled",
                event="request.timeout",
                rpc=shorten(entry.rpc),
                peer=self._peer,
            )
            self._connection.send(encode_error_answer(entry.rpc, entry.uuid, "Timeout"))
            cancel_user_function(entry.outcome)
            self._done()

    def _finish(self, entry: _InFlight, outcome: Outcome) -> bool:
        """:return: whether this is the first answer, and there is somebody to send it to."""
        if entry.answered:
            return False
        entry.answered = True
        context = self._context
        context.deadlines.remove(entry, entry.timeout)
        context.observer.request_answered(
            entry.kind,
            "cancelled" if self._closed else outcome,
            context.reactor.seconds() - entry.begun,
        )
        self._hold(-self._in_flight.pop(entry, 0))
        return not self._closed

    def _hold(self, more: int) -> None:
        held = self._held + more
        self._context.in_flight.change(self._held, held)
        self._held = held

    def _done(self) -> None:
        if not self._in_flight:
            self._connection.idle()


def _problem(error: BaseException | None) -> Outcome:
    if isinstance(error, LimitExceeded):
        return "limit"
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, StoreUnavailable):
        return "store_unavailable"
    return "action_error" if isinstance(error, ActionError) else "exception"


_KINDS: dict[type[PeerRequest], RequestKind] = {
    Call: "call",
    Subscribe: "subscribe",
    Unsubscribe: "unsubscribe",
    Publish: "publish",
    Broadcast: "broadcast",
}


def _kind(request: PeerRequest) -> RequestKind:
    return _KINDS[type(request)]


def request_name(request: PeerRequest) -> str:
    """What its answer has as ``rpc``."""
    if isinstance(request, Call):
        return request.name
    return f"_{_kind(request)}"
