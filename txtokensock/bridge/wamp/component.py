"""
The WAMP side: sessions with a router, on Autobahn, which only this module knows.

Autobahn moves messages and does the handshakes.  What happens with the messages of a
session is decided here, not by its ``ApplicationSession``: that calls functions with the
arguments that a peer sends, and some names of arguments (``self``, ``fun``, ``error``)
collide with its own and end the connection.  And its timers run on the global reactor,
whatever it is given, so that every deadline is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from autobahn.exception import PayloadExceededError
from autobahn.twisted.rawsocket import WampRawSocketClientFactory, WampRawSocketClientProtocol
from autobahn.twisted.wamp import ApplicationSession
from autobahn.twisted.websocket import WampWebSocketClientFactory, WampWebSocketClientProtocol
from autobahn.wamp import message as wire
from autobahn.wamp.exception import InvalidUriError, TransportLost
from autobahn.wamp.serializer import create_transport_serializer
from autobahn.wamp.types import ComponentConfig
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from ...errors import InvalidOption, shorten
from ...support.quiet_log import Quiet
from ...support.timer import Timer
from ...web.tls.policy import explain, is_tls_problem
from ..config.wamp import WampConfig
from ..config.wamp_component import component_options
from ..counters import Counters
from ..upstream import Upstream
from .authentication import signature
from .endpoint import Joined, client_endpoint
from .forwarding import WampForwarding
from .realm import (
    Answer,
    JoinRefused,
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
from .side import WampSide as _Side

__all__ = ["TokenSocketComponent", "WampSession", "WampSide", "connect"]

_CLOSE_SECONDS = 5.0
_LONGEST_HANDSHAKE = 64 * 1024


class WampSession(ApplicationSession):
    """
    A session, as a :class:`~.wamp_realm.Realm`.

    :param config: Autobahn's.
    :param reactor: for deadlines.
    :param request_timeout: seconds for the router to answer; one that does not has its
        connection dropped, for nobody knows then what it has done.
    """

    log = Quiet()
    _log = Logger()

    def __init__(
        self, config: ComponentConfig, *, reactor: Any, request_timeout: float = 10.0
    ) -> None:
        super().__init__(config)
        self._reactor = reactor
        self._request_timeout = request_timeout
        self._requests: dict[int, Deferred[Any]] = {}
        self._on_event: dict[int, list[tuple[str, OnEvent]]] = {}
        self._on_call: dict[int, tuple[str, OnCall, Callable[[], object] | None]] = {}
        self._running: dict[int, Answer] = {}
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
            return fail(WampError("wamp.error.invalid_uri", [f"{shorten(topic)!r} is no URI"]))
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
    ) -> Answer:
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
        seconds = self._request_timeout if call_timeout is None else call_timeout

        def timed_out(*_: object) -> Failure:
            if call_timeout is None:
                self.drop(f"the router did not answer within {seconds:g} seconds")
            return Failure(RequestTimeout(f"no answer within {seconds:g} seconds"))

        return answered.addTimeout(seconds, self._reactor, timed_out)

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
                self._log.warn("an error cannot be sent: {problem}", problem=shorten(str(problem)))
                return
            why = "too large" if isinstance(problem, PayloadExceededError) else "not serializable"
            text = f"the answer is {why}"
            self._send_error(message.request, WampError("wamp.error.invalid_payload", [text]))

    def _send_error(self, request: int, error: WampError) -> None:
        invocation = wire.Invocation.MESSAGE_TYPE
        self._send(wire.Error(invocation, request, error.uri, error.args_, error.kwargs))

    # -- messages

    def onMessage(self, msg: Any) -> None:
        if self._session_id is None or isinstance(msg, wire.Goodbye):
            super().onMessage(msg)
            return
        try:
            self._readers.get(type(msg), self._answer)(msg)
        except Exception:
            self._log.failure("a message of the router could not be dealt with")

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
            on_event(msg.topic or topic, msg.args or (), msg.kwargs or {})

    def _invocation(self, msg: Any) -> None:
        procedure, on_call, _ = self._on_call.get(msg.registration, ("", None, None))
        if on_call is None or msg.enc_algo:
            uri = (
                "wamp.error.no_such_procedure" if on_call is None else "wamp.error.invalid_payload"
            )
            self._send_error(msg.request, WampError(uri))
            return
        try:
            answer = on_call(msg.procedure or procedure, msg.args or (), msg.kwargs or {})
        except Exception:
            self._log.failure("the call of {procedure} failed", procedure=procedure)
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
                self._log.failure("a call failed", outcome)
                self._send_error(msg.request, WampError("wamp.error.runtime_error"))

        answer.addBoth(done)

    def _interrupt(self, msg: Any) -> None:
        running = self._running.get(msg.request)
        if running is not None:
            running.cancel()

    # -- the end

    def drop(self, why: str) -> None:
        """End the connection at once, whatever the router does."""
        self._log.warn("the connection to the router is dropped: {why}", why=why)
        self.abort()

    def abort(self) -> None:
        """The same, without a word."""
        if self._transport is not None:
            transport: Any = self._transport
            transport.transport.abortConnection()

    def close(self) -> None:
        """Take leave of the router, and be gone after a few seconds at the latest."""
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
        super().onClose(wasClean)
        self._drop.stop()
        requests, self._requests = self._requests, {}
        running, self._running = self._running, {}
        for request in requests.values():
            request.errback(RealmLost("the connection to the router was lost"))
        for answer in running.values():
            answer.cancel()

    def onUserError(self, fail: Any, msg: str) -> None:
        """Autobahn's own way to log."""
        self._log.failure("in a WAMP session: {what}", fail, what=msg)


