"""
What one caller asks for is nobody else's failure.
"""

from __future__ import annotations

import msgspec

from txtokensock.errors import InvalidChannel, InvalidData

from ..common import ServerTestCase


class PoisonTests(ServerTestCase):
    """What cannot be sent is told to its caller, and not found out while others send."""

    def test_raw(self) -> None:
        """JSON that the caller encoded, and that is no UTF-8, would spoil the whole frame."""
        client = self.ready()
        calls = [client.rpc("f", 1), client.publish("c", 1)]
        bad = msgspec.Raw(b'"\xff"')
        self.failure(client.rpc("f", bad), InvalidData)
        self.failure(client.publish("c", [bad]), InvalidData)
        self.settle()
        self.assertEqual([m["rpc"] for m in self.session.received], ["f", "_publish"])
        self.session.answer(self.session.received[0], 2)
        self.settle()
        self.assertEqual(self.successResultOf(calls[0]), 2)

    def test_good_raw(self) -> None:
        """What is encoded well goes out as it is."""
        client = self.ready()
        call = client.rpc("f", msgspec.Raw('{"a": "ä"}'.encode()))
        self.settle()
        self.assertIn('{"a": "ä"}', self.session.texts[-1])
        self.session.answer(self.session.received[0])
        self.settle()
        self.successResultOf(call)

    def test_channel(self) -> None:
        """A channel that is wanted would be asked for first of all, at every connection."""
        client = self.client()
        self.failure(client.subscribe("\ud800"), InvalidChannel)
        call = client.rpc("f")
        client.startService()
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(client.channels(), [])
        self.session.answer(self.session.received[0])
        self.settle()
        self.successResultOf(call)

    def test_name(self) -> None:
        """A function's name, too."""
        self.failure(self.ready().rpc("\ud800"), InvalidData)
