"""
One caller over HTTP cannot use up what the server takes from the bridge.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from .support import HttpTestCase, Reading, Reply

ADA = {"authorization": "Bearer s3cret"}
BOB = {"authorization": "Bearer another"}
CALL = {"rpc": "f"}
TOO_MANY = (429, "tokensock.error.too_many_requests")


class SharesTestCase(HttpTestCase):
    """With two callers, and a server that announces limits."""

    def served(self, **limits: Any) -> None:
        """The side, connected."""
        self.server.acks = True
        self.server.limits = limits
        keys = self.key("ada", "s3cret", broadcast=True), self.key("bob", "another")
        self.serve(*keys)

    def call(self, headers: dict[str, str]) -> Deferred[Reply]:
        """A call that the server has not answered."""
        self.answers.pop("f", None)
        return self.send("/call", CALL, headers=headers)

    def called(self, headers: dict[str, str]) -> int:
        """The status of a call that is answered at once."""
        self.answers["f"] = 5
        return self.ask("/call", CALL, headers=headers).status

    def refused(self, reply: Reply, why: str) -> None:
        """It was answered 429, and may come again."""
        self.assertEqual((*reply.error[:2], reply.headers["retry-after"]), (*TOO_MANY, "1"))
        self.assertIn(why, reply.error[2])


class CallTests(SharesTestCase):
    """POST."""

    def test_calls(self) -> None:
        """Who has its share under way gets 429; the other's call is sent."""
        self.served(calls=4)
        first = self.call(BOB)
        calls = [self.call(ADA) for _ in range(2)]
        self.refused(self.successResultOf(self.call(ADA)), "2 calls of this caller")
        self.refused(self.ask("/publish", {"channel": "c", "data": 1}, headers=ADA), "2 calls")
        self.refused(self.ask("/broadcast", {"data": 1}, headers=ADA), "2 calls")
        self.assertEqual(len(self.asked("f")), 3)
        self.assertEqual(self.count("ada/call", "refused"), 1)
        for request in self.requests:
            self.session.answer(request, 5)
        self.settle()
        for call in (first, *calls):
            self.assertEqual(self.successResultOf(call).status, 200)
        self.assertEqual(self.called(ADA), 200)

    def test_given_back(self) -> None:
        """
        With an answer of any kind; where the caller leaves, or waits no longer, when the server
        will have answered.
        """
        self.served(calls=1)
        for _ in range(2):
            left = self.call(ADA)
            self.assertEqual(self.called(ADA), 429)
            left.cancel()
            self.failureResultOf(left)
            self.settle()
            self.assertEqual(self.called(ADA), 429)
            self.session.answer(self.requests[-1])
            self.advance(60)
            refused = self.call(ADA)
            self.session.refuse(self.requests[-1], "no")
            self.settle()
            self.assertEqual(self.successResultOf(refused).status, 502)
            late = self.send("/call", {**CALL, "timeout": 20}, headers=ADA)
            self.advance(20)
            self.assertEqual(self.successResultOf(late).status, 504)
            self.assertEqual(self.called(ADA), 429)
            self.session.answer(self.requests[-1])
            self.advance(40)
        self.assertEqual(self.called(ADA), 200)

    def test_loss(self) -> None:
        """The loss of the upstream gives back what was under way."""
        self.served(calls=1)
        for _ in range(2):
            lost = self.call(ADA)
            self.session.drop()
            self.settle()
            self.assertEqual(self.successResultOf(lost).status, 503)
            self.advance(1)
        self.assertEqual(self.called(ADA), 200)

    def test_rate(self) -> None:
        """A flood of one is answered 429, and is nobody else's."""
        self.served(messages_per_second=1, message_burst=20)
        self.assertEqual(self.called(BOB), 200)
        statuses = [self.called(ADA) for _ in range(50)]
        self.assertEqual(statuses, [200] * 10 + [429] * 40)
        self.assertEqual(self.called(BOB), 200)
        self.refused(self.ask("/call", CALL, headers=ADA), "limit messages_per_second")
        self.advance(2)
        self.assertEqual(self.called(ADA), 200)
        self.assertEqual(len(self.asked("f")), 13)

    def test_idempotent(self) -> None:
        """What was not sent is no answer to its key: it is sent when it comes again."""
        self.served(calls=1)
        first = self.call(ADA)
        again = {**ADA, "idempotency-key": "k"}
        self.assertEqual(self.ask("/call", CALL, headers=again).status, 429)
        self.session.answer(self.requests[-1], 5)
        self.settle()
        self.assertEqual(self.successResultOf(first).status, 200)
        for _ in range(2):
            self.assertEqual(self.called(again), 200)
        self.assertEqual(len(self.asked("f")), 2)

    def test_addresses(self) -> None:
        """Without keys, an address is a caller."""
        self.server.limits = {"calls": 1}
        self.serve(hosts=("bridge.test",))
        call = self.call({})
        self.assertEqual(self.ask("/call", CALL).status, 429)
        call.cancel()
        self.failureResultOf(call)

    def test_nothing_announced(self) -> None:
        """A server that announces nothing has what the configuration allows."""
        self.serve(self.key("ada", "s3cret", concurrency=100))
        calls = [self.call(ADA) for _ in range(100)]
        self.assertEqual(len(self.asked("f")), 100)
        self.assertEqual(self.successResultOf(self.call(ADA)).error[2][:12], "100 requests")
        for call in calls:
            call.cancel()
            self.failureResultOf(call)


