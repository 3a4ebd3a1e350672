"""
All peers of one server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from twisted.internet.defer import Deferred, succeed

from ..support.waiters import Waiters
from .close_codes import SHUTTING_DOWN, TOO_MANY_PEERS, CloseCode
from .limits import Limits
from .peer import Peer

__all__ = ["PeerTable"]


class _Entry(NamedTuple):
    host: str | None
    leave: Callable[[], object]


class PeerTable:
    """
    All peers, from their connection to their end.

    :ivar open: whether the server takes new ones.
    :ivar since: when that became so, in seconds by the reactor's clock.
    """

    def __init__(self) -> None:
        self.open = False
        self.since = 0.0
        self._peers: dict[Peer, _Entry] = {}
        self._by_host: Counter[str] = Counter()
        self._empty: Waiters[None] = Waiters()

    def set_open(self, is_open: bool, now: float) -> None:
        """Take new peers from now on, or no more."""
        self.open = is_open
        self.since = now

    def admit(self, peer: Peer, limits: Limits, leave: Callable[[], object]) -> CloseCode | None:
        """
        Count a peer that has just connected.

        :param leave: called if the server stops: the peer shall finish and go.
        :return: why it must go at once, or None.
        """
        # None for the peers of a UNIX socket, which cannot be told apart.
        host = getattr(peer.address, "host", None)
        self._peers[peer] = _Entry(host, leave)
        if host is not None:
            self._by_host[host] += 1
        if not self.open:
            return SHUTTING_DOWN
        if host is not None and self._by_host[host] > limits.peers_per_address:
            return TOO_MANY_PEERS
        return None

    def remove(self, peer: Peer) -> None:
        """Count a peer no more: its connection is gone."""
        entry = self._peers.pop(peer, None)
        if entry is not None and entry.host is not None:
            self._by_host[entry.host] -= 1
            if not self._by_host[entry.host]:
                del self._by_host[entry.host]
        if not self._peers:
            self._empty.fire()

    def all(self) -> list[Peer]:
        """In the order of their connection."""
        return list(self._peers)

    def ask_to_leave(self) -> None:
        """The server stops: let every peer finish what it asked for, and close it."""
        for entry in tuple(self._peers.values()):
            entry.leave()

    def when_empty(self) -> Deferred[None]:
        """:return: fires with None when the last peer is gone; cancelling stops the wait."""
        return self._empty.wait() if self._peers else succeed(None)
