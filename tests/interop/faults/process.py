"""
Peers on real ports: ``python -m tests.interop.faults.process``, one for each transport.

Each line on stdin is a command, ``{"id": 1, "do": "arm", ...}``, each line on stdout says
what happened: ``{"event":"ready","ports":[...]}``, and ``{"event":"done","id":1,...}`` for
each command, with what the peers saw so far.  It ends when stdin does, so that it cannot
outlive the tests.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet import reactor, stdio
from twisted.internet.interfaces import IListeningPort
from twisted.protocols.basic import LineReceiver

from tests.faults.connection import Connection
from tests.faults.misbehaviour import KINDS
from tests.faults.peer import Peer

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


class _Commands(LineReceiver):
    """The peers, and what they are told to do."""

    delimiter = b"\n"

    def __init__(self) -> None:
        self._peers = [_PortPeer() for _ in range(PEERS)]

    def connectionMade(self) -> None:
        self._say("ready", ports=[peer.number for peer in self._peers])

    def lineReceived(self, line: bytes) -> None:
        command = json.loads(line)
        seen = [getattr(self, f"_do_{command['do']}")(peer, command) for peer in self._peers]
        self._say("done", id=command["id"], seen=seen)

    def _say(self, event: str, **fields: Any) -> None:
        text = json.dumps({"event": event, **fields}, separators=(",", ":"))
        self.sendLine(text.encode("ascii"))

    def _do_deadlines(self, peer: _PortPeer, command: Any) -> None:
        peer.deadlines.update(command["deadlines"])

    def _do_arm(self, peer: _PortPeer, command: Any) -> None:
        fault = KINDS[command["kind"]][command["fault"]]
        peer.arm(command["step"], fault, command.get("times", float("inf")))
        if peer.expecting == "token":
            peer.maybe_refuse()

    def _do_disarm(self, peer: _PortPeer, command: Any) -> None:
        peer.disarm()

    def _do_drop(self, peer: _PortPeer, command: Any) -> None:
        peer.expecting = "token"
        peer.drop()

    def _do_hold(self, peer: _PortPeer, command: Any) -> None:
        peer.holding = command["hold"]

    def _do_publish(self, peer: _PortPeer, command: Any) -> None:
        peer.publish("c", command["data"])

    def _do_call(self, peer: _PortPeer, command: Any) -> None:
        if peer.session is not None:  # what came before may have ended it
            peer.call("ask", None, lambda _: None)

    def _do_revive(self, peer: _PortPeer, command: Any) -> None:
        peer.revive()

    def _do_look(self, peer: _PortPeer, command: Any) -> dict[str, Any]:
        return {
            "overlaps": peer.overlaps,
            "most": peer.most_connections,
            "connections": len(peer.connections),
            "sessions": peer.counts["sessions"],
        }

    def connectionLost(self, reason: object = None) -> None:
        reactor.stop()


if __name__ == "__main__":
    stdio.StandardIO(_Commands())
    reactor.run()