class StreamTests(SharesTestCase):
    """GET /events."""

    def stream(self, headers: dict[str, str], *channels: str) -> Reading:
        """A reader of these channels."""
        query = "&".join(f"channel={channel}" for channel in channels)
        return self.read(f"/events?{query}", headers)

    def refusal(self, headers: dict[str, str], *channels: str) -> Reply:
        """The answer to one who gets none."""
        query = "&".join(f"channel={channel}" for channel in channels)
        return self.get(f"/events?{query}", headers)

    def test_sixteenth(self) -> None:
        """Fifteen streams of 64 channels are within 1,000, the sixteenth is not."""
        self.served(channels=1000)
        names = [[f"{stream}-{number}" for number in range(64)] for stream in range(16)]
        streams = [self.stream(ADA, *channels) for channels in names[:15]]
        self.assertEqual([stream.status for stream in streams], [200] * 15)
        self.refused(self.refusal(ADA, *names[15]), "1000 channels")
        self.assertEqual(len(self.asked("_subscribe")), 960)
        self.assertEqual(self.stream(ADA, *names[0]).status, 200)  # others have them already
        self.assertEqual(self.stream(BOB, "more").status, 200)
        self.assertTrue(self.upstream.connected)

    def test_given_back(self) -> None:
        """With the end of the stream, whoever ends it, time after time."""
        self.served(channels=1)
        for _ in range(3):
            self.assertEqual(self.stream(ADA, "c").status, 200)
            self.assertEqual(self.refusal(ADA, "d").status, 429)
            self.end_readers()
            self.assertEqual(self.stream(ADA, "d").status, 200)
            self.end_readers()

    def end_readers(self) -> None:
        """All HTTP clients are gone."""
        self.side.site.abort_connections()
        self.settle()

    def test_not_confirmed(self) -> None:
        """A reader that leaves before the server has confirmed, and one that is refused."""
        self.served(channels=1)
        self.answers["_subscribe"] = Exception("no")
        self.assertEqual(self.refusal(ADA, "c").status, 502)
        self.server.respond = lambda session, message: self.requests.append(message)
        waiting = self.stream(ADA, "c")
        self.assertIsNone(waiting.status)
        self.assertEqual(self.refusal(ADA, "d").status, 429)
        self.end_readers()
        waiting = self.stream(ADA, "d")  # the server may have the other one yet
        self.assertIsNone(waiting.status)
        del self.answers["_subscribe"]
        self.server.respond = self.respond
        self.session.subscribed("c")
        self.settle()
        self.assertEqual(self.asked("_unsubscribe"), [{"channel": "c"}])
        self.assertEqual(waiting.status, 200)
        self.end_readers()
        self.assertEqual(self.stream(ADA, "d").status, 200)

    def test_across_connections(self) -> None:
        """A stream that outlives the connection still has its channels on the next."""
        self.served(channels=1)
        self.assertEqual(self.stream(ADA, "c").status, 200)
        self.session.drop()
        self.advance(1)
        self.assertTrue(self.upstream.connected)
        self.assertEqual(self.refusal(ADA, "d").status, 429)

    def test_give_way(self) -> None:
        """A reader who comes later has a share, too: the latest streams of the other end."""
        self.served(channels=10)
        streams = [self.stream(ADA, f"a{number}", f"b{number}") for number in range(4)]
        many = self.stream(BOB, "c", "d", "e", "f")
        self.assertEqual(many.status, 200)
        self.assertEqual([stream.over for stream in streams], [False, False, False, True])
        (end,) = streams[3].events
        self.assertEqual(end, ("end", {"reason": "others have less than their share of channels"}))
        self.assertEqual(len(self.upstream.channels()), 10)
        self.refused(self.refusal(ADA, "a3"), "5 channels")
        self.refused(self.refusal(BOB, "g", "h"), "5 channels")
        self.assertFalse(many.over)
