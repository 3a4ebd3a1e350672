"""
One connection: authenticates, passes messages on, answers the server's calls, and notices
when the server is gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..actions import Actions, find_action, outcome_error
from ..errors import (
    AuthenticationAborted,
    AuthenticationRefused,
    InvalidData,
    PeerSilent,
    SockJSClosed,
)
from ..jsontext import Malformed
from ..messages.announced_limits import AnnouncedLimits
from ..messages.from_client import (
    encode_action_error,
    encode_action_result,
    encode_auth,
    encode_call,
)
from ..messages.from_server import (
    Answer,
    ChannelMessage,
    ServerCall,
    ServerMessage,
    decode_server_message,
)
from ..sockjs import ISockJSProtocol, ISockJSTransport
from ..sockjs.frames import largest_frame
from ..sockjs.transport_names import Transport
from ..support.in_transit import InTransit
from ..support.user_functions import call_user_function
from .keepalive import KeepAlive
from .request import uuid_source
from .sending_limits import FRAME_BYTES, FRAME_MESSAGES
from .token_renewal import TokenRenewal

__all__ = ["Connection", "ConnectionOwner"]

_RUNNING_ACTIONS = 1000
_HELD_ANSWERS = 100

_GATHERED = 4 * 1024
"""Bytes of answers that wait for the end of a read."""


class ConnectionOwner(Protocol):
    """
    The callbacks of a connection.

    :ivar answered: takes the answers to everything but ``auth`` and pings.
    :ivar delivered: sends what was asked for while what came in together was being delivered.
    :ivar running_actions: also those whose connection is lost: they go on.
    """

    actions: Actions
    expose_errors: bool
    running_actions: set[Deferred[Any]]
    answered: Callable[[Answer], object]
    delivered: Callable[[], object]

    def channel_message(self, message: ChannelMessage) -> None:
        """Take what was published or broadcast."""

    def message_received(self, message: ServerMessage) -> None:
        """Take a message of any kind that no other callback is for."""

    def message_ignored(self, problem: str) -> None:
        """Take note that the server sent a message that cannot be read."""

    def connection_writable(self) -> None:
        """Send what waits: the transport takes messages again."""

    def connection_lost(self, reason: Exception, last_heard: float) -> None:
        """
        Take note of the end, as soon as it has begun; called once, and only for a connection
        that was authenticated.

        :param last_heard: when the server was heard of last, in seconds of the reactor's clock.
        """


@implementer(IPushProducer, ISockJSProtocol)
class Connection(TwistedProtocol):
    """
    :param owner: see :class:`ConnectionOwner`.
    :param keep_alive: makes the watch over a silent server, given the connection.
    :param reactor: its clock.
    :ivar in_transit: counts what was sent.
    :ivar pause_count: how often reading was stopped, or taken up again.
    :ivar acks: whether the server acknowledges every request.
    :ivar limits: what the server announced to take, in its answer to ``auth``.
    :ivar renewal: authenticates it anew, see :class:`~.endpoint.AuthenticatingProtocol`.
    :ivar when_lost: called with the reason, once, where it had been authenticated.
    """

    _log = Logger()
    transport: ISockJSTransport

    def __init__(
        self,
        owner: ConnectionOwner,
        keep_alive: Callable[[Connection], KeepAlive],
        reactor: IReactorTime,
    ) -> None:
        self._owner = owner
        self.in_transit = InTransit(reactor)
        self._keep_alive = keep_alive(self)
        self._new_uuid = uuid_source()
        self._auth_uuid: str | None = None
        self._token = ""
        self._authenticated: Deferred[None] | None = None
        self._established = False
        self._held: list[bytes] = []
        self._answers: list[bytes] = []
        self._answers_size = 0
        self._reading_stops: set[object] = set()
        self._silent: Failure | None = None
        self.when_lost: Callable[[Failure], object] = lambda _: None
        self.pause_count = 0
        self.acks = False
        self.limits: AnnouncedLimits | None = None
        self.renewal: TokenRenewal | None = None
        self._has_room = True
        self._lost = False
        self._end_told = False

    # -- authentication

    def authenticate(self, token: str) -> Deferred[None]:
        """
        Send ``auth``; on a connection that is authenticated, this renews it.

        :return: fires when the server accepted the token.  Fails with
            :class:`~txtokensock.errors.AuthenticationRefused` or
            :class:`~txtokensock.errors.AuthenticationAborted`.
        """
        self._auth_uuid = self._new_uuid()
        self._token = token
        self._authenticated = Deferred()
        if self._lost:
            self._abort_authentication(Failure(SockJSClosed(1006, "")))
        else:
            self.send([encode_auth(token, self._auth_uuid)])
        return self._authenticated

    def _auth_answered(self, answer: Answer) -> None:
        waiting = self._authenticated
        if waiting is None or waiting.called:
            return  # node-token-sockjs may answer twice: the first answer counts
        if answer.error is not None:
            waiting.errback(Failure(AuthenticationRefused(answer.error, self._token)))
        else:
            self.acks = answer.acks
            self.limits = answer.limits
            if self.limits is not None:
                self.transport.frame_limits = self.limits.frame_size, self.limits.frame_messages
            if not self._established:
                self._established = True
                self._keep_alive.start()
            if self.renewal is not None:
                self.renewal.expires_in(answer.expires)
            waiting.callback(None)

    def _abort_authentication(self, reason: Failure) -> None:
        if self._authenticated is not None and not self._authenticated.called:
            problem = f"the server closed without answering auth: {reason.getErrorMessage()}"
            aborted = AuthenticationAborted(problem)
            aborted.__cause__ = reason.value
            self._authenticated.errback(Failure(aborted))

    # -- IProtocol

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.transport.after_delivery = self._delivered

    def _delivered(self) -> None:
        if self._answers:
            self._send_answers()
        if self._established and not self.closing:
            self._owner.delivered()

    def dataReceived(self, data: bytes) -> None:
        try:
            message = decode_server_message(data)
        except Malformed as problem:
            self._owner.message_ignored(str(problem))
            return
        if isinstance(message, ChannelMessage):
            self._owner.channel_message(message)
        elif isinstance(message, Answer):
            if message.uuid == self._auth_uuid:
                self._auth_answered(message)
            elif message.uuid == self._keep_alive.ping_uuid:
                self._keep_alive.answered()
            else:
                self._owner.answered(message)
        elif isinstance(message, ServerCall):
            self._called(message)
        else:
            self._owner.message_received(message)

    def connectionClosing(self, reason: Failure) -> None:
        # One that is not authenticated waits for its end: to abort it here would reset TCP.
        if self._established:
            self._tell_end(reason)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        self._keep_alive.stop()
        reason = self._silent or reason
        if self._established:
            self._tell_end(reason)
            self.when_lost(reason)
        else:
            self._abort_authentication(reason)

    def _tell_end(self, reason: Failure) -> None:
        if self._end_told:
            return
        self._end_told = True
        self._keep_alive.stop()
        if self.renewal is not None:
            self.renewal.stop()
        self._held.clear()
        error: Any = (self._silent or reason).value
        self._owner.connection_lost(error, self.transport.last_received)

    @property
    def closing(self) -> bool:
        """Whether its end has come, or has begun: nothing more is sent."""
        return self._lost or self.transport.disconnecting

    @property
    def delivering(self) -> bool:
        """Whether what came in together is being delivered."""
        return bool(self.transport.delivering)

    @property
    def writable(self) -> bool:
        """Whether messages can be sent, and there is room for them."""
        return self._has_room and not self.closing

    # -- sending

    def send(self, messages: list[bytes]) -> None:
        """Send messages, in one frame."""
        self.in_transit.sent += sum(map(len, messages))
        self.transport.writeSequence(messages)

    def _send_frames(self, messages: list[bytes]) -> None:
        """Send messages, in as few frames as the server takes them in."""
        limits = self.limits or AnnouncedLimits()
        most, room = limits.frame_messages or FRAME_MESSAGES, limits.frame_size or FRAME_BYTES
        frame: list[bytes] = []
        size = 0
        for message in messages:
            size += len(message)
            if len(frame) == most or (frame and largest_frame(len(frame) + 1, size) > room):
                self.send(frame)
                frame, size = [], len(message)
            frame.append(message)
        if frame:
            self.send(frame)

    # -- Watched: whether the server lives

    @property
    def frames_received(self) -> int:
        """How many frames of any kind were received so far."""
        return int(self.transport.frames_received)

    @property
    def bytes_received(self) -> int:
        """How many bytes of frames were received so far, complete or not."""
        return int(self.transport.bytes_received)

    @property
    def bytes_in_frames(self) -> int:
        """What :attr:`bytes_received` was when the last frame was complete."""
        return int(self.transport.bytes_in_frames)

    @property
    def transport_name(self) -> Transport:
        """The name of what carries the session, such as ``"websocket"``."""
        return cast(Transport, self.transport.name)

    def ping(self) -> str:
        """
        Ask for a sign of life.

        :return: the uuid that its answer will have.
        """
        uuid = self._new_uuid()
        self.send([encode_call("_ping", {}, uuid)])
        return uuid

    def silent(self, problem: str) -> None:
        """Drop the connection: the server does not answer, though TCP has not noticed."""
        self._silent = Failure(PeerSilent(problem))
        self.transport.abortConnection()

    # -- IPushProducer: the transport's buffer is full, or has room

    def pauseProducing(self) -> None:
        """Send no more for now."""
        self._has_room = False

    def resumeProducing(self) -> None:
        """Send what was held back."""
        self._has_room = True
        held, self._held = self._held, []
        self._send_frames(held)
        self.release(self)
        if self.writable and self._established:
            self._owner.connection_writable()

    def stopProducing(self) -> None:
        """The transport is going; ``connectionLost`` follows."""
        self._has_room = False

    # -- reading

    @property
    def reading(self) -> bool:
        """Whether anything is read at present."""
        return not self._reading_stops

    def hold(self, holder: object) -> None:
        """Stop reading, until every holder has released."""
        if not self._reading_stops and not self._lost:
            self.pause_count += 1
            self.transport.pauseProducing()
        self._reading_stops.add(holder)

    def release(self, holder: object) -> None:
        """``holder`` has no objection to reading any more."""
        if holder in self._reading_stops:
            self._reading_stops.discard(holder)
            if not self._reading_stops and not self._lost:
                self.pause_count += 1
                self.transport.resumeProducing()

    # -- calls from the server

    def _called(self, call: ServerCall) -> None:
        """Answer a call exactly once, while there is a connection."""
        action = find_action(self._owner.actions, call.name)
        if action is None:
            self._answer(encode_action_error(call.fid, "Function not found"))
            return
        if len(self._owner.running_actions) >= _RUNNING_ACTIONS:
            self._answer(encode_action_error(call.fid, "Too many calls at once"))
            return
        running = call_user_function(action, call.data)
        self._owner.running_actions.add(running)

        def done(outcome: Any) -> None:
            self._owner.running_actions.discard(running)
            self._answer(self._encode_outcome(call, outcome))

        running.addBoth(done)

    def _encode_outcome(self, call: ServerCall, outcome: Any) -> bytes:
        """The answer to a call, which the server takes: it would close for another."""
        payload = self._encode(call, outcome)
        try:
            if self.limits is not None:
                self.limits.check_message(payload)
        except InvalidData as problem:
            return encode_action_error(call.fid, f"the answer cannot be sent: {problem}")
        return payload

    def _encode(self, call: ServerCall, outcome: Any) -> bytes:
        """The same, whatever the server takes: from the result of its action or its Failure."""
        if not isinstance(outcome, Failure):
            try:
                return encode_action_result(call.fid, outcome)
            except InvalidData:
                outcome = Failure()
        error = outcome_error(
            outcome,
            call.name,
            peer=self.transport.getPeer(),
            expose=self._owner.expose_errors,
        )
        try:
            return encode_action_error(call.fid, error)
        except InvalidData:
            return encode_action_error(call.fid, "the action's error has no JSON form")

    def _answer(self, payload: bytes) -> None:
        if self.closing:
            return
        if not self.writable:
            self._held.append(payload)
            if len(self._held) >= _HELD_ANSWERS:
                # A server that calls and does not read the answers is not read either.
                self.hold(self)
        elif self.delivering:
            self._answers.append(payload)  # those of one read leave together
            self._answers_size += len(payload)
            if self._answers_size > _GATHERED:  # the transport may have no room for more
                self._send_answers()
        else:
            self.send([payload])

    def _send_answers(self) -> None:
        answers, self._answers, self._answers_size = self._answers, [], 0
        if not self.closing:
            self._send_frames(answers)
