"""
publish() and broadcast().
"""

from __future__ import annotations

from twisted.internet.defer import CancelledError

from txtokensock.errors import (
    CallTimeout,
    ClientClosed,
    ConnectionLost,
    Forbidden,
    InvalidChannel,
    InvalidData,
    InvalidOption,
    RemoteError,
    UnsolicitedError,
)

from ..common import Calls, ServerTestCase

BIG = "x" * 40_000


class SilentServerTests(ServerTestCase):
    """A server that does not acknowledge, as all of node-token-sockjs."""

    def test_fires_when_sent(self) -> None:
        """It fires in the turn in which the message leaves; nothing waits any more."""
        client = self.ready()
        calls = [client.publish("c", {"a": 1}), client.broadcast([1])]
        self.pending(calls[0])
        self.settle()
        for call in calls:
            self.assertIsNone(self.successResultOf(call))
        publish, broadcast = self.session.received
        self.assertEqual(publish["req"], {"channel": "c", "data": {"a": 1}})
        self.assertEqual(broadcast["req"], {"data": [1]})

    def test_no_data_is_null(self) -> None:
        """``data`` is always there: its lack crashes JavaScript servers."""
        import msgspec

        client = self.ready()
        client.publish("c", None)
        client.publish("c", msgspec.UNSET)
        client.broadcast(msgspec.UNSET)
        self.settle()
        for message in self.session.received:
            self.assertIsNone(message["req"]["data"])

    def test_waits_for_room(self) -> None:
        """While the transport is full, it waits, and fires when there is room again."""
        client = self.ready()
        self.session.stop_reading()
        sent = [client.publish("c", BIG) for _ in range(2)]
        self.settle()
        for call in sent:
            self.successResultOf(call)
        waiting = client.publish("c", "later")
        call = client.rpc("f")
        self.advance(1)
        self.pending(waiting)
        self.session.read_again()
        self.settle()
        self.successResultOf(waiting)
        names = [message["rpc"] for message in self.session.received]
        self.assertEqual(names, ["_publish"] * 3 + ["f"])
        self.session.answer(self.session.received[-1], 1)
        self.settle()
        self.assertEqual(self.successResultOf(call), 1)

    def test_waits_with_bounded_buffer(self) -> None:
        """A server that does not read gets no more than one frame beyond its buffer."""
        client = self.ready()
        self.session.stop_reading()
        for _ in range(100):
            client.publish("c", BIG).addErrback(lambda _: None)
        self.settle()
        written = self.server.network.connections[-1][0].bytes_written
        self.assertLess(written, 200_000)

    def test_timeout_while_full(self) -> None:
        """Waiting for room has a deadline, too."""
        client = self.ready()
        self.session.stop_reading()
        for _ in range(2):
            client.publish("c", BIG)
        self.settle()
        waiting = client.publish("c", 1, timeout=3)
        self.advance(3)
        self.assertFalse(self.failure(waiting, CallTimeout).may_have_run)
        self.session.read_again()
        self.settle()
        self.assertEqual(len(self.session.received), 2)

    def test_loss_while_full(self) -> None:
        """What did not leave waits for the next connection."""
        client = self.ready()
        self.session.stop_reading()
        for _ in range(2):
            client.publish("c", BIG)
        self.settle()
        waiting = client.publish("c", 1)
        self.session.drop()
        self.advance(0.1)
        self.successResultOf(waiting)
        self.assertEqual([m["req"]["data"] for m in self.session.received], [1])

    def test_subscription_lost_while_full(self) -> None:
        """A subscription that did not leave is asked for once on the next connection."""
        client = self.ready()
        self.session.stop_reading()
        for _ in range(2):
            client.publish("c", BIG)
        self.settle()
        subscribing = client.subscribe("c")
        self.session.drop()
        self.advance(0.1)
        names = [message["rpc"] for message in self.session.received]
        self.assertEqual(names, ["_subscribe"])
        self.session.subscribed("c")
        self.settle()
        self.successResultOf(subscribing)

    def test_late_refusal(self) -> None:
        """A refusal comes too late for the Deferred: ``error`` listeners hear of it."""
        client, errors = self.ready(), Calls()
        client.on("error", errors)
        call = client.publish("secret", 1)
        self.settle()
        self.successResultOf(call)
        self.session.refuse(self.session.received[0])
        self.session.refuse(self.session.received[0])
        self.settle()
        (error,) = errors
        self.assertIsInstance(error, Forbidden)
        self.assertIn("publish to 'secret' was refused", str(error))

    def test_late_refusals_are_bounded(self) -> None:
        """Only the newest 1024 are waited for: nothing grows with what is published."""
        client, errors = self.ready(), Calls()
        client.on("error", errors)
        for _ in range(1100):
            client.publish("c", 1)
        self.settle()
        sent = self.session.received[:]
        self.session.refuse(sent[-1])
        self.settle()
        self.assertEqual(len(errors), 1)
        for message in sent:
            self.session.refuse(message)
        self.settle()
        self.assertEqual(len(errors), 1024)

    def test_error_without_uuid(self) -> None:
        """ "Invalid message" says not what for: ``error`` listeners hear of it."""
        client, errors = self.ready(), Calls()
        client.on("error", errors)
        self.session.send({"error": "Invalid message"})
        self.settle()
        (error,) = errors
        self.assertIsInstance(error, UnsolicitedError)
        self.assertEqual(error.error, "Invalid message")

    def test_cancel(self) -> None:
        """A message that has not left does not leave."""
        client = self.ready()
        call = client.publish("c", 1)
        call.cancel()
        self.failure(call, CancelledError)
        self.settle()
        self.assertEqual(self.session.received, [])