def _result(reply: Any) -> Payload:
    if reply.enc_algo:
        raise WampError("wamp.error.invalid_payload", ["the result is encrypted"])
    return reply.args or [], reply.kwargs or {}


def _quietly(request: Deferred[Any]) -> Deferred[None]:
    return request.addBoth(lambda _: None)


class _ClientSession(WampSession):
    """
    A session over a connection of our own.

    :param section: whom to join, and as whom.
    :param reactor: for deadlines.
    :ivar joined: fires when the realm is joined; fails with :class:`JoinRefused` or
        :class:`RealmLost`.
    """

    def __init__(self, section: WampConfig, reactor: Any) -> None:
        super().__init__(
            ComponentConfig(section.realm),
            reactor=reactor,
            request_timeout=section.request_timeout,
        )
        self._section = section
        self._pings = LoopingCall(self._ping)
        self._pings.clock = reactor
        self._problem: Exception | None = None
        self.lost = False
        self.on_lost: Callable[[Failure], object] = lambda _: None
        self.joined: Deferred[None] = Deferred()

    # -- from Autobahn

    def onConnect(self) -> None:
        who = self._section.authentication
        if who is None:
            self.join(self._section.realm)
        else:
            self.join(self._section.realm, authmethods=[who.method], authid=who.authid)

    def onChallenge(self, challenge: Any) -> str:
        who = self._section.authentication
        if who is None or challenge.method != who.method:
            raise InvalidOption(f"the router wants authentication by {challenge.method}")
        return signature(who, challenge.extra)

    def onUserError(self, fail: Any, msg: str) -> None:
        if self.joined.called:
            super().onUserError(fail, msg)
        else:
            self._problem = fail.value

    def onJoin(self, details: Any) -> None:
        if self.joined.called:
            self.abort()
            return
        self._pings.start(self._section.ping, now=False)
        self.joined.callback(None)

    def onLeave(self, details: Any) -> None:
        if self._problem is None:
            self._problem = JoinRefused(details.reason, details.message or "")
        super().onLeave(details)

    def _ping(self) -> Deferred[None]:
        """Any answer proves that the router lives; that it is a refusal is no matter."""
        asked = self.call(
            "wamp.session.get", [self._session_id], {}, timeout=self._section.ping_timeout
        )

        def failed(failure: Failure) -> None:
            if failure.check(RequestTimeout):
                self.drop(f"no sign of life within {self._section.ping_timeout:g} seconds")

        return asked.addErrback(failed).addCallback(lambda _: None)

    # -- from the wire

    def wire_lost(self, reason: Failure) -> None:
        """The connection is gone, or what is there is no WAMP router."""
        if self.lost:
            return
        self.lost = True
        if self._pings.running:
            self._pings.stop()
        cause: Any = reason.value
        if self.joined.called:
            self.on_lost(Failure(RealmLost(explain(self._problem or cause))))
        else:
            text = f"the router closed the connection: {explain(cause)}"
            self.joined.errback(self._problem or RealmLost(text))


