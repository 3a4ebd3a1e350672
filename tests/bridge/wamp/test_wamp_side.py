"""
The WAMP side, across sessions.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, globalLogPublisher
from twisted.python.failure import Failure

from tests.common import BACKOFF
from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.counters import Counters
from txtokensock.bridge.shares import Shares
from txtokensock.bridge.wamp.router_endpoint import Joined
from txtokensock.bridge.wamp.wamp_side import WampSide
from txtokensock.errors import ConnectFailed

from .router import Session
from .support import TrafficTestCase, rules

NEWS = {"channel": "news", "topic": "com.example.news", "direction": "to-upstream"}


class OwnSession(Session):
    """A session of the router's, as a connection of our own has it."""

    lost = False
    received_at = 0.0

    def close(self) -> None:
        """Leave in order."""
        self.end()

    abort = close

    def end(self) -> None:
        """The connection is gone."""
        if not self.lost:
            self.lost = True
            self.lose()
            self.on_lost(Failure(ConnectionDone()))

    def getPeer(self) -> None:
        """Nobody asks."""

    getHost = getPeer


class GapTests(TrafficTestCase):
    """What is said of the time without a session."""

    def setUp(self) -> None:
        super().setUp()
        self.log = EventLoggingObserver()
        globalLogPublisher.addObserver(self.log)
        self.addCleanup(globalLogPublisher.removeObserver, self.log)
        self.sessions: list[OwnSession] = []
        self.refusal: Exception | None = None
        self.attempts = 0

    async def connect(self, section: Any, reactor: Any) -> Joined:
        """Join, or be refused."""
        self.attempts += 1
        if self.refusal is not None:
            raise self.refusal
        session = OwnSession(self.router)
        self.router.sessions.append(session)
        self.sessions.append(session)
        return Joined(session, session)

    def start(self, **fields: Any) -> WampSide:
        """A side that has joined."""
        section = WampConfig(
            url="ws://router.test/",
            realm="r",
            channels=rules(**fields).channels,
            actions=rules(**fields).actions,
            stop_timeout=1.0,
        )
        socket = self.socket(backoff=BACKOFF)
        side = WampSide(
            section,
            socket=socket,
            shares=Shares(lambda: socket.limits, self.clock.seconds),
            counters=Counters(),
            reactor=self.clock,
            connect=self.connect,
        )
        side.startService()
        self.addCleanup(self.stop, side)
        self.memory.advance(1)
        self.assertEqual(len(self.sessions), 1)
        return side

    def stop(self, side: WampSide) -> None:
        """It is over."""
        stopped = side.stopService()
        self.memory.advance(5)
        self.successResultOf(stopped)

    def gaps(self) -> list[tuple[str, str]]:
        """Since when and until when, of what was said."""
        return [
            (event["since"][14:], event["until"][14:19])
            for event in self.log
            if event.get("event") == "wamp.gap"
        ]

    def test_gap(self) -> None:
        """From the last message of the router until there is a session, each time."""
        self.start(channels=[NEWS])
        self.assertEqual(self.gaps(), [])
        self.memory.advance(60 - self.clock.seconds())
        self.sessions[-1].received_at = 42.25
        self.sessions[-1].end()
        self.memory.advance(10)
        (gap,) = self.gaps()
        self.assertEqual(gap[0], "00:42.250+00:00")
        self.assertLess(gap[1], "01:10")
        self.assertGreaterEqual(gap[1], "01:00")
        self.sessions[-1].received_at = 75.0
        self.sessions[-1].end()
        self.memory.advance(10)
        self.assertEqual([since for since, _ in self.gaps()][1:], ["01:15.000+00:00"])

    def test_not_joined(self) -> None:
        """Why the realm cannot be joined is said once while it is the same."""
        self.start(channels=[NEWS])
        for reason in ("no", "never"):
            self.refusal = ConnectFailed(reason, "connect")
            self.sessions[-1].end()
            self.memory.advance(30)
        self.refusal = None
        self.memory.advance(60)
        said = [event for event in self.log if event.get("event") == "wamp.not_joined"]
        self.assertEqual(
            [(event["log_level"], event["error"][:2]) for event in said],
            [(LogLevel.warn, "no"), (LogLevel.warn, "ne")],
        )
        self.assertGreater(self.attempts, 6)

    def test_no_events(self) -> None:
        """Who takes no events misses none."""
        self.start(channels=[{**NEWS, "direction": "to-wamp"}])
        self.sessions[-1].end()
        self.memory.advance(10)
        self.assertEqual(len(self.sessions), 2)
        self.assertEqual(self.gaps(), [])

    def test_other_rules(self) -> None:
        """A reload makes a new session only where the way to the router is another."""
        side = self.start(channels=[NEWS])
        more = {"channel": "more", "topic": "com.example.more", "direction": "both"}
        section = side._section
        for number, other in enumerate(
            (
                replace(section, channels=rules(channels=[NEWS, more]).channels),
                replace(section, realm="other"),
                replace(section, realm="other", queue_limit=5),
                replace(section, realm="other", ping=5.0),
            )
        ):
            side.reload(other)
            self.memory.advance(10)
            self.assertEqual(len(self.sessions), (1, 2, 2, 3)[number])
            self.assertTrue(side.state().up)

    def test_stop_in_the_middle_of_a_reload(self) -> None:
        """The new session is not begun."""
        side = self.start(channels=[NEWS])
        side.reload(replace(side._section, realm="other"))
        stopped = side.stopService()
        self.memory.advance(10)
        self.successResultOf(stopped)
        side.reload(replace(side._section, realm="another"))
        self.memory.advance(10)
        self.assertEqual(len(self.sessions), 1)
        self.assertEqual(side.state().detail, "stopped")

    def test_actions_across_sessions(self) -> None:
        """Actions are there from the start, and between sessions the answer is an error."""
        self.outsider.end()
        self.start(actions=[{"action": "notify", "procedure": "com.example.notify"}])
        (peer,) = self.memory.server.peers()
        self.component.register(
            "com.example.notify", "exact", lambda _, args, kwargs, __: succeed((args, kwargs))
        )
        for number in (1, 2):
            answered = peer.rpc("notify", number)
            self.settle()
            self.assertEqual(self.successResultOf(answered), number)
            self.sessions[-1].end()
            refused = peer.rpc("notify", number)
            self.settle()
            error = self.failureResultOf(refused).value.error
            self.assertEqual(error["error"], "wamp.error.unavailable")
            self.memory.advance(10)
