"""
Limits: who crosses one by accident is told so, others are closed, and nobody else notices.
"""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.defer import Deferred
from twisted.logger import formatEvent

from tests.kit.websocket import PING, UPGRADE, encode_frame
from txtokensock.errors import RemoteError
from txtokensock.server import demo

from .support import Client, ServerTestCase, TokenServer

TOO_MANY_MESSAGES = "Too many messages per second: the limit messages_per_second is {}"


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

    def assertAnswered(self, client: Client, message: Any, error: str) -> None:
        """The message is answered with that error, and the client is as well as ever."""
        rpc, uuid = (
            (message["rpc"], message["uuid"]) if isinstance(message, dict) else ("echo", "u")
        )
        self.assertEqual(client.ask(message), {"rpc": rpc, "uuid": uuid, "error": error})
        self.assertEqual(client.rpc("echo", 1), {"resp": 1})
        self.assertEqual(self.other.rpc("echo", 1), {"resp": 1})

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
        error = "Message too large: the limit message_size is 1000 bytes"
        self.assertAnswered(client, fits + " ", error)
        client.send("x" * 1001)
        self.assertClosed(client, 4413, "Message too large: the limit message_size is 1000")

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
        error = "JSON nested too deep: the limit json_depth is 10 lists and objects"
        text = '{"rpc":"echo","uuid":"u","req":' + "[" * 10 + "]" * 10 + "}"
        self.assertAnswered(client, text, error)

    def test_depth_of_nonsense(self) -> None:
        """A hundred thousand brackets end nobody's stack."""
        _, client = self.start()
        client.send("[" * 100_000)
        self.assertClosed(client, 4414, "JSON nested too deep: the limit json_depth is 64")

    def test_channel_length(self) -> None:
        """Bytes of a channel's name."""
        for rpc in ("_subscribe", "_unsubscribe", "_publish"):
            _, client = self.start(channel_length=4)
            client.subscribe("éé")
            error = "Channel name too long: the limit channel_length is 4 bytes"
            message = {"rpc": rpc, "req": {"channel": "éée"}, "uuid": "u"}
            self.assertAnswered(client, message, error)

    def test_channels(self) -> None:
        """Channels of one peer; the same again is no other."""
        server, client = self.start(channels=2)
        client.subscribe("a", "b", "a")
        message = {"rpc": "_subscribe", "req": {"channel": "c"}, "uuid": "u"}
        self.assertAnswered(client, message, "Too many channels: the limit channels is 2")
        self.assertEqual(server.service.channels(), ["a", "b"])

    def test_channels_through_slow_hooks(self) -> None:
        """Subscriptions that wait for a hook count when they pass it."""
        server, client = self.start(channels=2)
        pending: Deferred[None] = Deferred()
        server.service.on("subscribe", lambda *_: pending)
        for name in ("a", "b", "c"):
            client.send({"rpc": "_subscribe", "req": {"channel": name}, "uuid": "u"})
        pending.callback(None)
        (error,) = [answer["error"] for answer in client.received() if "error" in answer]
        self.assertEqual(error, "Too many channels: the limit channels is 2")
        self.assertEqual(server.service.channels(), ["a", "b"])

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
        error = "Too many requests in flight: the limit calls is 2"
        self.assertEqual(client.received(), [{"rpc": "slow", "uuid": "2", "error": error}])
        for pending in self.pending[-2:]:
            pending.callback(1)
        self.assertEqual([answer["uuid"] for answer in client.received()], ["0", "1"])

    def test_in_flight_total(self) -> None:
        """What requests of all peers hold: who holds much is refused, and nobody else."""
        server, client = self.start(in_flight_total=60_000)
        other = server.authenticated()
        slow = {"rpc": "slow", "uuid": "u"}
        client.send(*[slow] * 20)
        error = "Too much in flight: the limit in_flight_total is 60000 bytes for all peers"
        self.assertEqual(client.received(), [{**slow, "error": error}] * 5)
        other.send(*[slow] * 10)
        self.assertEqual(other.received(), [{**slow, "error": error}] * 2)
        client.drop()
        server.turn()
        other.send(slow)
        self.assertEqual(other.received(), [])
        for pending in self.pending[-9:]:
            pending.callback(1)
        self.assertEqual(len(other.received()), 9)
        self.assertEqual(server.service._context.in_flight.total, 0)

    def test_in_flight_total_by_size(self) -> None:
        """What their data take in memory counts, which is more than the text."""
        _, client = self.start(in_flight_total=1_000_000)
        client.send(*[{"rpc": "slow", "req": [[]] * 4_000, "uuid": n} for n in range(4)])
        self.assertEqual([answer["uuid"] for answer in client.received()], [3])

    def test_a_crossing_costs(self) -> None:
        """What is answered so counts as many messages as the work it made: no free loop."""
        _, client = self.start(message_burst=100, messages_per_second=1.0, message_size=10_000)
        large = {"rpc": "echo", "uuid": "u", "req": "x" * 20_000}
        for _ in range(4):
            self.assertIn("error", client.ask(large))
        client.send(large)
        self.assertClosed(client, 4429, TOO_MANY_MESSAGES.format(1))

    def test_answers_to_the_server(self) -> None:
        """An answer that is too much fails the server's call, and closes nobody."""
        server, client = self.start(message_size=10_000)
        peer = server.service.peers()[-1]
        for data, error in (
            ("x" * 10_000, "Message too large: the limit message_size is 10000 bytes"),
            ([[[]] * 2] * 2, None),
            (deep(64), "JSON nested too deep: the limit json_depth is 64 lists and objects"),
            (deep(900), "JSON nested too deep: the limit json_depth is 64 lists and objects"),
        ):
            answer = peer.rpc("a")
            fid = client.received()[0]["data"]["fid"]
            client.send({"rpc": "_rpc", "fid": fid, "resp": {"data": data}})
            if error is None:
                self.assertEqual(self.successResultOf(answer), data)
            else:
                problem = self.failureResultOf(answer, RemoteError).value
                self.assertIn(error, str(problem))
        self.assertEqual(client.rpc("echo", 1), {"resp": 1})

    def test_before_auth(self) -> None:
        """An auth that is too much is answered, and may be followed by another."""
        server, _ = self.start(json_depth=5)
        client = server.client()
        token = server.token()
        auth = {"rpc": "auth", "token": token, "uuid": "u"}
        answer = client.ask({**auth, "more": deep(9)})
        self.assertIn("json_depth", answer["error"])
        self.assertEqual(client.ask(auth)["resp"], "success")
        stranger = server.client()
        error = stranger.ask({"rpc": "echo", "req": deep(9), "uuid": "u"})
        self.assertEqual(error, {"rpc": "echo", "uuid": "u", "error": "Forbidden"})
        server.turn()
        stranger.texts()
        self.assertEqual(stranger.closed, (4401, "Not authenticated"))

    def test_messages_per_second(self) -> None:
        """A burst at once, then the rate; bad messages count as well."""
        server, client = self.start(messages_per_second=2.0, message_burst=10)
        client.send(*["{}"] * 9)  # and auth
        server.turn(1)
        client.send("{}", "nope")
        self.assertEqual(len(client.received()), 11)
        client.send("{}")
        self.assertClosed(client, 4429, TOO_MANY_MESSAGES.format(2))

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
        reason = "Too many connections from this address: the limit peers_per_address is 3"
        self.assertEqual(refused.closed, (4418, reason))
        self.assertIsNone(server.client(address="10.0.0.2").closed)
        allowed.drop()
        refused.drop()
        self.assertIsNone(server.client().closed)
        self.assertEqual(client.rpc("echo", 1), {"resp": 1})

    def test_log(self) -> None:
        """
        The log names each limit that turned somebody away, and the option: once a minute, with
        how many there were.
        """
        server, _ = self.start(peers_per_address=2, token_burst=2)
        for _ in range(2):
            self.assertEqual(server.client().closed[0], 4418)  # type: ignore[index]
        for number in range(2):
            response = server.connection().request(
                "GET", f"/sockets/0/{number}/websocket", UPGRADE
            )
            self.assertEqual(response.status, 429)
        stranger = server.client(address="10.0.0.2")
        stranger.connection.send(encode_frame("", PING) * 6)
        self.assertEqual(server.get("/socket/token").status, 429)
        self.assertEqual(
            self.refusals(),
            [
                f"turned {what} away: the limit {limit} is {value}; Limits({limit}=...), or"
                f" serve --limit {limit}=..., allows more"
                for what, limit, value in (
                    ("1 connections", "peers_per_address", 2),
                    ("1 sessions", "peers_per_address", 2),
                    ("1 connections", "unauthenticated_per_second", 5),
                    ("1 token requests", "tokens_per_second", 20),
                )
            ],
        )
        server.turn(60)
        self.assertEqual(server.client().closed[0], 4418)  # type: ignore[index]
        (line,) = self.refusals()[4:]
        self.assertIn("turned 2 connections away: the limit peers_per_address", str(line))

    def refusals(self) -> list[str | None]:
        """The lines of the log about what was turned away."""
        return [
            formatEvent(event) for event in self.logged if event.get("event") == "server.refused"
        ]

    def test_call_timeout(self) -> None:
        """A call that takes too long is answered once, cancelled, and logged with its peer."""
        server, client = self.start(call_timeout=5)
        client.send({"rpc": "slow", "uuid": "u"})
        server.turn(5)
        self.assertEqual(client.received(), [{"rpc": "slow", "uuid": "u", "error": "Timeout"}])
        self.assertTrue(self.pending[0].called)
        (event,) = (each for each in self.logged if each.get("event") == "request.timeout")
        self.assertIn(event["peer"], server.service.peers())
        self.assertEqual(event["rpc"], "slow")


def deep(depth: int) -> list[Any]:
    """Lists in lists."""
    return json.loads("[" * depth + "]" * depth)  # type: ignore[no-any-return]
