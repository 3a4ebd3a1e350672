"""
All peers of one server.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ..web.server.admissions import Admissions
from .close_codes import SHUTTING_DOWN, TOO_MANY_PEERS, CloseCode
from .limits import Limits
from .peer import Peer, PeerConnection

__all__ = ["PeerTable"]


class PeerTable:
    """
    All peers from connection to disconnection, authenticated or not.

    :ivar open: whether the server takes new ones.
    :ivar ready: whether others may send new ones here: the server is not about to stop.
    :ivar since: when that became so, in seconds by the reactor's clock.
    """

    def __init__(self) -> None:
        self.open = False
        self.ready = False
        self.since = 0.0
        self._connections: Admissions[PeerConnection] = Admissions()

    def __len__(self) -> int:
        return len(self._connections)

    def set_ready(self, is_ready: bool, now: float) -> None:
        """Say from now on that new peers may come, or that they had better go elsewhere."""
        self.ready = is_ready
        self.since = now

    def admit(self, connection: PeerConnection, limits: Limits) -> CloseCode | None:
        """
        Count a peer that has just connected.

        :return: with what it must be closed at once, or None.
        """
        address = connection.peer.address
        self._connections.add(connection, address)
        if not self.open:
            return SHUTTING_DOWN
        if self._connections.count(address) > limits.peers_per_address:
            return TOO_MANY_PEERS
        return None

    def remove(self, connection: PeerConnection) -> None:
        """Forget a peer whose connection is gone."""
        self._connections.remove(connection)

    def all(self) -> list[Peer]:
        """All peers, in the order in which they connected."""
        return [connection.peer for connection in self._connections]

    def leaves(self) -> list[Callable[[], object]]:
        """For each peer, what lets it finish what it asked for, and closes it."""
        return [connection.leave for connection in self._connections]

    def when_empty(self) -> Deferred[None]:
        """:return: fires with None when the last peer is gone; cancelling stops the wait."""
        return self._connections.when_empty()
