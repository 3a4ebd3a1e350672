"""
How to test an application, without sockets and without waiting::

    python -m twisted.trial examples/test_thermostat.py

``Thermostat`` is the application.  Its tests run it on a real server in memory, and on a
server that misbehaves.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from txtokensock import AttemptTimeout, ConnectionLost, TokenSocket
from txtokensock.server import TokenSocketServer
from txtokensock.testing import MemoryServer, ScriptedServer


class Thermostat:
    """Switches a heater by what a thermometer publishes."""

    def __init__(self, socket: TokenSocket, wanted: float) -> None:
        self._socket = socket
        self._wanted = wanted

    async def start(self) -> None:
        """Listen to the thermometer."""
        await self._socket.subscribe("temperature", self._measured)

    async def _measured(self, celsius: float) -> None:
        await self._socket.rpc("heater.switch", celsius < self._wanted)


class ThermostatTests(SynchronousTestCase):
    """The application and a server, in memory."""

    def setUp(self) -> None:
        self.switched: list[bool] = []
        actions = {"heater": {"switch": lambda on, peer: self.switched.append(on)}}
        self.memory = MemoryServer(
            lambda clock: TokenSocketServer(lambda request: True, actions=actions, reactor=clock)
        )
        self.socket = self.memory.client()
        self.socket.startService()
        self.addCleanup(self.memory.finish)
        self.memory.result(Thermostat(self.socket, wanted=20.0).start())

    def measure(self, celsius: float) -> None:
        self.memory.server.publish("temperature", celsius)
        self.memory.settle()

    def test_switches(self) -> None:
        """The heater is on while it is too cold."""
        self.measure(18.5)
        self.measure(20.5)
        assert self.switched == [True, False]

    def test_comes_back(self) -> None:
        """It listens again after the connection was lost."""
        self.memory.fault("drop")
        self.memory.advance(1)
        self.measure(18.5)
        assert self.switched == [True]


class BadServerTests(SynchronousTestCase):
    """What the application is told where the server does not do as it should."""

    def setUp(self) -> None:
        self.server = ScriptedServer()
        self.addCleanup(self.server.finish)

    def client(self, **options: Any) -> TokenSocket:
        socket = self.server.client(**options)
        socket.startService()
        return socket

    def test_silent_token_route(self) -> None:
        """The deadline of the phase ends the attempt, and the error names the phase."""
        self.server.script(token="ignore")
        ready = self.client().when_ready(fail_after=1)
        self.server.advance(10)
        assert self.server.failure(ready, AttemptTimeout).phase == "token"

    def test_reset(self) -> None:
        """A call that was under way may have run."""
        called = self.client().rpc("heater.switch", True)
        self.server.settle()
        self.server.fault("drop")
        assert self.server.failure(called, ConnectionLost).may_have_run
