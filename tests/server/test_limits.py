"""
Limits: who crosses one is closed with its code, and nobody else notices.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.server import demo

from .support import Client, ServerTestCase, TokenServer


class LimitTests(ServerTestCase):
    """Each limit, at it and one over."""

    def start(self, **limits: Any) -> tuple[TokenServer, Client]:
        """A server with limits, and an authenticated client."""
        self.pending: list[Deferred[Any]] = []

        def slow(data: Any, peer: Any) -> Deferred[Any]:
            self.pending.append(Deferred())
            return self.pending[-1]

        server = self.serve(actions={**demo.ACTIONS, "slow": slow}, limits=limits)
        self.other = server.authenticated()
        return server, server.authenticated()

    def assertClosed(self, client: Client, code: int, reason: str) -> None:
        """The client was closed so; the other one is as well as ever."""
        client.server.turn()
        client.texts()
        self.assertEqual(client.closed, (code, reason))
        client.drop()
        self.assertEqual(self.other.rpc("echo", 1), {"resp": 1})
        self.assertEqual(len(client.server.service.peers()), 1)

    def test_message_size(self) -> None:
        """Bytes of one message."""
        _, client = self.start(message_size=1000)
        text = json.dumps({"rpc": "echo", "req": "", "uuid": "u"})
        fits = text.replace('"req": ""', f'"req": "{"x" * (1000 - len(text))}"')
        self.assertIn("resp", client.ask(fits))
        client.send(fits + " ")
        self.assertClosed(client, 4413, "Message too large")

    def test_frame_size(self) -> None:
        """Bytes of one frame: the WebSocket itself says no."""
        _, client = self.start(frame_size=1000)
        client.send("x" * 1000)
        self.assertIn((8, b"\x03\xf1"), [(op, data[:2]) for op, data in client.websocket.frames()])

    def test_frame_messages(self) -> None:
        """Messages in one frame."""
        _, client = self.start(frame_messages=3)
        client.send(*["1"] * 3)
        self.assertEqual(len(client.received()), 3)
        client.send(*["1"] * 4)
        self.assertClosed(client, 4002, "Too many messages in one frame")

    def test_json_depth(self) -> None:
        """Nesting; brackets in text are no nesting."""
        _, client = self.start(json_depth=10)
        self.assertIn("resp", client.rpc("echo", ["[" * 100]))
        self.assertIn("resp", client.rpc("echo", [[]] * 100))
        client.send('{"rpc":"echo","uuid":"u","req":' + "[" * 10 + "]" * 10 + "}")
        self.assertClosed(client, 4414, "JSON nested too deep")

    def test_depth_of_nonsense(self) -> None:
        """A hundred thousand brackets end nobody's stack."""
        _, client = self.start()
        client.send("[" * 100_000)
        self.assertClosed(client, 4414, "JSON nested too deep")

    def test_channel_length(self) -> None:
        """Bytes of a channel's name."""
        for rpc in ("_subscribe", "_unsubscribe", "_publish"):
            _, client = self.start(channel_length=4)
            client.subscribe("éé")
            client.send({"rpc": rpc, "req": {"channel": "éée"}, "uuid": "u"})
            self.assertEqual(client.received()[0]["error"], "Channel name too long")
            self.assertClosed(client, 4415, "Channel name too long")

    def test_channels(self) -> None:
        """Channels of one peer; the same again is no other."""
        _, client = self.start(channels=2)
        client.subscribe("a", "b", "a")
        client.send({"rpc": "_subscribe", "req": {"channel": "c"}, "uuid": "u"})
        self.assertClosed(client, 4416, "Too many channels")

    def test_channels_through_slow_hooks(self) -> None:
        """Subscriptions that wait for a hook count when they pass it."""
        server, client = self.start(channels=2)
        pending: Deferred[None] = Deferred()
        server.service.on("subscribe", lambda *_: pending)
        for name in ("a", "b", "c"):
            client.send({"rpc": "_subscribe", "req": {"channel": name}, "uuid": "u"})
        pending.callback(None)
        self.assertClosed(client, 4416, "Too many channels")

    def test_calls(self) -> None:
        """Requests in flight; each that is answered makes room."""
        _, client = self.start(calls=2)
        for _ in range(3):
            client.send({"rpc": "slow", "uuid": "u"})
            client.send({"rpc": "slow", "uuid": "u"})
            for pending in self.pending[-2:]:
                pending.callback(1)
            self.assertEqual(len(client.received()), 2)
        client.send(*({"rpc": "slow", "uuid": str(n)} for n in range(3)))
        self.assertEqual(client.received()[0]["error"], "Too many requests in flight")
        self.assertClosed(client, 4417, "Too many requests in flight")
        for pending in self.pending[-2:]:
            self.assertTrue(pending.called)

    def test_messages_per_second(self) -> None:
        """A burst at once, then the rate; bad messages count as well."""
        server, client = self.start(messages_per_second=2.0, message_burst=10)
        client.send(*["{}"] * 9)  # and auth
        server.turn(1)
        client.send("{}", "nope")
        self.assertEqual(len(client.received()), 11)
        client.send("{}")
        self.assertClosed(client, 4429, "Too many messages per second")

    def test_answers_do_not_count(self) -> None:
        """A peer may answer as many calls as the server makes."""
        server, client = self.start(messages_per_second=1.0, message_burst=5)
        peer = server.service.peers()[-1]
        for _ in range(20):
            answer = peer.rpc("a")
            fid = client.received()[0]["data"]["fid"]
            client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": 1}})
            self.assertEqual(self.successResultOf(answer), 1)

    def test_buffered(self) -> None:
        """Bytes that wait for a slow reader."""
        server, client = self.start(buffered=200_000)
        client.subscribe("c")
        client.tcp.stop_reading()
        for _ in range(20):
            self.successResultOf(server.service.publish("c", "x" * 30_000))
            server.turn()
        client.tcp.read_again()
        self.assertClosed(client, 4001, "Too much waits to be read")

    def test_peers_per_address(self) -> None:
        """Connections from one address; those of another are not counted."""
        server, client = self.start(peers_per_address=3)
        allowed = server.client()
        refused = server.client()
        self.assertEqual(refused.closed, (4418, "Too many connections from this address"))
        self.assertIsNone(server.client(address="10.0.0.2").closed)
        allowed.drop()
        refused.drop()
        self.assertIsNone(server.client().closed)
        self.assertEqual(client.rpc("echo", 1), {"resp": 1})

    def test_call_timeout(self) -> None:
        """A call that takes too long is answered once, and cancelled."""
        server, client = self.start(call_timeout=5)
        client.send({"rpc": "slow", "uuid": "u"})
        server.turn(5)
        self.assertEqual(client.received(), [{"rpc": "slow", "uuid": "u", "error": "Timeout"}])
        self.assertTrue(self.pending[0].called)
