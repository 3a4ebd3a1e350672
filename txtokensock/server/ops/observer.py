"""
What a server tells whoever counts.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

__all__ = ["Observer", "Outcome", "Problem", "RequestKind"]

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
function_not_found  there is no such action
invalid_message     not JSON, or no message
invalid_request     a message without what it needs
limit               one of :class:`~txtokensock.server.Limits` was crossed
not_authenticated   something came before ``auth``
refused             a hook said no, the token was worth nothing, or the channel is reserved
shutting_down       the server stops
store_unavailable   the store cannot be reached
timeout             ``Limits.call_timeout`` was over
==================  ==================================================================
"""

Outcome: TypeAlias = Problem | Literal["success", "cancelled"]
"""How a request ended; "cancelled" when its peer went, and nobody was told anything."""


class Observer:
    """
    Hears what happens in a server, and does nothing about it: a subclass overrides what it
    wants to know.  These methods are called for every message, so they are to be quick,
    and they must not raise.

    :class:`~txtokensock.server.ops.metrics.ServerMetrics` is one.
    """

    def peer_connected(self) -> None:
        """A peer is there; it may not be authenticated yet."""

    def peer_gone(self, code: int | None, by_server: bool) -> None:
        """
        A peer is gone.

        :param code: SockJS's close code; None if the connection was lost without one.
        :param by_server: whether the peer's end began with :meth:`Peer.close` or with a
            reason of :mod:`txtokensock.server.close_codes`.  Otherwise the code may be
            whatever the client made up.
        """

    def message_received(self, size: int) -> None:
        """
        :param size: bytes.
        """

    def messages_sent(self, count: int, size: int) -> None:
        """
        Messages leave in one frame.

        :param size: bytes of all of them.
        """

    def request_answered(self, request: RequestKind, outcome: Outcome, seconds: float) -> None:
        """
        A request is over; each is told once.

        :param seconds: since it came.
        """

    def message_refused(self, problem: Problem) -> None:
        """An error was the answer to a message before any work began on it."""

    def token_answered(self, status: int) -> None:
        """A token request was answered with that HTTP status."""
