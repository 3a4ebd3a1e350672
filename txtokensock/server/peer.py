"""
One peer: a client's connection, from its first message to its end.
"""

from __future__ import annotations

import uuid
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..errors import InvalidOption, SockJSClosed
from ..jsontext import Malformed
from ..messages.from_client import (
    ActionAnswer,
    Auth,
    InvalidRequest,
    Uuid,
    decode_client_message,
)
from ..messages.from_server import encode_error, encode_error_answer
from ..sockjs.frames import NORMAL_CLOSURE
from ..sockjs.interfaces import ISockJSTransport
from . import close_codes as closing
from .authentication import Authentication
from .calls import ServerCalls
from .close_codes import Closing
from .limits import RateLimit, nested_deeper_than
from .ops.observer import Problem
from .outbox import Outbox
from .requests import Requests, request_name
from .server_context import ServerContext
from .tokens import Identity

__all__ = ["Peer"]


class Peer(Protocol):
    """
    One connected client, as actions and hooks see it.

    :ivar id: unique among all peers of all servers.
    """

    _log = Logger()

    transport: ISockJSTransport

    def __init__(self, context: ServerContext) -> None:
        self.id = str(uuid.uuid4())
        self._context = context
        self._rate = RateLimit(
            context.limits.messages_per_second,
            context.limits.message_burst,
            context.reactor.seconds(),
        )
        self._calls = ServerCalls(context.reactor, self.deliver)
        self._requests = Requests(context, self, self.deliver, self._end, self._idle)
        self._authentication = Authentication(context, self, self.deliver, self._end)
        self._leaving = False
        self._ended = False
        self._closing: Closing | None = None

    def __repr__(self) -> str:
        state = "closed" if self._ended else "authenticated" if self.auth is not None else "new"
        return f"<Peer {self.id} {state}>"

    # -- for actions, hooks and the application

    @property
    def auth(self) -> Identity | None:
        """
        What ``authentication`` returned for it, as it came back from JSON (``{}`` for
        True); None until it is authenticated.  A later ``auth`` with a fresh token
        replaces it.
        """
        return self._authentication.identity

    @property
    def authenticated(self) -> bool:
        """Whether it was let in and is still there."""
        return self.auth is not None and not self._ended

    @property
    def address(self) -> IAddress:
        """Where it connected from; a proxy's, if it came through one."""
        return self.transport.getPeer()

    @property
    def channels(self) -> list[str]:
        """Names of the channels that it is subscribed to, oldest first."""
        return self._context.hub.channels_of(self)

    def rpc(self, name: str, data: Any = None, *, timeout: float | None = None) -> Deferred[Any]:
        """
        Call an action of this client.

        :param name: of the action, nested with dots.
        :param data: any JSON.
        :param timeout: seconds; by default ``Limits.call_timeout``.
        :return: fires with the result.  Fails with
            :class:`~txtokensock.errors.RemoteError` if the action failed
            (:class:`~txtokensock.errors.FunctionNotFound` if there is none),
            :class:`~txtokensock.errors.CallTimeout` if no answer came in time (the
            JavaScript clients answer nothing for unknown actions),
            :class:`~txtokensock.errors.ConnectionLost` if the client went,
            :class:`~txtokensock.errors.InvalidData` if name or data cannot be sent.
            Cancelling it drops the answer.
        """
        return self._calls.call(name, data, timeout or self._context.limits.call_timeout)

    def close(self, code: int = NORMAL_CLOSURE[0], reason: str = NORMAL_CLOSURE[1]) -> None:
        """
        Close the connection; what was sent before goes out first.

        :param code: 1000, or 3000 to 4999.
        :param reason: at most 123 bytes in UTF-8.
        :raises InvalidOption: for another code or reason.
        """
        if code != NORMAL_CLOSURE[0] and not 3000 <= code <= 4999:
            raise InvalidOption(f"a close code is 1000, or 3000 to 4999, not {code!r}")
        if len(reason.encode()) > 123:
            raise InvalidOption("a close reason has at most 123 bytes")
        self._end(Closing(code, reason))

    # -- for the server

    def deliver(self, message: bytes) -> None:
        """Send an encoded message; nothing happens if the peer is gone."""
        if not self._ended:
            self._outbox.write(message)

    def leave(self) -> None:
        """The server stops: answer what is in flight, begin nothing new, and close."""
        self._leaving = True
        self._idle()

    # -- IProtocol

    def connectionMade(self) -> None:
        context = self._context
        self._outbox = Outbox(self.transport, context.turn_end, context.observer)
        context.observer.peer_connected()
        context.hub.add(self)
        host = getattr(self.address, "host", None)
        refusal = context.peers.admit(self, host, context.limits)
        if refusal is None:
            self._authentication.start_deadline()
        else:
            self._end(refusal)

    def connectionLost(self, reason: Failure | None = None) -> None:
        self._forget()
        self._context.peers.remove(self)
        why = None if reason is None else reason.value
        if self._closing is not None:
            self._context.observer.peer_gone(self._closing.code, by_server=True)
        else:
            code = why.code if isinstance(why, SockJSClosed) else None
            self._context.observer.peer_gone(code, by_server=False)

    def dataReceived(self, data: bytes) -> None:
        if self._ended:
            return
        self._context.observer.message_received(len(data))
        crossed = self._crossed(data)
        if crossed is not None:
            self._end(crossed)
            return
        try:
            message = decode_client_message(data)
        except Malformed:
            self._context.observer.message_refused("invalid_message")
            self.deliver(encode_error("Invalid message"))
        except InvalidRequest as problem:
            self._refuse("invalid_request", problem.rpc, problem.uuid, "Invalid request")
        else:
            if isinstance(message, ActionAnswer):
                self._answered(message)
            elif isinstance(message, Auth):
                self._authentication.handle(message)
            elif self.auth is None:
                self._refuse("not_authenticated", request_name(message), message.uuid, "Forbidden")
            elif self._leaving:
                error = closing.SHUTTING_DOWN.reason
                self._refuse("shutting_down", request_name(message), message.uuid, error)
            else:
                self._requests.handle(message)

    def _crossed(self, data: bytes) -> Closing | None:
        limits = self._context.limits
        if not self._rate.take(self._context.reactor.seconds()):
            return closing.TOO_MANY_MESSAGES
        if len(data) > limits.message_size:
            return closing.MESSAGE_TOO_LARGE
        if nested_deeper_than(data, limits.json_depth):
            return closing.NESTED_TOO_DEEP
        return None

    def _answered(self, answer: ActionAnswer) -> None:
        if self._calls.answered(answer):
            # The server asked for it: its calls must not use up what the peer may send.
            self._rate.give_back()
        elif self.auth is None and not self._authentication.pending:
            self._refuse("not_authenticated", "_rpc", None, "Forbidden")

    def _refuse(self, problem: Problem, rpc: str | None, uuid: Uuid, error: Any) -> None:
        """Whoever is not authenticated may not even make a mistake (S13)."""
        if self.auth is None:
            self._context.observer.message_refused("not_authenticated")
            self.deliver(encode_error_answer(rpc, uuid, "Forbidden"))
            self._end(closing.NOT_AUTHENTICATED)
        else:
            self._context.observer.message_refused(problem)
            self.deliver(encode_error_answer(rpc, uuid, error))

    # -- the end

    def _idle(self) -> None:
        if self._leaving and not self._requests:
            self._end(closing.SHUTTING_DOWN)

    def _end(self, why: Closing) -> None:
        if self._ended:
            return
        self._log.debug("{peer} is closed: {reason}", peer=self, reason=why.reason)
        self._closing = why
        self._outbox.flush()
        self._forget()
        self.transport.close(why.code, why.reason)

    def _forget(self) -> None:
        """Out of every table, at once: a close can take its time."""
        if self._ended:
            return
        self._ended = True
        self._context.hub.discard(self)
        self._authentication.close()
        self._requests.close()
        self._calls.close()
