"""
The protocol of one peer: a client's connection, from its first message to its end.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ..errors import SockJSClosed
from ..jsontext import Malformed, nested_deeper_than
from ..messages.from_client import (
    ActionAnswer,
    Auth,
    InvalidRequest,
    Uuid,
    decode_client_message,
    decode_head,
)
from ..messages.from_server import encode_error, encode_error_answer, encode_leaving
from ..sockjs.interfaces import ISockJSProtocol
from ..sockjs.server.input_meter import MALFORMED
from ..sockjs.server.session import SessionTransport
from . import close_codes
from .calls import ServerCalls
from .close_codes import CloseCode
from .limits import LimitExceeded
from .ops.observer import Problem
from .outbox import Outbox
from .peer import Peer, PeerState
from .peer_authentication import PeerAuthentication
from .requests import PeerRequests, request_name
from .server_context import ServerContext

__all__ = ["PeerProtocol"]

_RETURN = 1.0
"""Seconds after which a polling client that has not come back for more has left."""


@implementer(ISockJSProtocol)
class PeerProtocol(Protocol):
    """
    Speaks token-sockjs with one client over a SockJS session.

    :param context: what the server's peers share.
    :param address: where the client connected from.
    :ivar peer: what actions, hooks and the application see of it.
    """

    _log = Logger()

    transport: SessionTransport

    def __init__(self, context: ServerContext, address: IAddress) -> None:
        self._context = context
        self.state = PeerState(context.limits)
        self._calls: ServerCalls | None = None
        self.peer = Peer(self, address)
        self._requests = PeerRequests(context, self)
        self._authentication = PeerAuthentication(context, self)
        self._leaving = False
        self._slowed = 0
        self._close_code: CloseCode | None = None

    def __repr__(self) -> str:
        return f"<PeerProtocol of {self.peer!r}>"

    # -- IProtocol

    def connectionMade(self) -> None:
        context = self._context
        self._outbox = Outbox(self.transport, context.slices, context.observer)
        context.observer.peer_connected()
        context.hub.add(self.peer, self._outbox)
        self.transport.limit_input(context.limits.unauthenticated_input(), self._too_much)
        refusal = context.peers.admit(self, context.limits)
        if refusal is None:
            self._authentication.start_deadline()
        elif refusal is close_codes.TOO_MANY_PEERS:
            self._turn_away(refusal, "peers_per_address")
        else:
            self.end(refusal)

    def connectionClosing(self, reason: Failure) -> None:
        self._forget()

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._forget()
        self._context.peers.remove(self)
        why = None if reason is None else reason.value
        if self._close_code is not None:
            self._context.observer.peer_gone(self._close_code.code, by_server=True)
        else:
            code = why.code if isinstance(why, SockJSClosed) else None
            self._context.observer.peer_gone(code, by_server=False)

    def dataReceived(self, data: bytes) -> None:
        if self.state.ended:
            return
        self._context.observer.message_received(len(data))
        limits = self.state.limits
        if len(data) > limits.message_size:
            self._exceeds("message_size", data, close_codes.MESSAGE_TOO_LARGE)
            return
        if nested_deeper_than(data, limits.json_depth):
            self._exceeds("json_depth", data, close_codes.NESTED_TOO_DEEP)
            return
        try:
            message = decode_client_message(data)
        except Malformed as problem:
            self._context.observer.message_refused("invalid_message")
            if not self._unreadable_answer(data, problem):
                self.send(encode_error("Invalid message"))
            self.transport.charge(MALFORMED - 1)  # it was counted as a message already
        except InvalidRequest as problem:
            if problem.rpc == "_rpc" and self._unreadable_answer(data, problem):
                return
            self._refuse("invalid_request", problem.rpc, problem.uuid, "Invalid request")
        else:
            if isinstance(message, ActionAnswer):
                self._answered(message)
            elif isinstance(message, Auth):
                self._authentication.handle(message)
            elif self.state.identity is None:
                self._refuse("not_authenticated", request_name(message), message.uuid, "Forbidden")
            elif self._leaving:
                self._context.observer.message_refused("shutting_down")
                encode = encode_leaving if self._context.acks else encode_error_answer
                error = close_codes.SHUTTING_DOWN.reason
                self.send(encode(request_name(message), message.uuid, error))
            else:
                self._requests.handle(message, data)

    def _exceeds(self, limit: str, data: bytes, close_code: CloseCode) -> None:
        """
        Answer a message that exceeds a limit, without looking at what it holds.

        :param close_code: the end of a peer that cannot be answered.
        """
        head = decode_head(data)
        if head is None:
            self._turn_away(close_code, limit)
            return
        exceeded = LimitExceeded.of(limit, self.state.limits, len(data))
        self.charge(exceeded.work)
        if head.rpc == "_rpc":
            self._answered(
                ActionAnswer(head.fid or "", error=f"the answer was not read: {exceeded}")
            )
        elif head.rpc == "auth":
            self._context.observer.message_refused("limit")
            self.send(encode_error_answer("auth", head.uuid, str(exceeded)))
        else:
            self._refuse("limit", head.rpc, head.uuid, str(exceeded))

    def _unreadable_answer(self, data: bytes, problem: Exception) -> bool:
        """:return: whether that answers a call of the server's, which fails."""
        head = decode_head(data)
        if head is None or head.rpc != "_rpc" or not head.fid:
            return False
        error = f"the answer cannot be read: {problem}"
        return self._is_answered(ActionAnswer(head.fid, error=error))

    def _answered(self, answer: ActionAnswer) -> None:
        waited_for = self._is_answered(answer)
        if waited_for or self.state.identity is not None or self._authentication.pending:
            return
        self._refuse("not_authenticated", "_rpc", None, "Forbidden")

    def _is_answered(self, answer: ActionAnswer) -> bool:
        """:return: whether anybody waited for it."""
        return self._calls is not None and self._calls.answered(answer)

    # -- PeerConnection

    @property
    def calls(self) -> ServerCalls:
        """The calls to the peer; most servers make none."""
        if self._calls is None:
            context = self._context
            self._calls = ServerCalls(
                context.slices,
                context.deadlines,
                self.send,
                self._credit,
                context.limits.call_timeout,
            )
        return self._calls

    def channels(self) -> list[str]:
        """Names of the channels that the peer is subscribed to, oldest first."""
        return self._context.hub.channels_of(self.peer)

    def authenticated(self) -> None:
        """Limit what the peer may send by what it is."""
        self.transport.limit_input(self.state.limits.input(), self._too_much)

    def send(self, message: bytes) -> None:
        """Send an encoded message; nothing happens if the peer is gone."""
        if not self.state.ended:
            self._outbox.write(message)

    def end(self, why: CloseCode) -> None:
        """Close the connection; what was sent before goes out first."""
        if self.state.ended:
            return
        self._log.debug(
            "{peer} is closed: {reason}", event="peer.closed", peer=self.peer, reason=why.reason
        )
        self._close_code = why
        self._outbox.flush()
        self._forget()
        self.transport.close(why.code, why.reason)

    # -- what the peer may send

    def _too_much(self) -> None:
        limits, limit = self.state.limits, "messages_per_second"
        strangers = limits.unauthenticated_per_second < limits.messages_per_second
        if self.state.identity is None and strangers:
            limit = "unauthenticated_per_second"
        self._turn_away(close_codes.TOO_MANY_MESSAGES, limit)

    def charge(self, messages: int) -> None:
        """Count messages that the peer has not sent, for what it sent made as much work."""
        if messages and not self.state.ended:
            self.transport.charge(messages)

    def _credit(self, messages: int) -> None:
        # The server's own calls must not use up the peer's rate.
        self.transport.credit(messages)

    def _refuse(self, problem: Problem, rpc: str | None, uuid: Uuid, error: Any) -> None:
        """
        Answer with an error.  For a peer that is not authenticated it is always "Forbidden",
        and the end, as with node-token-sockjs.
        """
        if self.state.identity is None:
            self._context.observer.message_refused("not_authenticated")
            self.send(encode_error_answer(rpc, uuid, "Forbidden"))
            self.end(close_codes.NOT_AUTHENTICATED)
        else:
            self._context.observer.message_refused(problem)
            self.send(encode_error_answer(rpc, uuid, error))

    def slow_down(self, slower: bool) -> None:
        """Do not read what the peer sends, until this was said as often with False."""
        self._slowed += 1 if slower else -1
        if slower and self._slowed == 1:
            self.transport.pauseProducing()
        elif not slower and self._slowed == 0:
            self.transport.resumeProducing()

    # -- the end

    def leave(self) -> None:
        """The server stops: answer what is in flight, begin nothing new, and close."""
        self._leaving = True
        self.idle()

    def idle(self) -> None:
        """End a peer that was told to leave, once nothing of it is in flight."""
        if not self._leaving or self._requests:
            return
        if self.transport.seconds_away() > _RETURN:
            self.transport.abortConnection()  # a close would wait until it is fetched
        else:
            self.end(close_codes.SHUTTING_DOWN)

    def _turn_away(self, why: CloseCode, limit: str) -> None:
        """End a peer that exceeds a limit, which the reason and the log name."""
        if not self.state.ended:
            limits = self.state.limits
            self._context.refusals.exceeded(limit, limits, "connections")
            self.end(why.naming(limit, getattr(limits, limit)))

    def _forget(self) -> None:
        """Leave every table at once, for a close may take seconds."""
        if self.state.ended:
            return
        self.state.ended = True
        self._context.hub.discard(self.peer)
        self._authentication.close()
        self._requests.close(self.calls)
