"""
A client obeys what its server has announced to take.
"""

from __future__ import annotations

import gc
from typing import Any

from txtokensock.errors import (
    ConnectionLost,
    InvalidChannel,
    InvalidData,
    MessageTooLarge,
    QueueFull,
    RemoteError,
)
from txtokensock.server import Limits, TokenSocketServer, query
from txtokensock.testing import MemoryServer

from ..common import Calls, ServerTestCase
from ..kit.slow_wire import SlowWire


class AnnouncedLimitsTests(ServerTestCase):
    """With a scripted server that announces limits."""

    def limited(self, limits: dict[str, Any], **options: Any) -> Any:
        """A client that is ready, and whose server acknowledges and has these limits."""
        self.server.acks = True
        self.server.limits = limits
        return self.ready(**options)

    @property
    def asked(self) -> list[str]:
        """The names of what the newest session was asked for."""
        return [message["rpc"] for message in self.session.received]

    # -- what one message may be

    def test_too_large(self) -> None:
        """It fails at once with its own mistake, and the connection and others live."""
        client = self.limited({"message_size": 1000})
        fine = client.rpc("f", 1)
        large = [
            client.rpc("f", "x" * 1000),
            client.rpc("f", "x" * 1000, idempotent=True),
            client.publish("c", "x" * 1000),
            client.broadcast("x" * 1000),
        ]
        self.settle()
        for deferred in large:
            self.assertIn("message_size", str(self.failure(deferred, MessageTooLarge)))
        self.assertEqual(self.asked, ["f"])
        self.session.answer(self.session.received[0], 2)
        self.settle()
        self.assertEqual(self.successResultOf(fine), 2)
        self.assertTrue(self.session.open)

    def test_too_large_leaves_nothing(self) -> None:
        """
        What is refused goes with the last one who knows it: the error is in no frame of its own
        traceback, which only the garbage collector would end, and not while a megabyte counts as
        one object.
        """
        client = self.limited({"message_size": 1000, "channel_length": 5})
        self.addCleanup(gc.enable)
        gc.disable()
        for _ in range(3):
            self.failure(self.settled(client.publish("c", "x" * 1000)), MessageTooLarge)
            self.failure(self.settled(client.publish("channel", 1)), InvalidChannel)
        left = [each for each in gc.get_objects() if isinstance(each, InvalidData)]
        self.assertEqual(left, [])

    def test_to_the_byte(self) -> None:
        """What is just as large as the limit is sent."""
        client = self.limited({})
        client.publish("c", "x").addErrback(lambda _: None)
        self.settle()
        size = len(self.session.texts[-1])
        client.end()
        self.settle()
        client = self.limited({"message_size": size})
        client.publish("c", "x").addErrback(lambda _: None)
        large = client.publish("c", "xx")
        self.settle()
        self.failure(large, MessageTooLarge)
        self.assertEqual(self.asked, ["_publish"])

    def test_too_deep(self) -> None:
        """Data that nests too deep."""
        client = self.limited({"json_depth": 3})
        self.failure(self.settled(client.rpc("f", [[[1]]])), InvalidData)
        client.rpc("f", [[1]]).addErrback(lambda _: None)
        self.settle()
        self.assertEqual(self.asked, ["f"])

    def settled(self, deferred: Any) -> Any:
        self.settle()
        return deferred

    def test_channel_too_long(self) -> None:
        """A channel's name, whatever it is for."""
        client = self.limited({"channel_length": 5})
        self.failure(self.settled(client.publish("ü" * 3, 1)), InvalidChannel)
        self.failure(self.settled(client.subscribe("ü" * 3)), InvalidChannel)
        self.assertEqual(client.channels(), [])
        client.publish("ü" * 2, 1).addErrback(lambda _: None)
        self.settle()
        self.assertEqual(self.asked, ["_publish"])

    def test_too_many_channels(self) -> None:
        """A channel more than the server takes; there is room when another one has ended."""
        client = self.limited({"channels": 2})
        client.subscribe("a")
        client.subscribe("b")
        self.settle()
        self.failure(client.subscribe("c"), InvalidChannel)
        self.assertEqual(client.channels(), ["a", "b"])
        for request in self.session.received:
            self.session.answer(request, "success")
        self.settle()
        client.unsubscribe("a")
        subscribing = client.subscribe("c")
        self.settle()
        self.assertEqual(self.asked, ["_subscribe"] * 2 + ["_unsubscribe"])
        self.session.answer(self.session.received[-1], "success")
        self.settle()
        self.session.answer(self.session.received[-1], "success")
        self.settle()
        self.successResultOf(subscribing)
        self.assertEqual(self.asked, ["_subscribe"] * 2 + ["_unsubscribe", "_subscribe"])

    def test_a_channel_that_is_not_wanted_any_more(self) -> None:
        """One that is unsubscribed before it was confirmed has to end before the next begins."""
        for refused in (True, False):
            client = self.limited({"channels": 1})
            client.subscribe("a").addErrback(lambda _: None)
            self.settle()
            client.unsubscribe("a")
            subscribing = client.subscribe("b")
            self.settle()
            self.assertEqual(self.asked, ["_subscribe"])
            if refused:
                self.session.refuse(self.session.received[-1], "no")
            else:
                for _ in range(2):
                    self.session.answer(self.session.received[-1], "success")
                    self.settle()
            self.settle()
            self.session.answer(self.session.received[-1], "success")
            self.settle()
            self.successResultOf(subscribing)
            self.assertEqual(client.channels(), ["b"])
            client.end()
            self.settle()

    def test_waited(self) -> None:
        """What waited, from before the limits were known, fails when it would be sent."""
        self.server.acks, self.server.limits = True, {"message_size": 1000}
        client = self.client()
        large, small = client.rpc("f", "x" * 1000, idempotent=True), client.rpc("g")
        ready = client.when_ready()
        client.startService()
        self.settle()
        self.failure(large, MessageTooLarge)
        self.successResultOf(ready)
        self.assertEqual(self.asked, ["g"])
        small.addErrback(lambda _: None)

    def test_sent_before(self) -> None:
        """Where another server had it already, it may have run there."""
        client = self.ready()
        large = client.rpc("f", "x" * 1000, idempotent=True)
        self.settle()
        self.server.limits = {"message_size": 1000}
        self.session.drop()
        self.advance(1)
        error = self.failure(large, ConnectionLost)
        self.assertTrue(error.may_have_run)
        self.assertIn("message_size", str(error))
        self.assertEqual(self.asked, [])

    def test_action(self) -> None:
        """The result of an action that is too large is answered with an error."""
        self.limited({"message_size": 1000}, actions={"f": lambda data: "x" * data})
        self.session.call("f", 10, "one")
        self.session.call("f", 1000, "two")
        self.settle()
        one, two = (message["resp"] for message in self.session.received)
        self.assertEqual(one, {"data": "x" * 10})
        self.assertIn("message_size", two["error"])

    # -- frames

    def test_frames(self) -> None:
        """What one turn asks for is spread over frames that the server takes."""
        client = self.limited({"frame_messages": 10, "frame_size": 1000, "message_size": 5000})
        for number in range(30):
            client.publish("c", number).addErrback(lambda _: None)
        for _ in range(10):
            client.publish("c", '"' * 100).addErrback(lambda _: None)
        large = client.publish("c", '"' * 300)
        self.settle()
        self.failure(large, MessageTooLarge)
        frames = self.session.frames[1:]
        self.assertEqual(sum(map(len, frames)), 40)
        self.assertLessEqual(max(map(len, frames)), 10)

    # -- calls and rates

    def test_calls(self) -> None:
        """As many requests are in flight as the server takes, with one to spare for a ping."""
        client = self.limited({"calls": 4})
        calls = [client.rpc("f", number) for number in range(5)]
        self.settle()
        self.assertEqual(len(self.asked), 3)
        self.session.answer(self.session.received[0], "done")
        self.settle()
        self.assertEqual(len(self.asked), 4)
        self.assertEqual(self.successResultOf(calls[0]), "done")
        for call in calls[1:]:
            call.addErrback(lambda _: None)

    def test_abandoned_calls(self) -> None:
        """One that was cancelled, or timed out, is in flight until the server has answered."""
        client = self.limited({"calls": 3})
        first = client.rpc("f", timeout=1)
        second = client.rpc("f")
        third = client.rpc("g")
        for call in (first, second, third):
            call.addErrback(lambda _: None)
        self.settle()
        second.cancel()
        self.advance(2)
        self.assertEqual(self.asked, ["f", "f"])
        self.session.answer(self.session.received[0])
        self.settle()
        self.assertEqual(self.asked, ["f", "f", "g"])
        fourth = client.rpc("h", timeout=70)
        fourth.addErrback(lambda _: None)
        self.advance(55)
        self.assertEqual(self.asked, ["f", "f", "g"])
        self.advance(4)
        self.assertEqual(self.asked, ["f", "f", "g", "h"])

    def test_rate(self) -> None:
        """What is over waits, in order, and all is sent at nearly the rate of the server."""
        client = self.limited({"messages_per_second": 100, "message_burst": 50})
        sent = [client.publish("c", number) for number in range(200)]
        self.settle()
        self.assertEqual(len(self.asked), 45)
        self.advance(1)
        self.assertTrue(45 + 80 <= len(self.asked) <= 45 + 90, len(self.asked))
        self.advance(1)
        data = [message["req"]["data"] for message in self.session.received]
        self.assertEqual(data, list(range(200)))
        for request in self.session.received:
            self.session.answer(request, "success")
        self.settle()
        for publish in sent:
            self.successResultOf(publish)

    def test_large_messages_cost_more(self) -> None:
        """Each 64 KiB are a message to the server: a large one waits until all is allowed."""
        client = self.limited({"messages_per_second": 10, "message_burst": 21})
        for data in (*range(10), "x" * 900_000, "last"):
            client.publish("c", data).addErrback(lambda _: None)
        for _ in range(2):
            self.settle()
            self.assertEqual(len(self.asked), 10)
            self.advance(0.5)
        self.advance(0.3)
        self.assertEqual(len(self.asked), 12)

    def test_larger_than_the_burst(self) -> None:
        """One that costs more than the server ever allows at once fails; just as much is sent."""
        client = self.limited({"messages_per_second": 10, "message_burst": 10})
        large = client.publish("c", "x" * 800_000)
        fine = client.publish("c", "x" * 700_000)
        fine.addErrback(lambda _: None)
        self.settle()
        self.assertIn("message_burst is 10", str(self.failure(large, MessageTooLarge)))
        self.assertEqual(self.asked, ["_publish"])

    def test_one_at_once(self) -> None:
        """Also ``auth`` was one: the next has to wait."""
        client = self.limited({"messages_per_second": 1, "message_burst": 1})
        client.publish("c", 1).addErrback(lambda _: None)
        self.settle()
        self.assertEqual(self.asked, [])
        self.advance(2)
        self.assertEqual(self.asked, ["_publish"])

    def test_rate_of_another_connection(self) -> None:
        """It is the connection's: the next one begins anew, and no timer is left of the first."""
        client = self.limited({"messages_per_second": 1, "message_burst": 10})
        for number in range(20):
            client.rpc("f", number, idempotent=True).addErrback(lambda _: None)
        self.settle()
        self.assertEqual(len(self.asked), 9)
        self.server.limits = None
        self.session.drop()
        self.advance(1)
        self.assertEqual(len(self.asked), 20)


