"""The site of HTTP in: TLS in front of it, and time for bodies."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IProtocolNegotiationFactory
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
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


class BodyTests(SynchronousTestCase):
    """``body_timeout`` and ``body_rate``."""

    def answer(self, rate: int) -> bytes:
        """The status for a body of which 1,000 bytes come in each of four seconds."""
        clock: Any = Clock()
        site = bridge_site(Resource(), HttpConfig(body_timeout=2.0, body_rate=rate), clock)
        site.startFactory()
        channel, transport = site.buildProtocol(None), StringTransport()
        channel.makeConnection(transport)
        channel.dataReceived(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n")
        for _ in range(4):
            clock.pump([0.25] * 4)
            if not transport.disconnecting:
                channel.dataReceived(b" " * 1000)
        site.stopFactory()
        return transport.value()[9:12]

    def test_rate(self) -> None:
        """A body that is not done in time goes on as long as it is quick enough."""
        self.assertEqual(self.answer(500), b"")
        self.assertEqual(self.answer(2000), b"408")
