"""
Peers on real ports: ``python -m tests.interop.faults.process``, one for each transport.

Its commands are those of :class:`_Peers`, see :mod:`tests.kit.commands`.
"""

from __future__ import annotations

from typing import Any

from twisted.internet import reactor
from twisted.internet.interfaces import IListeningPort

from tests.faults.connection import Connection
from tests.faults.misbehaviour import KINDS
from tests.faults.peer import Peer
from tests.kit.commands import Commands

PEERS = 3


class _PortPeer(Peer):
    """
    One on a port of its own, which can refuse connections.

    :ivar number: of the port.
    """

    def __init__(self) -> None:
        super().__init__(reactor)
        self.number = 0
        self._port: IListeningPort | None = None
        self.listen()

    def listen(self) -> None:
        """Take connections, on the same port as ever."""
        if self._port is None:
            self._port = reactor.listenTCP(self.number, self, interface="127.0.0.1")
            self.number = self._port.getHost().port

    def maybe_refuse(self) -> None:
        """Take no more of them, where the next is to be refused."""
        if not self.accepts() and self._port is not None:
            self._port.stopListening()
            self._port = None

    def issue(self) -> str:
        """A token; the connection that follows may be refused."""
        token = super().issue()
        self.maybe_refuse()
        return token

    def disarm(self) -> None:
        """Be honest again."""
        super().disarm()
        self.listen()

    def connected(self, connection: Connection) -> None:
        """Count it, once the system has told of those that ended before."""
        self.connections.add(connection)
        self.counts["connections"] += 1
        reactor.callLater(0.05, self._count)

    def _count(self) -> None:
        heard = [one for one in self.connections if not one.out.gone]
        self.most_connections = max(self.most_connections, len(heard))


class _Peers:
    """The peers, and what they are told to do, all of them."""

    def __init__(self) -> None:
        self._peers = [_PortPeer() for _ in range(PEERS)]

    @property
    def ports(self) -> list[int]:
        """Where they listen."""
        return [peer.number for peer in self._peers]

    def deadlines(self, deadlines: dict[str, float]) -> None:
        """How long clients wait."""
        for peer in self._peers:
            peer.deadlines.update(deadlines)

    def arm(self, step: str, kind: str, fault: str, times: float = float("inf")) -> None:
        """See :meth:`~tests.faults.peer.Peer.arm`, as for the others."""
        for peer in self._peers:
            peer.arm(step, KINDS[kind][fault], times)
            if peer.expecting == "token":
                peer.maybe_refuse()

    def disarm(self) -> None:
        """Be honest again."""
        for peer in self._peers:
            peer.disarm()

    def drop(self) -> None:
        """Reset every connection."""
        for peer in self._peers:
            peer.expecting = "token"
            peer.drop()

    def hold(self, hold: bool) -> None:
        """Leave calls of ``hold`` without an answer, or do not."""
        for peer in self._peers:
            peer.holding = hold

    def publish(self, data: Any) -> None:
        """On the channel ``c``."""
        for peer in self._peers:
            peer.publish("c", data)

    def call(self) -> None:
        """Call an action of the client, unless what came before has ended its session."""
        for peer in self._peers:
            if peer.session is not None:
                peer.call("ask", None, lambda _: None)

    def revive(self) -> None:
        """Find out which connections are gone."""
        for peer in self._peers:
            peer.revive()

    def look(self) -> list[dict[str, Any]]:
        """What each saw so far."""
        return [
            {
                "overlaps": peer.overlaps,
                "most": peer.most_connections,
                "connections": len(peer.connections),
                "sessions": peer.counts["sessions"],
            }
            for peer in self._peers
        ]


def main() -> None:
    """The process."""
    peers = _Peers()
    obey = (
        *(peers.deadlines, peers.arm, peers.disarm, peers.drop, peers.hold),
        *(peers.publish, peers.call, peers.revive, peers.look),
    )
    commands = Commands({command.__name__: command for command in obey})
    commands.run(lambda: commands.say("ready", ports=peers.ports))


if __name__ == "__main__":
    main()
