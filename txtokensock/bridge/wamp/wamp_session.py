"""
A WAMP session, on Autobahn.

Autobahn moves messages and does the handshakes.  What happens with the messages of a
session is decided here, not by its ``ApplicationSession``: that calls functions with the
arguments that a peer sends, and some names of arguments (``self``, ``fun``, ``error``)
collide with its own and end the connection.  And its timers run on the global reactor,
whatever it is given, so that every deadline is ours.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from autobahn.exception import PayloadExceededError
from autobahn.twisted.wamp import ApplicationSession
from autobahn.wamp import message as wire
from autobahn.wamp.exception import InvalidUriError, TransportLost
from autobahn.wamp.types import ComponentConfig
from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import shorten
from ...support.quiet_log import Quiet
from ...support.slices import Slices
from ...support.timer import Timer
from .realm import (
    CallResult,
    Match,
    OnCall,
    OnEvent,
    Payload,
    RealmLost,
    RequestTimeout,
    Undo,
    Unserializable,
    WampError,
)
from .silence import Silence

__all__ = ["WampSession"]

_CLOSE_SECONDS = 5.0

_UNITS = 4
"""What a message costs, see :class:`~txtokensock.support.slices.Slices`."""

_PATIENCE = 6
"""How many times ``request_timeout`` a router has that is not silent."""


class WampSession(ApplicationSession):
    """
    A session with a router, which the rules see as a :class:`~.realm.Realm`.

    :param config: Autobahn's.
    :param reactor: for deadlines.
    :param request_timeout: seconds for the router to answer; one that does not has its
        connection dropped, for nobody knows then what it has done.  While it sends other
        messages, it has several times as long.
    :ivar received: how many messages the router has sent.
    :ivar received_at: when the last of them came.
    """

    log = Quiet()
    _log = Logger()

    def __init__(
        self, config: ComponentConfig, *, reactor: Any, request_timeout: float = 10.0
    ) -> None:
        super().__init__(config)
        self._reactor = reactor
        self._request_timeout = request_timeout
        self._waiting: deque[Any] = deque()
        self._slices = Slices(reactor)
        self.received = 0
        self.received_at = reactor.seconds()
        self._requests: dict[int, Deferred[Any]] = {}
        self._on_event: dict[int, list[tuple[str, OnEvent]]] = {}
        self._on_call: dict[int, tuple[str, OnCall, Callable[[], object] | None]] = {}
        self._running: dict[int, CallResult] = {}
        self._drop = Timer(reactor, self.abort)
        self._readers: dict[type, Callable[[Any], None]] = {
            wire.Event: self._event,
            wire.Invocation: self._invocation,
            wire.Interrupt: self._interrupt,
            wire.Error: self._error,
            wire.Unregistered: self._unregistered,
        }

    # -- Realm

    def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Deferred[None]:
        try:
            wire.check_or_raise_uri(topic)
        except InvalidUriError:
            return fail(WampError("wamp.error.invalid_uri", [f"{shorten(topic)!r} is not a URI"]))
        published = self._request(
            lambda request: wire.Publish(
                request,
                topic,
                args=list(args),
                kwargs=dict(kwargs),
                acknowledge=True,
                exclude_me=True,
            )
        )
        return published.addCallback(lambda _: None)

    def subscribe(self, topic: str, match: Match, on_event: OnEvent) -> Deferred[Undo]:
        entry = (topic, on_event)

        def subscribed(reply: Any) -> Undo:
            self._on_event.setdefault(reply.subscription, []).append(entry)
            return lambda: self._unsubscribe_from(reply.subscription, entry)

        request = self._request(lambda number: wire.Subscribe(number, topic, match=match))
        return request.addCallback(subscribed)

    def _unsubscribe_from(self, number: int, entry: tuple[str, OnEvent]) -> Deferred[None]:
        entries = self._on_event.get(number, [])
        if entry in entries:
            entries.remove(entry)
            if not entries:
                del self._on_event[number]
                return _quietly(self._request(lambda one: wire.Unsubscribe(one, number)))
        return succeed(None)

    def register(
        self,
        procedure: str,
        match: Match,
        on_call: OnCall,
        *,
        shared: bool = True,
        concurrency: int | None = None,
        on_revoked: Callable[[], object] | None = None,
    ) -> Deferred[Undo]:
        def registered(reply: Any) -> Undo:
            self._on_call[reply.registration] = (procedure, on_call, on_revoked)
            return lambda: self._unregister_from(reply.registration)

        request = self._request(
            lambda number: wire.Register(
                number,
                procedure,
                match=match,
                invoke="roundrobin" if shared else "single",
                concurrency=concurrency,
            )
        )
        return request.addCallback(registered)

    def _unregister_from(self, number: int) -> Deferred[None]:
        if number not in self._on_call:
            return succeed(None)
        # Calls may still come until the router has read it.
        request = self._request(lambda one: wire.Unregister(one, number))
        request.addCallback(lambda _: self._on_call.pop(number, None))
        return _quietly(request)

    def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> CallResult:
        called = self._request(
            lambda number: wire.Call(number, procedure, args=list(args), kwargs=dict(kwargs)),
            timeout,
        )
        return called.addCallback(_result)

    # -- requests

    def _request(
        self, build: Callable[[int], Any], call_timeout: float | None = None
    ) -> Deferred[Any]:
        """
        :param call_timeout: for a call, whose silence is not the router's fault.
        :return: fires with the router's answer.
        """
        if self._transport is None or self._session_id is None:
            return fail(RealmLost("there is no session with the router"))
        number = self._request_id_gen.next()
        try:
            self._transport.send(build(number))
        except TransportLost:
            return fail(RealmLost("the connection to the router is lost"))
        except Exception as problem:  # of the serializer, in as many kinds as there are
            return fail(Unserializable(f"cannot be sent to the router: {shorten(str(problem))}"))
        answered: Deferred[Any] = Deferred(lambda _: self._withdraw(number, call_timeout))
        self._requests[number] = answered
        if call_timeout is None:
            return self._awaited(number, answered)

        def timed_out(*_: object) -> Failure:
            return Failure(RequestTimeout(f"no answer within {call_timeout:g} seconds"))

        return answered.addTimeout(call_timeout, self._reactor, timed_out)

    def _awaited(self, number: int, answered: Deferred[Any]) -> Deferred[Any]:
        """Wait for what only the router has to answer."""
        seconds = self._request_timeout

        def silent() -> None:
            self.drop(f"the router did not answer within {seconds:g} seconds")
            if self._requests.pop(number, None) is not None:  # else the end has failed it
                problem = RequestTimeout(f"no answer within {seconds:g} seconds")
                answered.errback(Failure(problem))

        silence = Silence(self._reactor, lambda: self.received, seconds, silent, _PATIENCE)

        def over(outcome: Any) -> Any:
            silence.stop()
            return outcome

        return answered.addBoth(over)

    def _withdraw(self, number: int, call_timeout: float | None) -> None:
        self._requests.pop(number, None)
        if call_timeout is not None:
            self._send(wire.Cancel(number, mode="killnowait"))

    def _send(self, message: Any) -> None:
        """Send an answer; who asked is gone where there is no connection."""
        if self._transport is None or self._session_id is None:
            return
        try:
            self._transport.send(message)
        except TransportLost:
            pass
        except Exception as problem:
            if isinstance(message, wire.Error) and message.error == "wamp.error.invalid_payload":
                self._log.warn(
                    "an error cannot be sent: {problem}",
                    event="wamp.not_answered",
                    problem=shorten(str(problem)),
                )
                return
            why = "too large" if isinstance(problem, PayloadExceededError) else "not serializable"
            text = f"the answer is {why}"
            self._send_error(message.request, WampError("wamp.error.invalid_payload", [text]))

    def _send_error(self, request: int, error: WampError) -> None:
        invocation = wire.Invocation.MESSAGE_TYPE
        self._send(wire.Error(invocation, request, error.uri, error.args_, error.kwargs))

    # -- messages

    def onMessage(self, msg: Any) -> None:
        self.received += 1
        self.received_at = self._reactor.seconds()
        if not self._waiting and self._slices.units > 0:
            self._slices.units -= _UNITS
            self._handle(msg)
            return
        if not self._waiting:
            self._read(False)
        self._waiting.append(msg)
        self._slices.call(self._handle_next)

    def _handle_next(self) -> None:
        self._handle(self._waiting.popleft())
        if not self._waiting:
            self._read(True)

    def _read(self, reading: bool) -> None:
        """What was read is handled first: a burst must not hold up whoever else is there."""
        transport: Any = getattr(self._transport, "transport", None)
        if transport is not None:
            transport.resumeProducing() if reading else transport.pauseProducing()

    def _handle(self, msg: Any) -> None:
        if self._session_id is None or isinstance(msg, wire.Goodbye):
            super().onMessage(msg)
            return
        try:
            self._readers.get(type(msg), self._answer)(msg)
        except Exception:
            self._log.failure(
                "a message of the router could not be dealt with", event="wamp.failed"
            )

    def _answer(self, msg: Any) -> None:
        if getattr(msg, "progress", False):
            return  # it was not asked for
        waiting = self._requests.pop(getattr(msg, "request", 0), None)
        if waiting is not None:
            waiting.callback(msg)

    def _error(self, msg: Any) -> None:
        waiting = self._requests.pop(msg.request, None)
        if waiting is not None:
            waiting.errback(WampError(msg.error, msg.args or (), msg.kwargs))

    def _unregistered(self, msg: Any) -> None:
        if msg.request:
            self._answer(msg)
            return
        _, _, on_revoked = self._on_call.pop(msg.registration, ("", None, None))
        if on_revoked is not None:
            on_revoked()

    def _event(self, msg: Any) -> None:
        if msg.enc_algo:
            return  # encrypted for somebody else
        for topic, on_event in self._on_event.get(msg.subscription, [])[:]:
            on_event(msg.topic or topic, msg.args or (), msg.kwargs or {}, msg.publisher)

    def _invocation(self, msg: Any) -> None:
        procedure, on_call, _ = self._on_call.get(msg.registration, ("", None, None))
        if on_call is None or msg.enc_algo:
            uri = (
                "wamp.error.no_such_procedure" if on_call is None else "wamp.error.invalid_payload"
            )
            self._send_error(msg.request, WampError(uri))
            return
        try:
            name = msg.procedure or procedure
            answer = on_call(name, msg.args or (), msg.kwargs or {}, msg.caller)
        except Exception:
            self._log.failure(
                "the call of {procedure} failed", event="wamp.failed", procedure=procedure
            )
            answer = fail(WampError("wamp.error.runtime_error"))
        self._running[msg.request] = answer

        def done(outcome: Any) -> None:
            self._running.pop(msg.request, None)
            if not isinstance(outcome, Failure):
                args, kwargs = outcome
                self._send(wire.Yield(msg.request, args=list(args), kwargs=dict(kwargs)))
            elif isinstance(outcome.value, WampError):
                self._send_error(msg.request, outcome.value)
            else:
                self._log.failure("a call failed", outcome, event="wamp.failed")
                self._send_error(msg.request, WampError("wamp.error.runtime_error"))

        answer.addBoth(done)

    def _interrupt(self, msg: Any) -> None:
        running = self._running.get(msg.request)
        if running is not None:
            running.cancel()

    # -- the end

    def drop(self, why: str) -> None:
        """End the connection at once, whatever the router does."""
        self._log.warn(
            "the connection to the router is dropped: {why}", event="wamp.dropped", why=why
        )
        self.abort()

    def abort(self) -> None:
        """End the connection at once, and log nothing."""
        if self._transport is not None:
            transport: Any = self._transport
            transport.transport.abortConnection()

    def close(self) -> None:
        """Leave the realm, and close the connection after 5 seconds at the latest."""
        if not self._drop.running and self._transport is not None:
            self._drop.start(_CLOSE_SECONDS)
            try:
                if self._session_id is not None:
                    self.leave()
                else:
                    self.disconnect()
            except TransportLost:
                pass  # onClose follows

    def onLeave(self, details: Any) -> None:
        """The router ended the session, or agreed to its end: the connection goes too."""
        self._session_id = None
        self.close()
        if self._transport is not None:
            self.disconnect()

    def onClose(self, wasClean: bool) -> None:
        self._slices.stop()
        while self._waiting:  # the router had sent them before
            self._handle(self._waiting.popleft())
        super().onClose(wasClean)
        self._drop.stop()
        requests, self._requests = self._requests, {}
        running, self._running = self._running, {}
        for request in requests.values():
            request.errback(RealmLost("the connection to the router was lost"))
        for answer in running.values():
            answer.cancel()

    def onUserError(self, fail: Any, msg: str) -> None:
        """Log a failure that Autobahn caught."""
        self._log.failure("in a WAMP session: {what}", fail, event="wamp.failed", what=msg)


def _result(reply: Any) -> Payload:
    if reply.enc_algo:
        raise WampError("wamp.error.invalid_payload", ["the result is encrypted"])
    return reply.args or [], reply.kwargs or {}


def _quietly(request: Deferred[Any]) -> Deferred[None]:
    return request.addBoth(lambda _: None)
