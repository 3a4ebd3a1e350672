"""``/events``: channels as Server-Sent Events."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher

from txtokensock.bridge.config.http import HttpConfig

from .support import HttpTestCase, Reading


class EventsTestCase(HttpTestCase):
    """With a few more words for it."""

    def publish(self, channel: str, message: Any) -> None:
        """A message comes from the server."""
        self.session.publish(channel, message)
        self.settle()

    def network_end(self, number: int = -1) -> Any:
        """The client's end of a connection."""
        return self.network.connections[number][0]


class MessageTests(EventsTestCase):
    """What is read."""

    def test_messages(self) -> None:
        """Each message is an event, with its channel; what the header says is not stored."""
        self.serve()
        reading = self.read("/events?channel=a&channel=b")
        self.assertEqual((reading.status, reading.events), (200, []))
        self.assertEqual(reading.headers["content-type"], "text/event-stream")
        self.assertEqual(reading.headers["cache-control"], "no-store")
        self.assertEqual(reading.headers["x-accel-buffering"], "no")
        messages = [
            ("a", 1),
            ("b", {"x": "line\nbreak\r\u2028"}),
            ("a", None),
            ("c", 3),
            ("b", "é"),
        ]
        for channel, message in messages:
            self.publish(channel, message)
        self.assertEqual(
            reading.events,
            [("message", {"channel": c, "message": m}) for c, m in messages if c != "c"],
        )

    def test_head(self) -> None:
        """``HEAD`` is answered with what a stream begins with, and is over."""
        self.serve()
        head = b"HEAD /events?channel=a HTTP/1.1\r\nHost: localhost\r\n\r\n"
        received = self.raw(head + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        first, second = received.split(b"\r\n\r\n", 1)
        self.assertIn(b"text/event-stream", first)
        self.assertTrue(second.startswith(b"HTTP/1.1 200 OK"), second)
        self.assertEqual(self.upstream.channels(), [])

    def test_shared(self) -> None:
        """However many read it, a channel is subscribed to once, and until the last leaves."""
        self.serve()
        readings = [self.read("/events?channel=a") for _ in range(3)]
        self.assertEqual(self.asked("_subscribe"), [{"channel": "a"}])
        self.publish("a", 1)
        self.assertEqual([len(reading.events) for reading in readings], [1, 1, 1])
        for number in range(3):
            self.assertEqual(self.asked("_unsubscribe"), [])
            self.network_end(number).abortConnection()
            self.settle()
        self.assertEqual(self.asked("_unsubscribe"), [{"channel": "a"}])
        self.assertEqual(self.upstream.channels(), [])
        self.read("/events?channel=a")
        self.assertEqual(len(self.asked("_subscribe")), 2)

    def test_bad_channels(self) -> None:
        """400 for none, too many, or such as there are not; 403 for those of others."""
        self.serve()
        many = "&".join(f"channel={number}" for number in range(65))
        for query in ("", "?channel=", "?channel=___all___", "?channel=%ff", f"?{many}"):
            self.assertEqual(self.get(f"/events{query}").status, 400, query)
        self.side.reload(HttpConfig(keys=(self.key("a", "secret", channels=("a",)),)))
        headers = {"authorization": "Bearer secret"}
        self.assertEqual(self.get("/events?channel=a&channel=b", headers).status, 403)
        self.assertEqual(self.asked("_subscribe"), [])

    def test_same_twice(self) -> None:
        """A channel that is named twice is read once."""
        self.serve()
        reading = self.read("/events?channel=a&channel=a")
        self.publish("a", 1)
        self.assertEqual(len(reading.events), 1)


class BeginTests(EventsTestCase):
    """Until the server has agreed, nothing is said."""

    def test_not_connected(self) -> None:
        """503 at once."""
        self.serve(connected=False)
        self.assertEqual(self.get("/events?channel=a").error[:2], (503, "wamp.error.unavailable"))

    def test_refused(self) -> None:
        """403, to all who wait for it; and the other channel is given back."""
        self.serve()
        self.answers["_subscribe"] = Exception("Forbidden")
        self.assertEqual(
            self.get("/events?channel=a").error, (403, "tokensock.error.forbidden", "Forbidden")
        )
        self.assertEqual(self.get("/events?channel=a&channel=b").status, 403)
        self.assertEqual(self.upstream.channels(), [])

    def test_one_refused(self) -> None:
        """One that is refused is waited for no longer than the first refusal."""
        self.serve()

        def respond(session: Any, message: Any) -> None:
            self.requests.append(message)
            if message["req"]["channel"] == "a":
                session.refuse(message, "no")

        self.server.respond = respond
        self.assertEqual(self.get("/events?channel=a&channel=b").status, 502)
        self.assertEqual(self.upstream.channels(), [])

    def test_wait(self) -> None:
        """Two ask while the server thinks: one subscription; one gives up: the other stays."""
        self.serve()
        self.answers["_subscribe"] = None  # an answer that is none yet
        self.server.respond = lambda session, message: self.requests.append(message)
        first, second = self.read("/events?channel=a"), self.read("/events?channel=a")
        self.assertEqual((first.status, second.status), (None, None))
        self.network_end(0).abortConnection()
        self.settle()
        self.session.subscribed("a")
        self.settle()
        self.assertEqual((second.status, len(self.asked("_subscribe"))), (200, 1))

    def test_nobody_waits(self) -> None:
        """All give up before the server agrees: it is taken back, and can be asked again."""
        self.serve()
        self.server.respond = lambda session, message: self.requests.append(message)
        self.read("/events?channel=a")
        self.network_end().abortConnection()
        self.settle()
        self.assertEqual(self.upstream.channels(), [])
        self.session.subscribed("a")
        self.settle()
        self.session.unsubscribed("a")
        self.server.respond = self.respond
        self.settle()
        self.assertEqual(self.read("/events?channel=a").status, 200)

    def test_timeout(self) -> None:
        """A server that does not answer: 504."""
        self.serve()
        self.server.respond = lambda session, message: self.requests.append(message)
        reading = self.read("/events?channel=a")
        self.advance(20.1)
        self.assertEqual(reading.status, 504)

    def test_messages_between(self) -> None:
        """What comes on one channel before the other is agreed to waits for the headers."""
        self.serve()
        self.server.respond = lambda session, message: self.requests.append(message)
        reading = self.read("/events?channel=a&channel=b")
        self.session.subscribed("a")
        self.settle()
        self.publish("a", 1)
        self.assertIsNone(reading.status)
        self.session.subscribed("b")
        self.settle()
        self.assertEqual(reading.events, [("message", {"channel": "a", "message": 1})])

    def test_ended_before_it_begins(self) -> None:
        """The server ends one channel while the other is not agreed to: no stream begins."""
        self.serve()
        self.server.respond = lambda session, message: self.requests.append(message)
        reading = self.read("/events?channel=a&channel=b")
        self.session.subscribed("a")
        self.settle()
        self.session.unsubscribed("a")
        self.settle()
        self.session.subscribed("b")
        self.settle()
        self.assertEqual((reading.status, reading.over), (503, True))
        self.session.unsubscribed("b")
        self.settle()
        self.assertEqual(self.upstream.channels(), [])

    def test_limit(self) -> None:
        """429 for one stream too many of a key."""
        self.serve(self.key("a", "secret-a", streams=1))
        headers = {"authorization": "Bearer secret-a"}
        reading = self.read("/events?channel=a", headers)
        self.assertEqual(self.get("/events?channel=a", headers).status, 429)
        self.network_end(0).abortConnection()
        self.settle()
        self.assertTrue(reading.over)
        self.assertEqual(self.read("/events?channel=a", headers).status, 200)


class LastTests(EventsTestCase):
    """A stream that is read for long."""

    def test_heartbeats(self) -> None:
        """Comments come while nothing else does."""
        self.serve(heartbeat=5.0)
        reading = self.read("/events?channel=a")
        self.advance(16)
        self.assertEqual((reading.heartbeats, reading.events), (3, []))

    def test_upstream_lost(self) -> None:
        """The stream stays, says that something may be missing, and goes on."""
        self.serve()
        reading = self.read("/events?channel=a")
        self.session.drop()
        self.settle()
        self.advance(1)
        self.publish("a", 2)
        names = [name for name, _ in reading.events]
        self.assertEqual(names, ["disconnect", "reconnect", "message"])
        self.assertFalse(reading.over)

    def test_refused_for_a_while(self) -> None:
        """A refusal that passes, after a reconnect, does not end the stream."""
        self.serve()
        reading = self.read("/events?channel=a")
        self.answers["_subscribe"] = Exception("the store cannot be reached")
        self.session.drop()
        self.advance(0.1)
        self.assertEqual([name for name, _ in reading.events], ["disconnect", "reconnect"])
        del self.answers["_subscribe"]
        self.advance(0.1)
        self.publish("a", 1)
        self.assertEqual(reading.events[2:], [("message", {"channel": "a", "message": 1})])

    def test_ended_by_server(self) -> None:
        """The stream ends with the reason."""
        self.serve()
        reading = self.read("/events?channel=a&channel=b")
        self.session.unsubscribed("a")
        self.settle()
        [(name, data)] = reading.events
        self.assertEqual((name, data["channel"]), ("end", "a"))
        self.assertIn("ended the subscription", data["reason"])
        self.assertTrue(reading.over)
        self.assertEqual(self.asked("_unsubscribe"), [{"channel": "b"}])

    def test_key_changed(self) -> None:
        """By reload: streams of keys that changed end, others go on."""
        a, b = self.key("a", "secret-a"), self.key("b", "secret-b")
        self.serve(a, b)
        readings = [
            self.read("/events?channel=a", {"authorization": f"Bearer secret-{name}"})
            for name in "ab"
        ]
        self.environment["KEY_a"] = "other"
        self.side.reload(HttpConfig(keys=(a, b), heartbeat=1.0))
        self.settle()
        self.assertEqual([reading.over for reading in readings], [True, False])
        self.assertEqual(readings[0].events, [("end", {"reason": "the key has changed"})])
        self.advance(2.5)
        self.assertEqual(readings[1].heartbeats, 2)

    def test_key_needed(self) -> None:
        """By reload: who needed no key needs one now."""
        self.serve()
        reading = self.read("/events?channel=a")
        self.side.reload(HttpConfig(keys=(self.key("a", "secret-a"),)))
        self.settle()
        self.assertTrue(reading.over)

    def test_slow_reader(self) -> None:
        """What waits for one is bounded, what is lost is said; others lose nothing."""
        logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.serve(stream_buffer=10_000)
        slow, fast = self.read("/events?channel=a"), self.read("/events?channel=a")
        self.network_end(0).pauseProducing()
        for number in range(300):
            self.publish("a", [number, "x" * 1000])
        self.assertEqual(len(fast.events), 300)
        self.network_end(0).resumeProducing()
        self.settle()
        self._check_gap(slow)
        self.publish("a", "after")
        self.assertEqual(slow.events[-1], ("message", {"channel": "a", "message": "after"}))
        self.assertEqual(
            len([event for event in logged if event.get("event") == "http.slow_reader"]), 1
        )

    def _check_gap(self, slow: Reading) -> None:
        names = [name for name, _ in slow.events]
        self.assertEqual(names.count("gap"), 1)
        dropped = slow.events[names.index("gap")][1]["dropped"]
        self.assertEqual(names.count("message") + dropped, 300)
        self.assertEqual(self.count("anybody/events", "dropped"), dropped)
        self.assertEqual(slow.events[-1][1]["message"][0], 299)

    def test_reader_that_takes_nothing(self) -> None:
        """It is dropped after a while."""
        self.serve(stream_timeout=60.0, heartbeat=15.0)
        reading = self.read("/events?channel=a")
        self.network_end().pauseProducing()
        for number in range(100):
            self.publish("a", [number, "x" * 1000])
        self.advance(59)
        self.assertEqual(len(self.network.open), 1)
        self.advance(17)
        self.network_end().resumeProducing()
        self.settle()
        self.assertEqual((reading.over, self.network.open), (True, []))
        self.assertEqual(self.upstream.channels(), [])
