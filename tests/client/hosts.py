"""
Several servers in memory, and a reactor that connects to them by name.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.interfaces import IReactorPluggableNameResolver, IReactorTCP
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from txtokensock import TokenSocket
from txtokensock.testing import ScriptedServer

from ..common import BACKOFF, ServerTestCase


@implementer(IReactorTCP, IReactorPluggableNameResolver)
class HostsReactor(Clock):  # type: ignore[misc]  # it does not listen
    """
    A clock with a network.

    :ivar servers: by name; all others refuse.
    :ivar accepts: False for a host that refuses, None for one that does not answer.
    :ivar asked: the hosts that were connected to, in order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.nameResolver = self
        self.servers: dict[str, ScriptedServer] = {}
        self.accepts: dict[str, bool | None] = {}
        self.asked: list[str] = []

    def resolveHostName(self, receiver: Any, hostName: str, portNumber: int, *_: Any) -> Any:
        """Each name is its own address."""
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
        receiver.resolutionComplete()
        return self

    def connectTCP(self, host: str, port: int, factory: Any, *_: Any, **options: Any) -> Any:
        """To the server of that name, in the next turn."""
        self.asked.append(host)
        return _Connecting(self, host, port, factory)


class _Connecting:
    """An ``IConnector``."""

    def __init__(self, reactor: HostsReactor, host: str, port: int, factory: Any) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._factory = factory
        factory.doStart()
        factory.startedConnecting(self)
        self._call = reactor.callLater(0, self._connect)

    def getDestination(self) -> Any:
        return IPv4Address("TCP", self._host, self._port)

    def stopConnecting(self) -> None:
        if self._call.active():
            self._call.cancel()

    def _connect(self) -> None:
        server = self._reactor.servers.get(self._host)
        accepts = self._reactor.accepts.get(self._host, server is not None)
        if accepts and server is not None:
            server.network.connect(self._factory, self._port)
        elif accepts is False:
            self._factory.clientConnectionFailed(self, Failure(ConnectionRefusedError()))


class HostsTestCase(ServerTestCase):
    """With the servers ``a.test``, ``b.test`` and ``c.test``."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = HostsReactor()
        self.hosts = [f"{letter}.test" for letter in "abc"]
        self.urls = [f"http://{host}" for host in self.hosts]
        for host in self.hosts:
            self.reactor.servers[host] = ScriptedServer(self.reactor)
        self.a, self.b, self.c = self.reactor.servers.values()
        self.server = self.a  # for its clock
        self._clients: list[TokenSocket] = []

    def tearDown(self) -> None:
        super().tearDown()
        ends = [client.end() for client in self._clients]
        for server in self.reactor.servers.values():
            server.finish()
        for end in ends:
            self.successResultOf(end)

    def client(self, **options: Any) -> TokenSocket:
        """Of all three, not started yet."""
        options = {
            "host": self.hosts,
            "backoff": BACKOFF,
            "silence_timeout": None,
            "reactor": self.reactor,
            **options,
        }
        self._clients.append(TokenSocket(**options))
        return self._clients[-1]

    def down(self, *hosts: str, accepts: bool | None = False) -> None:
        """From now on these refuse, or do not answer, and drop whom they have."""
        for host in hosts:
            self.reactor.accepts[host] = accepts
            for session in self.reactor.servers[host].open_sessions:
                session.drop()

    def up(self, *hosts: str) -> None:
        """They are back."""
        for host in hosts:
            self.reactor.accepts.pop(host, None)

    def attempts(self) -> list[str]:
        """The hosts that were connected to since this was asked last, the same ones once."""
        asked, self.reactor.asked = self.reactor.asked, []
        pairs = zip(asked, ["", *asked], strict=False)
        return [host.partition(".")[0] for host, before in pairs if host != before]
