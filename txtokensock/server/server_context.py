"""
Everything that the peers of one server share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from ..actions import Action, Actions, find_action, outcome_error
from ..support.checks import check_instance
from ..support.deadlines import Deadlines, Late
from ..support.slices import Slices
from ..support.user_functions import call_plain_function
from .hooks import Hooks
from .hub import Hub
from .in_flight import RequestMemory
from .limits import Limits, LimitsFor
from .ops.observer import Observer
from .peer import Peer
from .peer_table import PeerTable
from .refusal_log import RefusalLog
from .tokens import Identity

__all__ = ["ServerContext"]

_log = Logger()


@dataclass(slots=True, kw_only=True, eq=False)
class ServerContext:
    """
    What the peers of one server share; it is the same for all of them.

    :ivar reactor: for every timer.
    :ivar limits: of every peer, unless it has its own.  They may change, and hold for peers that
        connect from then on.
    :ivar limits_for: gives a peer its own; it may change, too.
    :ivar actions: which peers may call; looked up at each call, so they may change.
    :ivar own_actions: the server's own actions by their whole names, which take precedence.
    :ivar hooks: decide what peers may do.
    :ivar hub: delivers messages of channels.
    :ivar acks: whether requests are acknowledged, see PROTOCOL section 5.
    :ivar slices: says when the messages for peers leave, and continues what takes longer than a
        turn of the reactor.
    :ivar observer: is told what happens.
    :ivar expose_errors: whether clients are told the texts of unexpected exceptions.
    :ivar drain_delay: seconds from the stop until the first peer is closed.
    :ivar drain: seconds from then on until the last one is.
    :ivar peers: all peers.
    :ivar in_flight: what their requests hold.
    :ivar refusals: logs what is turned away.
    :ivar deadlines: for what peers ask for, and for what they are asked.
    """

    reactor: IReactorTime
    limits: Limits
    limits_for: LimitsFor | None
    actions: Actions
    own_actions: Mapping[str, Action]
    hooks: Hooks
    hub: Hub
    acks: bool
    slices: Slices
    observer: Observer
    expose_errors: bool
    drain_delay: float = 0.0
    drain: float = 0.0
    peers: PeerTable = field(default_factory=PeerTable)
    in_flight: RequestMemory = field(default_factory=RequestMemory)
    refusals: RefusalLog = field(init=False)
    deadlines: Deadlines[Late] = field(init=False)

    def __post_init__(self) -> None:
        self.refusals = RefusalLog(self.reactor.seconds)
        self.deadlines = Deadlines(self.reactor, self._late)

    def _late(self, items: list[Late]) -> None:
        self.slices.for_each(items, lambda item: item.late(), at_a_time=64)

    def find_action(self, name: str) -> Action | None:
        """Find the action of that name; None if there is none."""
        return self.own_actions.get(name) or find_action(self.actions, name)

    def limits_of(self, identity: Identity) -> Limits:
        """The limits of a peer; where ``limits_for`` fails, those of all."""
        if self.limits_for is None:
            return self.limits
        try:
            limits = call_plain_function(self.limits_for, identity)
            if limits is not None:
                return check_instance("limits_for's result", limits, Limits).within(self.limits)
        except Exception:
            _log.failure(
                "limits_for failed: the limits of all peers hold for this one",
                event="limits_for.failed",
            )
        return self.limits

    def outcome_error(self, failure: Failure, name: str, peer: Peer) -> Any:
        """What a peer is told of its request that failed, see :func:`~.actions.outcome_error`."""
        return outcome_error(
            failure, name, peer=peer, identity=peer.auth, expose=self.expose_errors
        )
