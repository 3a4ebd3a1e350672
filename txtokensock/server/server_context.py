"""
What all peers of one server share.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from twisted.internet.interfaces import IReactorTime

from ..actions import Action, Actions, find_action
from .hooks import Hooks
from .hub import Hub
from .limits import Limits
from .ops.observer import Observer
from .outbox import TurnEnd
from .peer_table import PeerTable

__all__ = ["ServerContext"]


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
    peers: PeerTable = field(default_factory=PeerTable)

    def find_action(self, name: str) -> Action | None:
        """The action of that name, or None."""
        return find_action(self.own_actions, name) or find_action(self.actions, name)
