"""
Servers that are gone though their connection is still there.
"""

from __future__ import annotations

from typing import Any

from txtokensock.errors import ConnectionLost, InvalidOption, PeerSilent

from ..common import Calls, ServerTestCase


class KeepAliveTestCase(ServerTestCase):
    """Looks at pings, and at what becomes of connections."""

    def watched(self, **options: Any) -> Any:
        """A client that is ready, and what ``disconnect`` listeners hear."""
        client = self.ready(**options)
        self.disconnects = Calls()
        client.on("disconnect", self.disconnects)
        return client

    @property
    def pings(self) -> list[Any]:
        """The pings that the newest session got."""
        return [message for message in self.session.received if message["rpc"] == "_ping"]

    def answer_all(self) -> None:
        """Answer pings from now on."""
        self.server.respond = lambda session, message: session.answer(message)


class PingTests(KeepAliveTestCase):
    """``ping``: a call every so often."""

    def test_form(self) -> None:
        """It is the call that the JavaScript clients make."""
        self.watched(ping=5)
        self.advance(5)
        (ping,) = self.pings
        self.assertEqual(ping, {"rpc": "_ping", "req": {}, "uuid": ping["uuid"]})

    def test_answered(self) -> None:
        """Answered pings keep the connection, and go on."""
        client = self.watched(ping=5, ping_timeout=3)
        self.answer_all()
        self.advance(61)
        self.assertEqual(len(self.pings), 12)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])

    def test_any_answer_will_do(self) -> None:
        """ "Function not found" proves life as well."""
        client = self.watched(ping=5, ping_timeout=3)
        self.server.respond = lambda session, message: session.refuse(
            message, "Function not found"
        )
        self.advance(60)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])

    def test_unanswered(self) -> None:
        """No answer in time: calls fail, and the connection is made again."""
        client = self.watched(ping=5, ping_timeout=3)
        call = client.rpc("f")
        self.advance(7.9)
        self.pending(call)
        self.advance(0.1)
        self.failure(call, ConnectionLost)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])
        self.assertIn("3 seconds", str(self.disconnects[0]))
        self.assertEqual(self.server.open_connections, 0)
        self.advance(0.1)
        self.assertTrue(client.connected)

    def test_other_traffic_is_no_answer(self) -> None:
        """What else the server sends does not stand for the answer."""
        self.watched(ping=5, ping_timeout=3)
        for _ in range(8):
            self.advance(1)
            self.session.publish("c", 1)
            self.session.answer({"rpc": "_ping", "uuid": "other"})
        self.settle()
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_one_at_a_time(self) -> None:
        """While one waits for its answer, no other is sent."""
        self.watched(ping=1, ping_timeout=5)
        self.advance(5.5)
        self.assertEqual(len(self.pings), 1)
        self.session.answer(self.pings[0])
        self.advance(1)
        self.assertEqual(len(self.pings), 2)

    def test_not_before_auth(self) -> None:
        """Before the answer to auth nothing may be sent."""
        self.server.script(auth="ignore")
        self.started(ping=1, silence_timeout=1)
        self.advance(20)
        self.assertEqual([m["rpc"] for m in self.session.messages], ["auth"])

    def test_stops_with_the_connection(self) -> None:
        """Without a connection nothing is pinged, and no timer is left."""
        client = self.watched(ping=5)
        self.advance(6)
        client.end()
        self.settle()
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])

    def test_paused_reading_is_not_judged(self) -> None:
        """What is not read cannot be heard: a slow reader does not lose its connection."""
        client = self.watched(ping=5, ping_timeout=3, silence_timeout=10, buffer_limit=1)
        self.answer_all()
        subscribing = client.subscribe("c")
        self.settle()
        self.session.subscribed("c")
        self.settle()
        iterator = aiter(self.successResultOf(subscribing))
        self.advance(4.9)
        self.session.publish("c", 1)
        self.advance(100)
        self.assertEqual(self.disconnects, [])
        del iterator
        self.advance(20)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])

    def test_paused_while_it_waits(self) -> None:
        """A ping whose answer cannot be read for now has its time when it can."""
        client = self.watched(ping=5, ping_timeout=3, buffer_limit=1)
        subscribing = client.subscribe("c")
        self.settle()
        self.session.subscribed("c")
        self.settle()
        iterator = aiter(self.successResultOf(subscribing))
        self.advance(5)
        self.session.publish("c", 1)
        self.settle()
        self.session.answer(self.pings[0])
        self.advance(20)
        self.assertEqual(self.disconnects, [])
        del iterator
        self.server.respond = lambda session, message: session.answer(message)
        self.advance(20)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])


