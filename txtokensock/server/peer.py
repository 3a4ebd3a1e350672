"""
A connected client, as actions, hooks and the application see it.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import UnionType
from typing import Any, Protocol, TypeVar, overload

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IAddress

from ..errors import InvalidOption
from ..sockjs.frames import NORMAL_CLOSURE, check_close
from ..support.typed_data import reader_of
from .calls import ServerCalls
from .close_codes import CloseCode
from .limits import Limits
from .tokens import Identity

__all__ = ["Peer", "PeerConnection", "PeerState"]

T = TypeVar("T")


@dataclass(slots=True)
class PeerState:
    """
    What changes about a peer; its protocol writes it, and its :class:`Peer` reads it.

    :ivar limits: those of all peers, and once it is authenticated its own.
    :ivar identity: None until the peer is authenticated.
    :ivar ended: whether its end has begun; nothing is sent to it any more.
    """

    limits: Limits
    identity: Identity | None = None
    ended: bool = False


class PeerConnection(Protocol):
    """The connection of a peer, as what works for that peer sees it."""

    @property
    def peer(self) -> Peer:
        """The peer, for the hooks."""

    @property
    def state(self) -> PeerState:
        """What changes about the peer."""

    @property
    def calls(self) -> ServerCalls:
        """The calls to the peer."""

    def channels(self) -> list[str]:
        """Names of the channels that the peer is subscribed to, oldest first."""

    def authenticated(self) -> None:
        """An ``auth`` has succeeded, which is not answered yet."""

    def send(self, message: bytes) -> None:
        """Send an encoded message; nothing happens if the peer is gone."""

    def charge(self, messages: int) -> None:
        """Count messages that the peer has not sent, for what it sent made as much work."""

    def slow_down(self, slower: bool) -> None:
        """Do not read what the peer sends, until this was said as often with False."""

    def idle(self) -> None:
        """Nothing that the peer has asked for is in flight any more."""

    def leave(self) -> None:
        """The server stops: let the peer finish what it has asked for, and close it."""

    def end(self, why: CloseCode) -> None:
        """Close the connection; what was sent before goes out first."""


class Peer:
    """
    One connected client, as actions and hooks see it.  The server makes them.

    :ivar id: unique among all peers of all servers.
    """

    def __init__(self, connection: PeerConnection, address: IAddress) -> None:
        self.id = str(uuid.uuid4())
        self._connection = connection
        self._address = address

    def __repr__(self) -> str:
        state = self._connection.state
        word = "closed" if state.ended else "new" if state.identity is None else "authenticated"
        return f"<Peer {self.id} {word}>"

    @property
    def auth(self) -> Identity | None:
        """
        What ``authentication`` returned for it, as it came back from JSON (``{}`` for
        True); None until it is authenticated.  A later ``auth`` with a fresh token
        replaces it.
        """
        return self._connection.state.identity

    @property
    def authenticated(self) -> bool:
        """Whether it is authenticated and its end has not begun."""
        state = self._connection.state
        return state.identity is not None and not state.ended

    @property
    def limits(self) -> Limits:
        """What it may use."""
        return self._connection.state.limits

    @property
    def address(self) -> IAddress:
        """Where it connected from: the proxy, where that is none of ``trusted_proxies``."""
        return self._address

    @property
    def channels(self) -> list[str]:
        """Names of the channels that it is subscribed to, oldest first."""
        return self._connection.channels()

    @overload
    def rpc(
        self, name: str, data: Any = None, *, timeout: float | None = None, type: type[T]
    ) -> Deferred[T]: ...

    @overload
    def rpc(
        self,
        name: str,
        data: Any = None,
        *,
        timeout: float | None = None,
        type: UnionType | None = None,
    ) -> Deferred[Any]: ...

    def rpc(
        self, name: str, data: Any = None, *, timeout: float | None = None, type: object = None
    ) -> Deferred[Any]:
        """
        Call an action of this client.

        :param name: of the action, nested with dots.
        :param data: any JSON.
        :param timeout: seconds; by default ``Limits.call_timeout``.
        :param type: what the result is to be, see :meth:`TokenSocket.rpc
            <txtokensock.TokenSocket.rpc>`.
        :return: fires with the result.  Fails with
            :class:`~txtokensock.errors.RemoteError` if the action failed
            (:class:`~txtokensock.errors.FunctionNotFound` if there is none),
            :class:`~txtokensock.errors.CallTimeout` if no answer came in time (the
            JavaScript clients answer nothing for unknown actions),
            :class:`~txtokensock.errors.ConnectionLost` if the client went, or its end has
            begun, which it does with the first sign of a close of either side,
            :class:`~txtokensock.errors.InvalidData` if name or data cannot be sent,
            :class:`~txtokensock.errors.InvalidOption` for a timeout that is no time or a
            ``type`` that is none, :class:`~txtokensock.errors.UnexpectedData` if the result is
            not of that type.
            Cancelling it drops the answer.
        """
        if type is None:
            return self._connection.calls.call(name, data, timeout)
        try:
            read = reader_of(type, f"the answer to rpc {name!r}")
        except InvalidOption as problem:
            return fail(problem)
        return self._connection.calls.call(name, data, timeout).addCallback(read)

    def close(self, code: int = NORMAL_CLOSURE[0], reason: str = NORMAL_CLOSURE[1]) -> None:
        """
        Close the connection; what was sent before goes out first.

        :param code: 1000, or 3000 to 4999.
        :param reason: at most 123 bytes in UTF-8.
        :raises InvalidOption: for another code or reason.
        """
        check_close(code, reason)
        self._connection.end(CloseCode(code, reason))
