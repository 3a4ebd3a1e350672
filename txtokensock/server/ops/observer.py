"""
The events of a server, for those who count them.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ...web.server.site_limits import Refusal

__all__ = ["ConnectionRefusal", "Observer", "Outcome", "Problem", "RequestKind"]

ConnectionRefusal: TypeAlias = Refusal | Literal["peers_per_address"]
"""Which limit somebody has crossed who is turned away."""

RequestKind: TypeAlias = Literal[
    "auth", "broadcast", "call", "publish", "subscribe", "unsubscribe"
]

Problem: TypeAlias = Literal[
    "action_error",
    "exception",
    "function_not_found",
    "invalid_message",
    "invalid_request",
    "limit",
    "not_authenticated",
    "refused",
    "shutting_down",
    "store_unavailable",
    "timeout",
]
"""
Why a client was told of an error:

==================  ==================================================================
action_error        an action raised :class:`~txtokensock.errors.ActionError`
exception           an action raised anything else, or returned what has no JSON form
function_not_found  no action has that name
invalid_message     not JSON, or not a message of the protocol
invalid_request     a message that lacks a field that it needs
limit               one of :class:`~txtokensock.server.Limits` was exceeded
not_authenticated   a message came before ``auth`` was answered
refused             a hook refused, the token is not valid, or the channel is reserved
shutting_down       the server is stopping
store_unavailable   the store cannot be reached
timeout             ``Limits.call_timeout`` passed
==================  ==================================================================
"""

Outcome: TypeAlias = Problem | Literal["success", "cancelled"]
"""How a request ended; "cancelled" if its peer went before it was answered."""


class Observer:
    """
    Is told what happens in a server, and does nothing; a subclass overrides the methods that
    it needs.  They are called for every message, so they must be quick, and they must not
    raise.

    :class:`~txtokensock.server.ops.metrics.ServerMetrics` is one.
    """

    def peer_connected(self) -> None:
        """A peer connected; it is not authenticated yet."""

    def peer_gone(self, code: int | None, by_server: bool) -> None:
        """
        A peer disconnected.

        :param code: SockJS's close code; None if the connection was lost without one.
        :param by_server: whether the peer's end began with :meth:`.Peer.close` or with a
            reason of :mod:`txtokensock.server.close_codes`.  Otherwise the code may be
            whatever the client made up.
        """

    def message_received(self, size: int) -> None:
        """
        A message came in.

        :param size: bytes of the message.
        """

    def messages_sent(self, count: int, size: int) -> None:
        """
        Messages leave in one frame.

        :param size: bytes of all of them.
        """

    def request_answered(self, request: RequestKind, outcome: Outcome, seconds: float) -> None:
        """
        A request ended; this is called once for each.

        :param seconds: since it came.
        """

    def message_refused(self, problem: Problem) -> None:
        """An error was the answer to a message before any work began on it."""

    def message_dropped(self, size: int) -> None:
        """
        A message is not delivered to the peers of this server, as more than
        ``Limits.undelivered`` waits already.

        :param size: bytes of the message.
        """

    def store_interrupted(self, seconds: float) -> None:
        """
        The store can be heard again after a time in which messages of other servers may have
        been lost.
        """

    def connection_refused(self, refusal: ConnectionRefusal) -> None:
        """
        A connection to :meth:`.TokenSocketServer.site` has crossed a limit, and is closed; or
        a session was refused with 429, as many of its address are just being refused.
        """

    def token_answered(self, status: int) -> None:
        """A token request was answered with that HTTP status."""
