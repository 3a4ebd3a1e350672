"""
What all peers of one server share.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from ..actions import Action, Actions, find_action
from ..support.waiters import Waiters
from .close_codes import SHUTTING_DOWN, TOO_MANY_PEERS, Closing
from .hooks import Hooks
from .hub import Hub
from .limits import Limits
from .ops.observer import Observer
from .outbox import TurnEnd

if TYPE_CHECKING:
    from .peer import Peer

__all__ = ["PeerTable", "ServerContext"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerContext:
    """
    :ivar reactor: for every timer.
    :ivar limits: for every peer.
    :ivar actions: that peers may call; looked into at each call.
    :ivar own_actions: the server's own, which come first.
    :ivar hooks: that decide.
    :ivar hub: that delivers.
    :ivar acks: whether requests are acknowledged, see PROTOCOL section 5.
    :ivar turn_end: when peers' messages leave.
    :ivar observer: hears what happens.
    :ivar peers: all of them.
    """

    reactor: IReactorTime
    limits: Limits
    actions: Actions
    own_actions: Actions
    hooks: Hooks
    hub: Hub
    acks: bool
    turn_end: TurnEnd
    observer: Observer
    peers: PeerTable = field(default_factory=lambda: PeerTable())

    def find_action(self, name: str) -> Action | None:
        """The action of that name, or None."""
        return find_action(self.own_actions, name) or find_action(self.actions, name)


class PeerTable:
    """
    All peers, from their connection to their end.

    :ivar open: whether the server takes new ones.
    :ivar since: when that became so, in seconds by the reactor's clock.
    """

    def __init__(self) -> None:
        self.open = False
        self.since = 0.0
        self._peers: dict[Peer, str | None] = {}
        self._by_host: Counter[str] = Counter()
        self._empty: Waiters[None] = Waiters()

    def set_open(self, is_open: bool, now: float) -> None:
        """Take new peers from now on, or no more."""
        self.open = is_open
        self.since = now

    def admit(self, peer: Peer, host: str | None, limits: Limits) -> Closing | None:
        """
        A peer connected.

        :param host: what peers are counted by; None for those of a UNIX socket, which
            cannot be told apart.
        :return: why it must go at once, or None.
        """
        self._peers[peer] = host
        if host is not None:
            self._by_host[host] += 1
        if not self.open:
            return SHUTTING_DOWN
        if host is not None and self._by_host[host] > limits.peers_per_address:
            return TOO_MANY_PEERS
        return None

    def remove(self, peer: Peer) -> None:
        """A peer's connection is gone."""
        host = self._peers.pop(peer, None)
        if host is not None:
            self._by_host[host] -= 1
            if not self._by_host[host]:
                del self._by_host[host]
        if not self._peers:
            self._empty.fire()

    def all(self) -> list[Peer]:
        """In the order of their connection."""
        return list(self._peers)

    def when_empty(self) -> Deferred[None]:
        """:return: fires with None when the last peer is gone; cancelling stops the wait."""
        return self._empty.wait() if self._peers else succeed(None)
