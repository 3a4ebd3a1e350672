"""
The soak's network as a process: it fails when it is told to.

Each of its ports leads to another one, byte for byte.  Commands: those of ``NETWORK`` in
:mod:`.faults`, each until ``clear``.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable

from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.interfaces import IAddress, IListeningPort
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import LoopingCall

from .child import Child
from .relay import Cut, Mode, Relay

_DRIP_EVERY = 0.05
_LANES = {"in": (True, False), "out": (False, True), "both": (True, True)}


class Door(Factory):
    """
    One port.

    :param to: the port behind it.
    """

    noisy = False

    def __init__(self, network: Network, to: int) -> None:
        self._network = network
        self._to = TCP4ClientEndpoint(reactor, "127.0.0.1", to)

    def buildProtocol(self, addr: IAddress | None) -> Protocol:
        return self._network.relay(self._to).client


class Network:
    """
    Every connection, and what befalls them.

    :param routes: ports, and the ports behind them.
    :param seed: of what is left to chance.
    """

    def __init__(self, routes: list[tuple[int, int]], seed: str) -> None:
        self._doors = [(port, Door(self, to)) for port, to in routes]
        self._relays: set[Relay] = set()
        self._random = random.Random(seed)
        self._listening: list[IListeningPort] = []
        self._modes: tuple[Mode | None, Mode | None] = (None, None)
        self._befall: Callable[[Relay], None] | None = None
        self._share = 0.0
        self._dripping = LoopingCall(self._drip)
        self._drop = 0

    def relay(self, to: TCP4ClientEndpoint) -> Relay:
        """A new connection."""
        relay = Relay(self._relays.discard)
        self._relays.add(relay)
        relay.set_modes(*self._modes)
        if self._befall is not None and self._random.random() < self._share:
            self._befall(relay)
        joining = connectProtocol(to, relay.server)
        joining.addErrback(lambda _: relay.reset())
        return relay

    # -- commands

    def listen(self) -> None:
        """Take connections."""
        if not self._listening:
            self._listening = [
                reactor.listenTCP(port, door, interface="127.0.0.1") for port, door in self._doors
            ]

    async def refuse(self) -> None:
        """There are no connections, and no new ones."""
        ports, self._listening = self._listening, []
        await gatherResults([port.stopListening() for port in ports])
        self.reset()

    def reset(self) -> None:
        """Every connection ends at once."""
        for relay in list(self._relays):
            relay.reset()

    def close(self) -> None:
        """Every connection ends in order."""
        for relay in list(self._relays):
            relay.close()

    def hold(self, lanes: str) -> None:
        """Nothing passes, and nothing is lost."""
        self._set_modes(Mode.HOLD, lanes)

    def swallow(self, lanes: str) -> None:
        """What is sent is lost, and nobody is told: half-open connections."""
        self._set_modes(Mode.SWALLOW, lanes)

    def drip(self, lanes: str, rate: int) -> None:
        """:param rate: bytes a second for each connection and direction."""
        self._drop = max(1, int(rate * _DRIP_EVERY))
        self._set_modes(Mode.DRIP, lanes)
        self._dripping.start(_DRIP_EVERY)

    def stall(self, share: float) -> None:
        """
        Connections are accepted, and nothing comes of them.

        :param share: of which of the connections that is so; from 0 to 1.
        """

        def befall(relay: Relay) -> None:
            relay.set_modes(Mode.SWALLOW, Mode.SWALLOW)

        self._to_new(befall, share)

    def truncate(self, most: int, how: str, share: float) -> None:
        """
        :param most: connections end after so many bytes of the server's, or fewer.
        :param how: see :class:`~.relay.Cut`.
        :param share: of which of the connections that is so; from 0 to 1.
        """

        def befall(relay: Relay) -> None:
            relay.outwards.cut = Cut(self._random.randint(0, most), how)

        self._to_new(befall, share)

    def _to_new(self, befall: Callable[[Relay], None], share: float) -> None:
        self.reset()
        self._befall, self._share = befall, share

    def clear(self) -> None:
        """All is well again, save for connections that miss something: they are reset."""
        self._modes, self._befall = (None, None), None
        if self._dripping.running:
            self._dripping.stop()
        for relay in list(self._relays):
            relay.heal()
        self.listen()

    def _set_modes(self, mode: Mode, lanes: str) -> None:
        inwards, outwards = _LANES[lanes]
        self._modes = (mode if inwards else None, mode if outwards else None)
        for relay in list(self._relays):
            relay.set_modes(*self._modes)

    def _drip(self) -> None:
        for relay in list(self._relays):
            relay.drip(self._drop)


def main() -> None:
    """The process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--routes", help="such as 8001:8000,8002:3128")
    parser.add_argument("--seed")
    parser.add_argument("--life")
    options = parser.parse_args()
    pairs = [route.split(":") for route in options.routes.split(",")]
    routes = [(int(port), int(to)) for port, to in pairs]
    network = Network(routes, options.seed)
    commands = (
        *(network.refuse, network.reset, network.close, network.hold, network.swallow),
        *(network.drip, network.stall, network.truncate, network.clear),
    )
    child = Child({command.__name__: command for command in commands})

    def start() -> None:
        network.listen()
        child.say("ready")

    child.run(start)


if __name__ == "__main__":
    main()
