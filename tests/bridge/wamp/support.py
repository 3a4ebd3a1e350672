"""
What the tests of the WAMP side share: both neighbours in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from tests.common import BACKOFF, Calls, collect_garbage
from txtokensock import TokenSocket
from txtokensock.bridge.config.wamp import WampRules, rule_problems
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.shares import Shares
from txtokensock.bridge.wamp.forwarding import WampForwarding
from txtokensock.config.section import Problem
from txtokensock.errors import ActionError
from txtokensock.server import Limits, TokenSocketServer
from txtokensock.testing import MemoryServer

from .router import Router, Session


def rules(**fields: Any) -> WampRules:
    """Rules as a file has them, without problems."""
    section = msgspec.convert(fields, WampRules)
    found: list[Problem] = list(rule_problems(section, "wamp"))
    assert not found, found
    return section


def fail(data: Any, peer: Any) -> None:
    """An action that fails as it is told to."""
    raise ActionError(data)


class TrafficTestCase(SynchronousTestCase):
    """
    With a real server and a router, both in memory, and somebody at each.

    :ivar limits: of the server.
    :ivar outsider: a client of the server.
    :ivar component: a session at the router.
    """

    acks = True
    limits: Mapping[str, Any] = {}

    def setUp(self) -> None:
        self.memory = MemoryServer(self._server)
        self.clock = self.memory.clock
        self.router = Router(self.clock)
        self.counters = Counters()
        self._sockets: list[TokenSocket] = []
        self._traffics: list[WampForwarding] = []
        self.addCleanup(self._end)
        self.outsider = self.socket()
        self.component = self.router.join()

    def _server(self, clock: Any) -> TokenSocketServer:
        self.never: list[Deferred[Any]] = []
        actions = {
            "echo": lambda data, peer: data,
            "fail": fail,
            "never": self._unanswered,
            "deep": {"er": lambda data, peer: ["deeper", data]},
        }
        return TokenSocketServer(
            lambda query: True,
            actions=actions,
            acks=self.acks,
            limits=Limits(**self.limits),
            reactor=clock,
        )

    def _unanswered(self, data: Any, peer: Any) -> Deferred[Any]:
        self.never.append(Deferred())
        return self.never[-1]

    def _end(self) -> None:
        for traffic in self._traffics:
            stopped = traffic.stop(0.2)
            self.memory.advance(1)
            self.successResultOf(stopped)
        for deferred in self.never:
            if not deferred.called:
                deferred.callback(None)
        ends = [socket.end() for socket in self._sockets]
        ends.append(self.memory.server.stopService())
        self.memory.advance(5)
        for end in ends:
            self.successResultOf(end)
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        collect_garbage()

    def socket(self, **options: Any) -> TokenSocket:
        """A client of the server that is connected."""
        options = {"backoff": BACKOFF, "silence_timeout": None, **options}
        socket = self.memory.client(**options)
        self._sockets.append(socket)
        socket.startService()
        self.memory.settle()
        self.assertTrue(socket.connected)
        return socket

    def traffic(self, section: WampRules, socket: TokenSocket | None = None) -> WampForwarding:
        """A bridge that is started, and has no session yet."""
        socket = socket or self.socket()
        traffic = WampForwarding(
            section,
            socket=socket,
            shares=Shares(lambda: socket.limits, self.clock.seconds),
            counters=self.counters,
            reactor=self.clock,
        )
        self._traffics.append(traffic)
        traffic.start()
        return traffic

    def joined(self, section: WampRules, socket: TokenSocket | None = None) -> WampForwarding:
        """A bridge that does all that it can."""
        traffic = self.traffic(section, socket)
        self.join(traffic)
        return traffic

    def join(self, traffic: WampForwarding) -> Session:
        """A session for it."""
        session = self.router.join()
        traffic.joined(session)
        self.settle()
        return session

    def settle(self) -> None:
        """Let all happen that can without time passing."""
        for _ in range(5):
            self.memory.settle()

    def listen(self, topic: str) -> Calls:
        """What the component gets of a topic, from now on: the data of each event."""
        heard = Calls()

        def event(_: str, args: Sequence[Any], kwargs: Mapping[str, Any], *__: object) -> None:
            heard.append(dict(kwargs) if kwargs else args[0] if len(args) == 1 else list(args))

        self.component.subscribe(topic, "exact", event)
        self.settle()
        return heard

    def subscribe(self, channel: str) -> Calls:
        """What the outsider gets of a channel, from now on."""
        heard = Calls()
        self.outsider.subscribe(channel, heard)
        self.settle()
        return heard

    def count(self, rule: str, outcome: Any) -> int:
        """The bridge's own count."""
        return self.counters.get("wamp", rule, outcome)
