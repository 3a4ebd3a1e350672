"""
Delivery to many: in order, in short turns, at the cost of who sends.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.turns import one_turn
from tests.kit.websocket import TEXT, encode_frame
from txtokensock.server.fan_out import FanOut
from txtokensock.server.ops.metrics import ServerMetrics
from txtokensock.server.outbox import Outbox
from txtokensock.support.slices import Slices

from .support import Client, ServerTestCase, TokenServer


class Sent:
    """What an outbox writes to: notes the messages, and the frames that they leave in."""

    delivering = False

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer

    def writeSequence(self, messages: list[bytes]) -> None:
        self.messages += messages


class Stage:
    """
    Peers, who are their names, and channels.

    :param most: bytes that may wait.
    """

    def __init__(self, most: int = 10**9) -> None:
        self.clock = Clock()
        self.metrics = ServerMetrics()
        self.slices = Slices(self.clock)
        self.sent: dict[Any, Sent] = {}
        self.outboxes: dict[Any, Outbox] = {}
        self.channels: dict[str, dict[Any, Outbox]] = {}
        self.fan_out = FanOut(self.channels, self.outboxes.values, self.slices, most, self.metrics)

    def subscribe(self, peer: str, channel: str) -> None:
        """A peer joins a channel."""
        if peer not in self.outboxes:
            self.sent[peer] = Sent()
            transport: Any = self.sent[peer]
            self.outboxes[peer] = Outbox(transport, self.slices, self.metrics)
        self.channels.setdefault(channel, {})[peer] = self.outboxes[peer]

    def unsubscribe(self, peer: str, channel: str) -> None:
        """It leaves."""
        self.channels.get(channel, {}).pop(peer, None)
        if not self.channels.get(channel, True):
            del self.channels[channel]

    def crowd(self, channel: str, count: int) -> None:
        """Many peers join."""
        for number in range(count):
            self.subscribe(f"{channel}{number}", channel)

    def publish(self, channel: str, message: bytes) -> None:
        """A message for one channel."""
        self.fan_out.deliver(channel, channel.encode() + b":" + message, len(message))

    def broadcast(self, message: bytes) -> None:
        """A message for all."""
        self.fan_out.broadcast(lambda name: name.encode() + b":" + message, len(message))

    def got(self, *peers: str) -> list[list[bytes]]:
        """The messages of peers, of all by default."""
        return [self.sent[peer].messages for peer in peers or self.sent]


class FanOutTests(SynchronousTestCase):
    """Turns, order and bounds."""

    def test_few_peers_get_it_at_once(self) -> None:
        """What is for few waits in no queue: one timer, for their outboxes, is all."""
        stage = Stage()
        stage.crowd("a", 50)
        stage.publish("a", b"1")
        self.assertIsNone(stage.fan_out.delivered("a"))
        one_turn(stage.clock)
        self.assertEqual(stage.got(), [[b"a:1"]] * 50)
        self.assertEqual(stage.clock.calls, [])

    def test_many_peers_get_it_in_turns(self) -> None:
        """So many that their outboxes take more than a turn to write."""
        stage = Stage()
        stage.crowd("a", 1000)
        stage.publish("a", b"1")
        waits = stage.fan_out.delivered("a")
        assert waits is not None
        most = turns = 0
        while stage.clock.calls:
            before = sum(map(len, stage.got()))
            one_turn(stage.clock)
            most = max(most, sum(map(len, stage.got())) - before)
            turns += 1
        self.successResultOf(waits)
        self.assertEqual(stage.got(), [[b"a:1"]] * 1000)
        self.assertLess(most, 200)
        self.assertGreater(turns, 5)

    def test_one_turn_of_many_small_ones(self) -> None:
        """Many publishes to few peers each are bounded together as well."""
        stage = Stage()
        stage.crowd("a", 30)
        for number in range(2000):
            stage.publish("a", b"%d" % number)
        most = 0
        while stage.clock.calls:
            before = sum(map(len, stage.got()))
            one_turn(stage.clock)
            most = max(most, sum(map(len, stage.got())) - before)
        self.assertEqual(stage.got(), [[b"a:%d" % number for number in range(2000)]] * 30)
        self.assertLess(most, 5000)

    def test_large_messages(self) -> None:
        """The larger a message, the fewer peers get it in one turn."""
        stage = Stage()
        stage.crowd("a", 20)
        stage.publish("a", b"x" * 1_000_000)
        self.assertEqual(sum(map(len, stage.got())), 1)
        one_turn(stage.clock)
        self.assertEqual(sum(map(len, stage.got())), 2)
        stage.clock.advance(0)
        self.assertEqual(sum(map(len, stage.got())), 20)

    def test_bytes_of_a_turn(self) -> None:
        """However large messages are, about two megabytes go out at once; the rest waits."""
        for size in (64 * 1024, 256 * 1024, 1024 * 1024):
            stage = Stage()
            stage.subscribe("peer", "a")
            sent = 0
            while stage.fan_out.delivered("a") is None:
                stage.publish("a", b"x" * size)
                sent += size
            self.assertLess(sent, 2 * 1024 * 1024 + 2 * size)

    def test_outboxes_of_a_turn(self) -> None:
        """The more outboxes wait to be written already, the fewer peers get something at once."""
        stage = Stage()
        for channel in "abcde":
            stage.crowd(channel, 60)
            stage.publish(channel, b"1")
        self.assertLess(len(stage.slices), 140)
        one_turn(stage.clock)
        self.assertLess(sum(map(len, stage.got())), 140)
        while stage.clock.calls:
            one_turn(stage.clock)
        self.assertEqual(
            stage.got(), [[b"%c:1" % channel] for channel in b"abcde" for _ in range(60)]
        )

    def test_channels_take_turns(self) -> None:
        """A message for one peer does not wait for thousands on another channel."""
        stage = Stage()
        stage.crowd("a", 1000)
        stage.subscribe("b", "b")
        for _ in range(100):
            stage.publish("a", b"flood")
        stage.publish("b", b"1")
        for _ in range(3):
            one_turn(stage.clock)
        self.assertEqual(stage.got("b"), [[b"b:1"]])

    def test_broadcasts_and_what_follows(self) -> None:
        """What is published after a broadcast comes after it, on every channel."""
        stage = Stage()
        for number in range(500):
            stage.subscribe("peer", f"c{number}")
        stage.broadcast(b"1")
        stage.broadcast(b"2")
        stage.publish("c499", b"3")
        stage.broadcast(b"4")
        stage.clock.advance(0)
        by_channel = defaultdict(list)
        for message in stage.sent["peer"].messages:
            channel, _, text = message.partition(b":")
            by_channel[channel].append(text)
        self.assertEqual(by_channel.pop(b"c499"), [b"1", b"2", b"3", b"4"])
        self.assertEqual(list(by_channel.values()), [[b"1", b"2", b"4"]] * 499)
        self.assertIsNone(stage.fan_out.delivered(None))

    def test_who_left_gets_nothing(self) -> None:
        """A peer that leaves while a message waits does not get it."""
        stage = Stage()
        stage.crowd("a", 200)
        stage.publish("a", b"1")
        stage.unsubscribe("a199", "a")
        stage.clock.advance(0)
        self.assertEqual(stage.got("a198", "a199"), [[b"a:1"], []])

    def test_bound(self) -> None:
        """Beyond the bound messages are dropped, counted, and the log says so twice."""
        stage = Stage(most=10_000)
        stage.crowd("a", 100)
        for _ in range(100):
            stage.publish("a", b"x" * 1000)
        stage.clock.advance(0)
        delivered = set(map(len, stage.got()))
        self.assertLess(max(delivered), 12)
        self.assertEqual(len(delivered), 1)
        self.assertEqual(stage.metrics._dropped_messages, 100 - delivered.pop())
        stage.publish("a", b"again")
        stage.clock.advance(0)
        self.assertEqual(stage.got("a99")[0][-1], b"a:again")
        self.assertEqual(stage.fan_out._held, 0)

    def test_one_channel_does_not_take_all_room(self) -> None:
        """However much waits for one, others have room; so have broadcasts."""
        stage = Stage(most=100_000)
        stage.crowd("a", 500)
        stage.crowd("b", 500)
        for _ in range(200):
            stage.publish("a", b"x" * 1000)
        self.assertGreater(stage.metrics._dropped_messages, 100)
        for _ in range(4):
            stage.publish("b", b"1")
            stage.broadcast(b"2")
        stage.clock.advance(0)
        self.assertEqual(stage.got("b499"), [[b"b:1", b"b:2"] * 4])

    def test_stop(self) -> None:
        """All that waits is dropped, and who waited for it goes on."""
        stage = Stage()
        stage.crowd("a", 1000)
        stage.publish("a", b"1")
        stage.broadcast(b"2")
        waits = [stage.fan_out.delivered("a"), stage.fan_out.delivered(None)]
        stage.fan_out.stop()
        for wait in waits:
            assert wait is not None
            self.successResultOf(wait)
        stage.clock.advance(0)
        self.assertLess(sum(map(len, stage.got())), 1000)
        self.assertEqual(stage.fan_out._held, 0)

    @given(st.data())
    def test_any_order_of_events(self, data: st.DataObject) -> None:
        """Each peer gets, of each channel, what came while it was there, once and in order."""
        stage = Stage()
        stage.crowd("a", 150)
        expected: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        names = ["a", "b", "c"]
        for number in range(data.draw(st.integers(1, 25))):
            text = b"%d" % number
            match data.draw(st.sampled_from(["publish", "broadcast", "join", "crowd", "turn"])):
                case "publish":
                    name = data.draw(st.sampled_from(names))
                    stage.publish(name, text)
                    for peer in stage.channels.get(name, ()):
                        expected[peer, name].append(text)
                case "broadcast":
                    stage.broadcast(text)
                    for name, peers in stage.channels.items():
                        for peer in peers:
                            expected[peer, name].append(text)
                case "join":
                    stage.clock.advance(0)  # a broadcast may reach who joins meanwhile
                    stage.subscribe("a0", data.draw(st.sampled_from(names)))
                case "crowd":
                    stage.clock.advance(0)
                    stage.crowd(data.draw(st.sampled_from(names[1:])), 70)
                case "turn":
                    one_turn(stage.clock)
        stage.clock.advance(0)
        got: dict[tuple[str, str], list[bytes]] = defaultdict(list)
        for peer, sent in stage.sent.items():
            for message in sent.messages:
                channel, _, text = message.partition(b":")
                got[peer, channel.decode()].append(text)
        self.assertEqual(got, expected)


class SenderTests(ServerTestCase):
    """Who sends waits, and nobody is closed."""

    def start(self, **limits: Any) -> tuple[TokenServer, Client, Client]:
        """A server, a sender, and a reader of the channel "c"."""
        server = self.serve(limits=limits)
        sender, reader = server.authenticated(), server.authenticated()
        reader.subscribe("c")
        return server, sender, reader

    def send_now(self, client: Client, *messages: Any) -> None:
        """Messages come in one read; the turns that follow are still to come."""
        texts = [json.dumps(message) for message in messages]
        client.connection.tcp.protocol.dataReceived(encode_frame(json.dumps(texts), TEXT))

    def test_a_frame_of_broadcasts(self) -> None:
        """Broadcasts to a peer with many channels: all arrive, in order, and nobody is closed."""
        _, sender, reader = self.start()
        reader.subscribe(*(f"c{number}" for number in range(100)))
        broadcasts = [
            {"rpc": "_broadcast", "req": {"data": n}, "uuid": str(n)} for n in range(300)
        ]
        self.send_now(sender, *broadcasts)
        self.assertEqual(sender.tcp.producerState, "paused")
        self.send_now(sender, {"rpc": "_ping", "uuid": "p"})
        self.assertLess(len(reader.take_messages()), 5000)
        answers = sender.received()
        self.assertEqual([answer["uuid"] for answer in answers], [*map(str, range(300)), "p"])
        self.assertEqual(sender.tcp.producerState, "producing")
        got = defaultdict(list)
        for message in reader.received():
            got[message["channel"]].append(message["message"])
        self.assertEqual(list(got.values()), [[*range(300)]] * 101)
        self.assertIsNone(reader.closed)

    def test_many_peers(self) -> None:
        """A publish to many is answered when all have it; the sender is not read meanwhile."""
        server, sender, reader = self.start()
        readers = [reader, *(server.authenticated() for _ in range(150))]
        for each in readers[1:]:
            each.subscribe("c")
        publish = {"rpc": "_publish", "req": {"channel": "c", "data": 1}, "uuid": "u"}
        self.send_now(sender, publish, {"rpc": "_ping", "uuid": "p"})
        self.assertEqual(sender.tcp.producerState, "paused")
        answers = sender.received()
        self.assertEqual([answer["uuid"] for answer in answers], ["u", "p"])
        for each in readers:
            self.assertEqual(each.received(), [{"channel": "c", "message": 1}])

    def test_a_slow_reader(self) -> None:
        """A sender that is faster than a reader waits for it, so that it is not closed."""
        server, sender, reader = self.start()
        reader.tcp.stop_reading()
        publish = {"rpc": "_publish", "req": {"channel": "c", "data": "x" * 300_000}}
        sent = 0
        for _ in range(5):
            for _ in range(5):
                sender.send(publish)
                sent += 1
            self.assertEqual(sender.tcp.producerState, "paused")
            server.turn(1)
            reader.tcp.read_again()
            server.turn()
            reader.tcp.stop_reading()
        reader.tcp.read_again()
        server.turn()
        self.assertEqual(len(reader.received()), sent)
        self.assertIsNone(reader.closed)

    def test_a_reader_that_does_not_read(self) -> None:
        """It is waited for once, for some seconds; then it is closed as ever."""
        server, sender, reader = self.start()
        other = server.authenticated()
        other.subscribe("c")
        reader.tcp.stop_reading()
        publish = {"rpc": "_publish", "req": {"channel": "c", "data": "x" * 300_000}}
        for _ in range(5):
            sender.send(publish)
        self.assertEqual(sender.tcp.producerState, "paused")
        server.turn(4.9)
        self.assertEqual(sender.tcp.producerState, "paused")
        server.turn(0.2)
        self.assertEqual(sender.tcp.producerState, "producing")
        for _ in range(12):
            sender.send(publish)
            self.assertEqual(sender.tcp.producerState, "producing")
        self.assertEqual(len(other.received()), 17)
        reader.tcp.read_again()
        reader.received()
        self.assertEqual(reader.closed, (4001, "Too much waits to be read"))

    def test_who_sends_little_does_not_wait(self) -> None:
        """A reader that does not read delays nobody who has not sent much to it."""
        server, sender, reader = self.start()
        sender.subscribe("c")
        reader.tcp.stop_reading()
        done = server.service.publish("c", "x" * 200_000)
        server.turn()
        self.successResultOf(done)
        publish = {"rpc": "_publish", "req": {"channel": "c", "data": 1}, "uuid": "u"}
        sender.received()
        sender.send(publish)
        self.assertEqual(len(sender.received()), 2)
        reader.tcp.read_again()

    def test_the_sender_goes(self) -> None:
        """What it published is delivered all the same, and nothing stays."""
        server, sender, _ = self.start()
        readers = [server.authenticated() for _ in range(150)]
        for each in readers:
            each.subscribe("c")
        publish = {"rpc": "_publish", "req": {"channel": "c", "data": 1}, "uuid": "u"}
        self.send_now(sender, publish)
        sender.drop()
        for each in readers:
            self.assertEqual(each.received(), [{"channel": "c", "message": 1}])

    def test_the_application_waits_too(self) -> None:
        """What the application publishes to many is done when all have it."""
        server, _, reader = self.start()
        for _ in range(150):
            server.authenticated().subscribe("c")
        for publish in (
            lambda: server.service.publish("c", 1),
            lambda: server.service.broadcast(2),
            lambda: server.service.unsubscribe_all("c"),
        ):
            done = publish()
            self.assertNoResult(done)
            server.turn()
            self.successResultOf(done)
        *messages, notice = reader.received()
        self.assertEqual([message["message"] for message in messages], [1, 2])
        self.assertEqual(notice["command"], "unsubscribe")
        self.assertEqual(server.service.channels(), [])