class QueueBytesTests(ServerTestCase):
    """What waits has a limit in bytes."""

    def test_full(self) -> None:
        """Above it calls fail, and say which limit it is; what waits is sent."""
        client = self.client(queue_bytes=100_000)
        outcomes = [client.publish("c", "x" * 20_000) for _ in range(10)]
        for refused in outcomes[5:]:
            self.assertIn("queue_bytes", str(self.failure(refused, QueueFull)))
        client.subscribe("c").addErrback(lambda _: None)
        client.startService()
        self.settle()
        for publish in outcomes[:5]:
            self.successResultOf(publish)
        for _ in range(3):  # what was sent makes room
            self.settle()
            self.successResultOf(self.sent(client.publish("c", "x" * 150_000)))

    def sent(self, deferred: Any) -> Any:
        self.settle()
        return deferred

    def test_all_ways_out(self) -> None:
        """Whatever becomes of a request, its bytes are free again."""
        client = self.client(queue_bytes=100_000)

        def full() -> bool:
            probe = client.rpc("f", "x")
            refused = probe.called
            probe.addErrback(lambda _: None)
            if not refused:
                probe.cancel()
            return refused

        def fill(**options: Any) -> Any:
            call = client.rpc("f", "x" * 150_000, **options)
            call.addErrback(lambda _: None)
            self.assertTrue(full())
            return call

        fill().cancel()
        self.assertFalse(full())
        fill(timeout=1)
        self.advance(1)
        self.assertFalse(full())
        client.startService()
        self.settle()
        fill(idempotent=True)
        self.settle()
        self.assertTrue(full())  # it may have to be sent again
        self.session.answer(self.session.received[-1])
        self.settle()
        self.assertFalse(full())
        fill(idempotent=True)
        self.settle()
        self.session.drop()
        self.advance(1)
        self.assertTrue(full())
        self.session.answer(self.session.received[-1])
        self.settle()
        self.assertFalse(full())
        client.rpc("f").addErrback(lambda _: None)
        fill()
        self.settle()
        self.assertFalse(full())
        fill(idempotent=True)
        client.end()
        client.startService()
        self.advance(1)
        self.assertFalse(full())