class SilenceTests(KeepAliveTestCase):
    """``silence_timeout``: nothing at all is heard."""

    def test_on_by_default(self) -> None:
        """After a minute of silence a probe is sent, ten seconds later it is over."""
        client = self.watched(silence_timeout=60)
        self.advance(59)
        self.assertEqual(self.pings, [])
        self.advance(1)
        self.assertEqual(len(self.pings), 1)
        self.advance(9.9)
        self.assertTrue(client.connected)
        self.advance(0.1)
        self.assertFalse(client.connected)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])
        self.assertIn("70 seconds", str(self.disconnects[0]))

    def test_begins_with_the_last_sign(self) -> None:
        """It is counted from the last frame, to a quarter: not from a look that came late."""
        client = self.watched(silence_timeout=60)
        self.advance(1)
        self.session.publish("c", 1)
        self.advance(75)
        self.assertEqual(len(self.pings), 1)
        self.advance(9)
        self.assertFalse(client.connected)

    def test_probe_answered(self) -> None:
        """An answered probe keeps the connection; each silence is probed once."""
        client = self.watched(silence_timeout=60)
        self.answer_all()
        self.advance(600)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])
        self.assertIn(len(self.pings), range(8, 11))

    def test_anything_is_a_sign_of_life(self) -> None:
        """Messages, heartbeats, WebSocket pings: where they come, nothing is asked."""
        signs: list[Any] = [
            lambda: self.session.publish("c", 1),
            lambda: self.session.send_frame("h"),
            lambda: self.session.ping(),
            lambda: self.session.send_frame(b"", 10),
            lambda: self.session.send_text("no JSON"),
        ]
        for sign in signs:
            client = self.watched(silence_timeout=30)
            for _ in range(10):
                self.advance(25)
                sign()
            self.settle()
            self.assertEqual((self.pings, self.disconnects), ([], []))
            client.end()
            self.settle()

    def test_anything_answers_the_probe(self) -> None:
        """After the probe, too."""
        client = self.watched(silence_timeout=30)
        for _ in range(5):
            self.advance(31)
            self.session.send_frame("h")
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])

    def test_frozen_server(self) -> None:
        """A server that does not even read is left as well."""
        client = self.watched(silence_timeout=30)
        self.session.stop_reading()
        self.advance(40)
        self.assertFalse(client.connected)

    def test_late_answer(self) -> None:
        """The answer to an old probe is no answer to a call, nor to the next ping."""
        client = self.watched(silence_timeout=30, ping=100, ping_timeout=10)
        self.advance(31)
        self.session.send_frame("h")
        self.advance(10)
        self.session.answer(self.pings[0], "late")
        self.settle()
        self.assertTrue(client.connected)
        self.assertEqual(client.ignored_messages, 0)

    def test_with_ping(self) -> None:
        """Both watches together: answered pings are signs of life."""
        client = self.watched(silence_timeout=30, ping=7, ping_timeout=3)
        self.answer_all()
        self.advance(300)
        self.assertTrue(client.connected)
        self.assertEqual(self.disconnects, [])

    def test_off(self) -> None:
        """None is never."""
        client = self.watched(silence_timeout=None)
        self.advance(100_000)
        self.assertTrue(client.connected)
        self.assertEqual(self.session.received, [])


