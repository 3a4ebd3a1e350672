"""
A realm of a WAMP router, as far as the bridge needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from twisted.internet.defer import Deferred

from ...errors import PeerError, UsageError, shorten
from ..error_table import NeighbourTimeout, NeighbourUnavailable

__all__ = [
    "TEND_SECONDS",
    "CallResult",
    "JoinRefused",
    "Match",
    "OnCall",
    "OnEvent",
    "Payload",
    "Realm",
    "RealmLost",
    "RequestTimeout",
    "Undo",
    "Unserializable",
    "WampError",
    "caller_of",
]

Match: TypeAlias = Literal["exact", "prefix"]
Payload: TypeAlias = tuple[Sequence[Any], Mapping[str, Any]]
"""Positional and keyword arguments."""

OnEvent: TypeAlias = Callable[[str, Sequence[Any], Mapping[str, Any], int | None], object]
"""
Called with the topic, args and kwargs of an event, and the session that published it, where
the router says that.
"""

CallResult: TypeAlias = Deferred[Payload]
OnCall: TypeAlias = Callable[[str, Sequence[Any], Mapping[str, Any], int | None], CallResult]
"""
Called with the procedure, args and kwargs, and the session that calls, where the router says
that; to be failed with a :class:`WampError`.
"""

Undo: TypeAlias = Callable[[], Deferred[None]]
"""Takes back a subscription or a registration; its Deferred never fails."""


TEND_SECONDS = 10.0
"""Seconds after which the router is asked again for what it has refused or taken away."""


def caller_of(session: int | None) -> str:
    """Who calls or publishes, as far as the router says it; all others are one."""
    return "wamp" if session is None else f"wamp {session}"


class WampError(PeerError):
    """
    An error of WAMP, from or for a peer.

    :ivar uri: what kind of.
    :ivar args_: positional.
    :ivar kwargs: by keyword.
    """

    def __init__(
        self, uri: str, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> None:
        self.uri = uri
        self.args_ = list(args)
        self.kwargs = dict(kwargs or {})
        super().__init__(f"{uri}: {self.message}" if self.message else uri)

    @property
    def message(self) -> str:
        """What the first argument says, for people, in one line."""
        return shorten(str(self.args_[0])) if self.args_ else ""


class RealmLost(NeighbourUnavailable):
    """There is no connection to the router, or none any more."""


class RequestTimeout(NeighbourTimeout):
    """The router, or the procedure behind it, did not answer in time."""


class JoinRefused(PeerError):
    """
    The router did not let us in, or put us out; the text says why.

    :ivar uri: the router's reason.
    """

    def __init__(self, uri: str, message: str) -> None:
        super().__init__(f"the router refused us: {uri} {shorten(message)}".strip())
        self.uri = uri


class Unserializable(UsageError):
    """The data has no form in the serializer that is used, or is too large for the router."""


class Realm(Protocol):
    """
    A joined session.

    Every Deferred fires within the session's deadlines, and fails with a
    :class:`WampError` where the router or a peer refused, with :class:`RealmLost`,
    :class:`RequestTimeout` or :class:`Unserializable`.
    """

    def publish(
        self, topic: str, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> Deferred[None]:
        """
        Publish to everybody but this session.

        :return: fires when the router has acknowledged it.
        """

    def subscribe(self, topic: str, match: Match, on_event: OnEvent) -> Deferred[Undo]:
        """:return: fires when the router has confirmed."""

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
        """
        :param shared: others may register it too, and calls go round.
        :param on_revoked: called when the router takes the registration away.
        :return: fires when the router has confirmed.
        """

    def call(
        self, procedure: str, args: Sequence[Any], kwargs: Mapping[str, Any], timeout: float
    ) -> CallResult:
        """:return: fires with the result; cancelling it withdraws the call."""