class RealServerTests(ServerTestCase):
    """A client of our own server does not exceed its limits, whatever its user asks for."""

    def test_everything(self) -> None:
        """Large and deep messages, long names, many channels, calls and messages."""
        limits = Limits(
            message_size=10_000,
            frame_size=20_000,
            json_depth=10,
            channel_length=20,
            channels=5,
            calls=10,
            messages_per_second=50,
            message_burst=40,
            frame_messages=20,
        )
        for transport in ("websocket", "websocket-raw", "xhr-streaming", "xhr-polling"):
            with self.subTest(transport=transport):
                self.play(limits, transport)

    def play(self, limits: Limits, transport: str) -> None:
        memory = MemoryServer(
            lambda clock: TokenSocketServer(
                lambda request: {"user": "ada"},
                actions={"echo": lambda data, peer: data},
                limits=limits,
                reactor=clock,
            )
        )
        client = memory.client(transports=(transport,), call_timeout=60)
        events, heard = Calls(), Calls()
        client.on("disconnect", events)
        client.startService()
        memory.settle()
        outcomes: list[Any] = []
        for number in range(150):
            outcomes.append(client.rpc("echo", number))
            outcomes.append(client.publish("c0", number))
        subscribing = [client.subscribe(f"c{number}", heard) for number in range(8)]
        refused = [
            client.rpc("echo", "x" * 20_000, idempotent=True),
            client.publish("c" * 30, 1),
            client.rpc("echo", eval("[" * 20 + "]" * 20)),
        ]
        memory.advance(20)
        self.assertEqual(events, [])
        for deferred in outcomes:
            self.successResultOf(deferred)
        for deferred in subscribing[:5]:
            self.successResultOf(deferred)
        for deferred in subscribing[5:]:
            self.failure(deferred, InvalidChannel)
        self.failure(refused[0], MessageTooLarge)
        self.failure(refused[1], InvalidChannel)
        self.failure(refused[2], InvalidData)
        self.assertIs(client.connected, True)
        client.end()
        memory.server.stopService()
        memory.advance(10)

    def test_one_by_one(self) -> None:
        """The pings behind calls that go alone, after a loss that one of them may cause, count."""
        memory = MemoryServer(
            lambda clock: TokenSocketServer(
                lambda request: {},
                actions={"echo": lambda data, peer: data},
                limits=Limits(messages_per_second=100, message_burst=10),
                reactor=clock,
            )
        )
        client = memory.client()
        client.startService()
        memory.settle()
        events = Calls()
        client.on("disconnect", events)
        outcomes = [client.rpc("echo", number, idempotent=True) for number in range(8)]
        (peer,) = memory.server.peers()
        peer.close(4413, "too large")
        memory.advance(10)
        self.assertEqual([error.code for error in events], [4413])
        self.assertEqual([self.successResultOf(each) for each in outcomes], list(range(8)))
        client.end()
        memory.server.stopService()
        memory.advance(10)

    def test_frames_on_a_slow_link(self) -> None:
        """What waits for a request of its own goes in as many as keep within a frame's limits."""
        for limits in (
            Limits(frame_size=8_000, message_size=4_000),
            Limits(frame_messages=20),
        ):
            for transport in ("websocket", "xhr-streaming", "xhr-polling"):
                with self.subTest(limits=limits, transport=transport):
                    self.play_slowly(limits, transport)

    def play_slowly(self, limits: Limits, transport: str) -> None:
        memory = MemoryServer(lambda clock: TokenSocketServer(query, limits=limits, reactor=clock))
        client = memory.client(
            transports=(transport,),
            endpoint=SlowWire(memory.network.endpoint(), memory.clock, 50_000),
        )
        losses = Calls()
        client.on("disconnect", losses)
        client.startService()
        memory.advance(1)
        publishing = []
        for number in range(100):
            publishing.append(client.publish("c", f"{number:0500}"))
            memory.advance(0.001)
        memory.advance(20)
        self.assertEqual(losses, [])
        for deferred in publishing:
            self.successResultOf(deferred)
        client.end()
        memory.server.stopService()
        memory.advance(10)

    def test_answers_that_waited(self) -> None:
        """Results of actions that had no room go out in frames that the server takes, too."""
        memory = MemoryServer(
            lambda clock: TokenSocketServer(
                query, limits=Limits(frame_size=40_000, message_size=20_000), reactor=clock
            )
        )
        client = memory.client(
            endpoint=SlowWire(memory.network.endpoint(), memory.clock, 250_000),
            actions={"text": lambda data: "x" * data},
        )
        losses = Calls()
        client.on("disconnect", losses)
        client.startService()
        memory.advance(1)
        (peer,) = memory.server.peers()
        answers = [peer.rpc("text", 15_000) for _ in range(100)]
        memory.advance(20)
        self.assertEqual(losses, [])
        for answer in answers:
            self.assertEqual(len(self.successResultOf(answer)), 15_000)
        client.end()
        memory.server.stopService()
        memory.advance(10)

    def test_remote_errors_stay(self) -> None:
        """A call that the server answers with an error is no loss."""
        memory = MemoryServer(lambda clock: TokenSocketServer(lambda _: {}, reactor=clock))
        client = memory.client()
        client.startService()
        memory.settle()
        call = client.rpc("nothing")
        memory.settle()
        self.failure(call, RemoteError)
        client.end()
        memory.server.stopService()
        memory.advance(10)
