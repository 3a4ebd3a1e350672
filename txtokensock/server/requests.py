"""
The requests of one authenticated peer: each gets exactly one answer, in bounded time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..actions import outcome_error
from ..errors import ActionError, InvalidData, StoreUnavailable, shorten
from ..messages.from_client import Broadcast, Call, Publish, Subscribe, Unsubscribe, Uuid
from ..messages.from_server import encode_answer, encode_error_answer
from ..support.timer import Timer
from ..support.user_functions import call_user_function
from .close_codes import TOO_MANY_CALLS, Closing
from .hooks import Refused
from .ops.observer import Outcome, RequestKind
from .peer import Peer
from .pubsub import LimitExceeded, PubSub, PubSubRequest, Turns
from .server_context import ServerContext

__all__ = ["Request", "Requests", "request_name"]

Request: TypeAlias = Call | PubSubRequest


class _Work:
    """
    One request that is being worked on.

    :ivar kind: of request.
    :ivar begun: when it came.
    :ivar rpc: what was asked.
    :ivar uuid: what the answer repeats.
    :ivar answered: nothing that comes later counts.
    """

    __slots__ = ("answered", "begun", "kind", "outcome", "rpc", "uuid")

    def __init__(self, request: Request, begun: float, outcome: Deferred[Any]) -> None:
        self.kind = _kind(request)
        self.begun = begun
        self.rpc = request_name(request)
        self.uuid = request.uuid
        self.outcome = outcome
        self.answered = False


class Requests:
    """
    :param context: what the server's peers share.
    :param peer: whose requests.
    :param send: sends it an encoded message.
    :param end: closes it.
    :param idle: called when the last request in flight was answered.
    """

    _log = Logger()

    def __init__(
        self,
        context: ServerContext,
        peer: Peer,
        send: Callable[[bytes], None],
        end: Callable[[Closing], None],
        idle: Callable[[], None],
    ) -> None:
        self._context = context
        self._peer = peer
        self._send = send
        self._end = end
        self._idle = idle
        self._in_flight: dict[_Work, Timer] = {}
        self._pubsub = PubSub(context, peer)
        self._turns = Turns()

    def __len__(self) -> int:
        return len(self._in_flight)

    def handle(self, request: Request) -> None:
        """Start to work on a request."""
        begun = self._context.reactor.seconds()
        if len(self._in_flight) >= self._context.limits.calls:
            self._context.observer.request_answered(_kind(request), "limit", 0.0)
            self._refuse_and_end(request_name(request), request.uuid, TOO_MANY_CALLS)
        elif isinstance(request, Call):
            self._call(request, begun)
        else:
            turn = self._turns.take(request)
            outcome = Deferred.fromCoroutine(self._pubsub.handle(request, turn))
            self._follow(request, begun, outcome)
            outcome.addBoth(lambda _: turn.end())  # after its answer was sent

    def close(self) -> None:
        """The peer is gone: what is being worked on is cancelled, and nobody answered."""
        # The latest first: a request that waits for an earlier one must not get its turn.
        for work in reversed(tuple(self._in_flight)):
            self._finish(work, "cancelled")
            work.outcome.cancel()

    # -- calls

    def _call(self, call: Call, begun: float) -> None:
        action = self._context.find_action(call.name)
        if action is None:
            self._context.observer.request_answered("call", "function_not_found", 0.0)
            self._send(encode_error_answer(call.name, call.uuid, "Function not found"))
            return
        outcome = call_user_function(action, call.data, self._peer)
        outcome.addCallback(lambda result: [encode_answer(call.name, call.uuid, result)])
        self._follow(call, begun, outcome)

    # -- answers

    def _follow(self, request: Request, begun: float, outcome: Deferred[list[bytes]]) -> None:
        """
        :param begun: when the request came.
        :param outcome: fires with the messages to send.
        """
        work = _Work(request, begun, outcome)
        outcome.addCallbacks(
            self._succeeded, self._failed, callbackArgs=(work,), errbackArgs=(work,)
        )
        if not work.answered:
            context = self._context
            timer = self._in_flight[work] = Timer(context.reactor, partial(self._late, work))
            timer.start(context.limits.call_timeout)

    def _succeeded(self, messages: list[bytes], work: _Work) -> None:
        if self._finish(work, "success"):
            for message in messages:
                self._send(message)
            self._done()

    def _failed(self, failure: Failure, work: _Work) -> None:
        error = failure.value
        if not self._finish(work, _problem(error)):
            return  # also the CancelledError of our own making
        if isinstance(error, LimitExceeded):
            self._refuse_and_end(work.rpc, work.uuid, error.closing)
            return
        if isinstance(error, Refused):
            text = error.error
        elif isinstance(error, StoreUnavailable):
            text = "Store unavailable"
        else:
            text = outcome_error(failure, work.rpc)
        self._send(_error_answer(work, text))
        self._done()

    def _late(self, work: _Work) -> None:
        if self._finish(work, "timeout"):
            self._log.warn("{rpc} took too long and is cancelled", rpc=shorten(work.rpc))
            self._send(_error_answer(work, "Timeout"))
            work.outcome.cancel()
            self._done()

    def _finish(self, work: _Work, outcome: Outcome) -> bool:
        """:return: whether this is the first answer."""
        if work.answered:
            return False
        work.answered = True
        context = self._context
        context.observer.request_answered(
            work.kind, outcome, context.reactor.seconds() - work.begun
        )
        timer = self._in_flight.pop(work, None)
        if timer is not None:
            timer.stop()
        return True

    def _done(self) -> None:
        if not self._in_flight:
            self._idle()

    def _refuse_and_end(self, rpc: str, uuid: Uuid, closing: Closing) -> None:
        self._send(encode_error_answer(rpc, uuid, closing.reason))
        self._end(closing)


def _error_answer(work: _Work, error: Any) -> bytes:
    try:
        return encode_error_answer(work.rpc, work.uuid, error)
    except InvalidData:
        return encode_error_answer(work.rpc, work.uuid, "Error")


def _problem(error: BaseException | None) -> Outcome:
    if isinstance(error, LimitExceeded):
        return "limit"
    if isinstance(error, Refused):
        return "refused"
    if isinstance(error, StoreUnavailable):
        return "store_unavailable"
    return "action_error" if isinstance(error, ActionError) else "exception"


_KINDS: dict[type[Request], RequestKind] = {
    Call: "call",
    Subscribe: "subscribe",
    Unsubscribe: "unsubscribe",
    Publish: "publish",
    Broadcast: "broadcast",
}


def _kind(request: Request) -> RequestKind:
    return _KINDS[type(request)]


def request_name(request: Request) -> str:
    """What its answer has as ``rpc``."""
    if isinstance(request, Call):
        return request.name
    return f"_{_kind(request)}"
