"""TLS in front of HTTP in."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.resource import Resource

from txtokensock.bridge.config.http import HttpConfig
from txtokensock.bridge.http.bridge_site import bridge_site


class NegotiationTests(SynchronousTestCase):
    """Clients such as curl and browsers offer protocols, and one must be agreed on."""

    def test_http(self) -> None:
        """It is HTTP/1.1; a factory that says nothing would end the handshake."""
        clock: Any = Clock()
        factory = bridge_site(Resource(), HttpConfig(), clock)
        self.assertTrue(IProtocolNegotiationFactory.providedBy(factory))
        self.assertEqual(factory.acceptableProtocols(), [b"http/1.1"])
