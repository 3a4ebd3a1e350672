"""
The limits that a server announces to a client.
"""

from __future__ import annotations

from txtokensock import AnnouncedLimits

from ..common import ServerTestCase


class AnnouncedLimitsTests(ServerTestCase):
    """``TokenSocket.limits``."""

    def test_of_each_connection(self) -> None:
        """They are those of the present connection: others on the next, none in between."""
        self.server.acks = True
        self.server.limits = {"message_size": 1000, "channels": -5}
        client = self.client()
        self.assertIsNone(client.limits)
        client.startService()
        self.settle()
        self.assertEqual(client.limits, AnnouncedLimits(message_size=1000))
        self.server.limits = {"channels": 5}
        self.session.drop()
        self.settle()
        self.assertIsNone(client.limits)
        self.advance(0.1)
        self.assertEqual(client.limits, AnnouncedLimits(channels=5))

    def test_none(self) -> None:
        """A server that announces none, as the JavaScript servers, has none."""
        self.assertIsNone(self.ready().limits)
