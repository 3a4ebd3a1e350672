"""The WAMP side as a component of a Crossbar container, which has the session's connection."""

from __future__ import annotations

from typing import Any

from autobahn.wamp import message as wire
from autobahn.wamp.types import ComponentConfig
from twisted import internet
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from txtokensock.bridge import wamp
from txtokensock.errors import InvalidOption

from .test_wamp_session import Transport

EXTRA = {
    "cbdir": "/where/the/node/is",
    "upstream": {"host": "127.0.0.1:8080"},
    "channels": [{"channel": "news", "topic": "com.example.news", "direction": "to-upstream"}],
}


class ComponentTests(SynchronousTestCase):
    """As ``classname`` of a container names it."""

    def component(self, extra: Any) -> Any:
        """A new one, by its public name."""
        config = ComponentConfig("realm1", extra)
        return wamp.TokenSocketComponent(config, reactor=self.reactor)

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()

    def test_lives_with_the_session(self) -> None:
        """It connects to the server when the realm is joined, and leaves it when that ends."""
        component, transport = self.component(EXTRA), Transport()
        component.onOpen(transport)
        self.assertEqual(self.reactor.tcpClients, [])
        component._session_id = 1
        component.onJoin(None)
        self.reactor.advance(0)
        self.assertEqual([client[:2] for client in self.reactor.tcpClients], [("127.0.0.1", 8080)])
        asked = [each for each in transport.sent if isinstance(each, wire.Subscribe)]
        self.assertEqual([each.topic for each in asked], ["com.example.news"])
        component.onClose(True)
        self.reactor.advance(30)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_container(self) -> None:
        """A container names no reactor: it is that of the process."""
        self.patch(internet, "reactor", self.reactor)
        component = wamp.TokenSocketComponent(ComponentConfig("realm1", EXTRA))
        self.assertIs(component._reactor, self.reactor)

    def test_wrong(self) -> None:
        """A mistake in ``extra`` is one line with its path."""
        wrong = {**EXTRA, "upstream": {"host": "server.test:99999"}}
        problem = self.assertRaises(InvalidOption, self.component, wrong)
        self.assertIn("extra.upstream.host", str(problem))

    def test_no_other_name(self) -> None:
        """The package has no other name that is loaded late."""
        self.assertRaises(AttributeError, getattr, wamp, "Component")