# -- connections


class _WebSocket(WampWebSocketClientProtocol):
    transport: Any
    log = Quiet()

    def dataReceived(self, data: bytes) -> None:
        if self.state == self.STATE_CONNECTING and len(self.data) > _LONGEST_HANDSHAKE:
            self.transport.abortConnection()
            return
        try:
            self._dataReceived(data)
        except Exception:  # bytes of a peer must not reach the reactor as an exception
            self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        cause: Any = reason.value
        if not is_tls_problem(cause):
            why = self.wasNotCleanReason or reason.getErrorMessage()
            reason = Failure(RealmLost(shorten(why)))
        self.factory.session.wire_lost(reason)


class _RawSocket(WampRawSocketClientProtocol):
    transport: Any
    log = Quiet()

    def dataReceived(self, data: bytes) -> None:
        try:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        except Exception:
            self.transport.abortConnection()

    def lengthLimitExceeded(self, length: int) -> None:
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        self.factory.session.wire_lost(reason)


def _factory(section: WampConfig, session: _ClientSession, reactor: Any) -> Any:
    serializer = create_transport_serializer(section.serializer)
    factory: Any
    if urlsplit(section.url).scheme in ("ws", "wss"):
        factory = WampWebSocketClientFactory(
            lambda: session,
            section.url,
            serializers=[serializer],
            useragent=None,
            reactor=reactor,
        )
        factory.protocol = _WebSocket
        factory.setProtocolOptions(
            openHandshakeTimeout=0,
            closeHandshakeTimeout=0,
            serverConnectionDropTimeout=0,
            autoPingInterval=0,
            maxMessagePayloadSize=section.max_message_size,
            maxFramePayloadSize=section.max_message_size,
        )
    else:
        factory = WampRawSocketClientFactory(lambda: session, serializer)
        factory.protocol = _RawSocket
        factory.setProtocolOptions(maxMessagePayloadSize=section.max_message_size)
    factory.log = Quiet()
    factory.noisy = False
    factory.session = session
    return factory


async def connect(
    section: WampConfig, reactor: Any, endpoint: IStreamClientEndpoint | None = None
) -> Joined:
    """
    Connect to the router and join the realm.

    :param endpoint: instead of the section's.
    :return: the session.  Every failure, cancelling included, leaves nothing open.
    """
    session = _ClientSession(section, reactor)
    endpoint = endpoint or client_endpoint(section, reactor)
    connection: Any = await endpoint.connect(_factory(section, session, reactor))
    try:
        await session.joined
    except BaseException:
        connection.transport.abortConnection()
        raise
    return Joined(session, connection.transport)


class WampSide(_Side):
    """The WAMP side of a bridge; see :class:`~.wamp_side.WampSide`."""

    connect = staticmethod(connect)


# -- in a Crossbar container


class TokenSocketComponent(WampSession):
    """
    The bridge's WAMP side as a component that a Crossbar container hosts, which keeps the
    session: ``"classname": "txtokensock.bridge.wamp.component.TokenSocketComponent"``, with
    ``upstream`` and the rules of ``[wamp]`` in ``extra``.

    :param config: Crossbar's.
    :param reactor: the reactor; by default the global one.
    :raises InvalidOption: for an ``extra`` that cannot be, with a line for each problem.
    """

    def __init__(self, config: ComponentConfig, *, reactor: Any = None) -> None:
        if reactor is None:
            from twisted.internet import reactor
        options = component_options(config.extra)
        super().__init__(config, reactor=reactor, request_timeout=options.request_timeout)
        self._upstream = Upstream(options.upstream, reactor)
        self.counters = Counters()
        self._forwarding = WampForwarding(
            options, socket=self._upstream.socket, counters=self.counters, reactor=reactor
        )
        self._forwarding.start()

    def onJoin(self, details: Any) -> None:
        self._upstream.startService()
        self._forwarding.joined(self)

    def onClose(self, wasClean: bool) -> None:
        super().onClose(wasClean)
        self._forwarding.left()
        self._upstream.stopService()