class SlowLinkTests(KeepAliveTestCase):
    """A slow link is not a dead server, in either direction."""

    def grow(self, size: int, times: int, every: float) -> None:
        """A frame that comes in parts, until the connection is lost."""
        session = self.session
        session.send_raw(b"\x81\x7e" + (size * times + 5).to_bytes(2, "big") + b'a["')
        for _ in range(times):
            if session.open:
                session.send_raw(b"x" * size)
            self.advance(every)

    def test_message_that_grows(self) -> None:
        """As long as it grows by 1 kB in the time of a silence, nothing is asked."""
        client = self.watched(silence_timeout=60)
        self.grow(600, 30, 25)
        self.assertTrue(client.connected)
        self.assertEqual((self.pings, self.disconnects), ([], []))

    def test_drip(self) -> None:
        """A message that grows by less is none."""
        self.watched(silence_timeout=60)
        self.grow(100, 12, 10)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_answer_behind_a_message(self) -> None:
        """A ping is not overdue while a message grows, behind which its answer waits."""
        client = self.watched(ping=5, ping_timeout=3)
        self.grow(60, 300, 0.2)
        self.assertTrue(client.connected)
        self.session.send_raw(b'"]\x81\x01h')
        self.advance(8)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_answer_behind_many_messages(self) -> None:
        """Nor while the link is full of short ones."""
        client = self.watched(ping=5, ping_timeout=3)
        for _ in range(40):
            self.session.publish("c", "x" * 30_000)
            self.advance(1)
        self.assertTrue(client.connected)
        self.advance(8)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_ping_behind_our_own_bytes(self) -> None:
        """A ping has the time that what was sent before takes at 25 kB/s."""
        client = self.watched(ping=5, ping_timeout=3)
        self.advance(4.9)
        call = client.rpc("f", "x" * 250_000)
        self.advance(12)
        self.pending(call)
        self.assertTrue(client.connected)
        self.advance(1.2)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])
        self.failure(call, ConnectionLost)

    def test_our_own_bytes_count_once(self) -> None:
        """They have arrived when that time is over, though the answer may take longer."""
        client = self.watched(ping=5, ping_timeout=3)
        self.advance(4.9)
        client.rpc("f", "x" * 250_000).addErrback(lambda _: None)
        self.advance(10)
        self.session.publish("c", "x" * 80_000)
        self.advance(6)
        self.assertTrue(client.connected)
        self.advance(0.3)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_what_arrived_delays_nothing(self) -> None:
        """Once a ping was answered, what was sent before it has arrived."""
        client = self.watched(ping=5, ping_timeout=3)
        self.server.respond = lambda session, message: session.answer(message)
        client.rpc("f", "x" * 250_000)
        self.advance(6)
        self.server.respond = lambda session, message: None
        self.advance(7.1)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_what_cannot_be_on_its_way(self) -> None:
        """The kernel holds 4 MiB at most, so that a lot that was sent delays as much."""
        client = self.watched(silence_timeout=60, max_message_size=10**9)
        for _ in range(10):
            client.publish("c", "x" * 1_000_000)
            self.settle()
        self.advance(70 + 4 * 1024**2 / 25_000 - 61)
        self.assertTrue(client.connected)
        self.advance(61)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])

    def test_probe_behind_our_own_bytes(self) -> None:
        """The same goes for the probe after a silence."""
        client = self.watched(silence_timeout=30)
        self.advance(29)
        client.rpc("f", "x" * 500_000, timeout=200).addErrback(lambda _: None)
        self.advance(30)
        self.assertTrue(client.connected)
        self.advance(2)
        self.assertEqual([type(error) for error in self.disconnects], [PeerSilent])


class OptionTests(ServerTestCase):
    """Options that cannot be."""

    def test_invalid(self) -> None:
        """All are positive numbers of seconds."""
        for option in ("ping", "ping_timeout", "silence_timeout"):
            for value in (0, -1, float("nan"), float("inf"), "5", True):
                error = self.assertRaises(InvalidOption, self.client, **{option: value})
                self.assertIn(option, str(error))
