"""A session over a connection of our own: what its end is called."""

from __future__ import annotations

from typing import Any

from autobahn.wamp.types import CloseDetails
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge.config.wamp import WampConfig
from txtokensock.bridge.wamp.realm import JoinRefused, RealmLost
from txtokensock.bridge.wamp.router_session import RouterSession


class EndTests(SynchronousTestCase):
    """The router says goodbye."""

    def setUp(self) -> None:
        self.session = RouterSession(WampConfig(url="ws://router.test/ws", realm="r"), Clock())
        self.lost: list[Any] = []
        self.session.on_lost = self.lost.append
        self.details = CloseDetails("wamp.close.killed", "you are too slow")

    def test_before_joining(self) -> None:
        """That is a refusal."""
        self.session.onLeave(self.details)
        self.session.wire_lost(Failure(ConnectionDone()))
        refused = self.failureResultOf(self.session.joined, JoinRefused)
        self.assertIn("the router refused us: wamp.close.killed", str(refused.value))
        self.assertEqual(self.lost, [])

    def test_in_the_middle(self) -> None:
        """That is a loss, of which it is said what is missing."""
        self.session.joined.callback(None)
        self.session.onLeave(self.details)
        self.session.wire_lost(Failure(ConnectionDone()))
        [lost] = self.lost
        lost.trap(RealmLost)
        self.assertIn("ended the session: wamp.close.killed you are too slow", str(lost.value))
        self.assertIn("events of topics are missing", str(lost.value))
