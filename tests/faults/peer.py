"""
A token-sockjs server that is honest, save for one answer: a small one of its own, so that
it can be made to do anything, over every transport, in memory or on a real port.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress, IProtocol
from twisted.internet.protocol import Factory

from .breaking import CONNECTING
from .carriers import Carrier
from .connection import Connection
from .record import Record
from .scene import Fault, Scene
from .session import PeerSession

__all__ = ["DEADLINES", "Peer"]

DEADLINES = {
    "token": 10.0,
    "info": 10.0,
    "connect": 10.0,
    "handshake": 10.0,
    "open": 10.0,
    "auth": 30.0,
    "call": 60.0,
    "close": 5.0,
    "ping": 10.0,
}
"""Seconds that a client waits in each step, by default: the others wait as a call does."""


class Peer(Factory):
    """
    :param reactor: for what comes late or slowly.
    :ivar deadlines: see :data:`DEADLINES`.
    :ivar acks: whether it acknowledges every request, and says so.
    :ivar limits: what it announces to take, or None.
    :ivar record: of all requests that came in.
    :ivar holding: whether it leaves calls of ``hold`` without an answer.
    :ivar expecting: whose connections come next: ``"token"`` requests, or ``"session"``.
    :ivar connections: those that have not ended.
    :ivar sessions: by the part of the URL that names them.
    :ivar counts: connections, tokens and sessions so far.
    :ivar most_connections: how many there were at one time, without those that are gone for
        the peer, and whose end it has not heard of.
    :ivar overlaps: what was there twice at one time, and must not be.
    """

    noisy = False

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.deadlines = dict(DEADLINES)
        self.acks = True
        self.limits: dict[str, int] | None = None
        self.record = Record()
        self.holding = False
        self.expecting = "token"
        self.connections: set[Connection] = set()
        self.sessions: dict[str, PeerSession] = {}
        self.counts: Counter[str] = Counter()
        self.most_connections = 0
        self.overlaps: list[str] = []
        self._tokens: set[str] = set()
        self._fids = itertools.count(1)
        self._step = ""
        self._fault: Fault | None = None
        self._times: float = 0

    def buildProtocol(self, addr: IAddress | None) -> IProtocol:
        return Connection(self)

    # -- faults

    def arm(self, step: str, fault: Fault, times: float = float("inf")) -> None:
        """Spoil that many answers in this step, from now on."""
        self._step, self._fault, self._times = step, fault, times

    def disarm(self) -> None:
        """Be honest again, with new connections at least, and flood no more."""
        self._fault = None
        for connection in self.connections:
            connection.out.calm()

    def awaits(self, step: str) -> bool:
        """Whether the next answer in this step is to be spoilt."""
        return self._fault is not None and self._step == step and self._times > 0

    def play(self, step: str, scene: Scene) -> None:
        """An answer is due."""
        if self.awaits(step):
            assert self._fault is not None
            self._times -= 1
            self._fault(scene)
        else:
            scene.give()

    def deadline(self, step: str) -> float:
        """Seconds that the client waits for the answer."""
        return self.deadlines.get(step, self.deadlines["call"])

    def accepts(self) -> bool | None:
        """
        Whether the next connection is made; None where nobody says.  It is asked for by a
        client, or about to be.
        """
        if not (self.awaits(self.connecting) and self._fault in CONNECTING.values()):
            return True
        self._times -= 1
        return False if self._fault is CONNECTING["refuses"] else None

    @property
    def connecting(self) -> str:
        """The step that the next connection belongs to."""
        return "token-connect" if self.expecting == "token" else "connect"

    # -- what it does by itself

    def revive(self) -> None:
        """Find out which connections are gone, where it does not read."""
        for connection in list(self.connections):
            connection.out.revive()

    def drop(self) -> None:
        """Reset every connection."""
        for connection in list(self.connections):
            connection.out.reset()

    def stop(self) -> None:
        """No connection, no session and no timer is left, as soon as that is noticed."""
        self.disarm()
        self.drop()
        for session in list(self.sessions.values()):
            session.end()

    @property
    def session(self) -> PeerSession | None:
        """The one that somebody is there for, or None."""
        alive = [session for session in self.sessions.values() if session.authenticated]
        return alive[-1] if alive else None

    def publish(self, channel: str, data: Any) -> None:
        """To the newest session, if it is subscribed; others are those of dead connections."""
        if self.session is not None and channel in self.session.channels:
            self.session.say("receive", {"channel": channel, "message": data})

    def call(self, name: str, args: Any, answered: Callable[[Any], object]) -> None:
        """Call an action of the client."""
        assert self.session is not None
        self.session.call(f"f{next(self._fids)}", name, args, answered)

    # -- tokens

    def issue(self) -> str:
        """A new token, valid once."""
        self.counts["tokens"] += 1
        token = f"{self.counts['tokens']:08x}-5ec2-4e70-8000-000000000000"
        self._tokens = {token}
        return token

    def spend(self, token: str) -> bool:
        """Whether it was valid; it is not any more."""
        valid = token in self._tokens
        self._tokens.discard(token)
        return valid

    # -- sessions

    def begin(self, name: str) -> PeerSession:
        """A new session."""
        for other in list(self.sessions.values()):
            if other.attached:
                self.overlaps.append("a second session")
            elif not other.carrier:
                other.end()
        self.counts["sessions"] += 1
        session = self.sessions[name] = PeerSession(self, self.counts["sessions"])
        return session

    def forget(self, session: PeerSession) -> None:
        """It is over."""
        self.sessions = {name: one for name, one in self.sessions.items() if one is not session}

    def release(self, carrier: Carrier) -> None:
        """A response is complete."""
        for connection in self.connections:
            if connection.carried is not None and connection.carried[1] is carrier:
                connection.carried = None

    def connected(self, connection: Connection) -> None:
        """Somebody is there."""
        self.connections.add(connection)
        self.counts["connections"] += 1
        heard = [one for one in self.connections if not one.out.gone]
        self.most_connections = max(self.most_connections, len(heard))