class AcknowledgingServerTests(ServerTestCase):
    """A server that announced acknowledgements."""

    def setUp(self) -> None:
        super().setUp()
        self.server.acks = True
        self.socket = self.ready()

    def test_fires_with_the_answer(self) -> None:
        """It waits for the answer, and is None whatever that says."""
        calls = [self.socket.publish("c", 1), self.socket.broadcast(1)]
        self.settle()
        for call in calls:
            self.pending(call)
        for message in self.session.received:
            self.session.answer(message, "success")
        self.settle()
        for call in calls:
            self.assertIsNone(self.successResultOf(call))

    def test_refusal(self) -> None:
        """A refusal is the Deferred's, and nobody else's."""
        errors = Calls()
        self.socket.on("error", errors)
        call = self.socket.publish("c", 1)
        self.settle()
        self.session.refuse(self.session.received[0], {"message": "no"})
        self.settle()
        self.assertEqual(self.failure(call, RemoteError).error, {"message": "no"})
        self.assertEqual(errors, [])

    def test_loss(self) -> None:
        """A loss before the answer leaves it open whether it was published."""
        call = self.socket.publish("c", 1)
        self.settle()
        self.session.drop()
        self.settle()
        self.assertTrue(self.failure(call, ConnectionLost).may_have_run)

    def test_timeout(self) -> None:
        """The answer has a deadline."""
        call = self.socket.broadcast(1, timeout=2)
        self.advance(2)
        self.assertTrue(self.failure(call, CallTimeout).may_have_run)

    def test_hint_of_each_connection(self) -> None:
        """The next server may not acknowledge: then it fires when sent again."""
        self.server.acks = False
        self.session.drop()
        self.advance(0.1)
        call = self.socket.publish("c", 1)
        self.settle()
        self.successResultOf(call)

    def test_other_hints(self) -> None:
        """Anything but exactly that hint is none."""
        for hint in ({}, {"acks": 0}, {"acks": "1"}, [], 1, "acks"):
            self.server.script(
                auth=lambda session, hint=hint: session.send(
                    {**session.messages[0], "resp": "success", "tx": hint}
                )
            )
            client = self.ready()
            call = client.publish("c", 1)
            self.settle()
            self.successResultOf(call)


class UsageTests(ServerTestCase):
    """What cannot be published."""

    def test_invalid(self) -> None:
        """Bad channels and data fail at once, and nothing is sent."""
        client = self.ready()
        for channel in ("", None, 5, ["a"], "__all__", "___all___", "___sync___"):
            self.failure(client.publish(channel, 1), InvalidChannel)  # type: ignore[arg-type]
        self.failure(client.publish("\ud800", 1), InvalidChannel)
        self.failure(client.publish("c", float("nan")), InvalidData)
        self.failure(client.broadcast(object()), InvalidData)
        self.failure(client.publish("c", 1, timeout=0), InvalidOption)
        self.failure(client.broadcast(1, timeout=-1), InvalidOption)
        self.settle()
        self.assertEqual(self.session.received, [])

    def test_ended(self) -> None:
        """After end() nothing is published."""
        client = self.ready()
        client.end()
        self.failure(client.publish("c", 1), ClientClosed)
        self.settle()
