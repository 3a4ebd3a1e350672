"""
A reload that changes limits: they hold for what comes from then on.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred

from txtokensock.bridge.config.http import HttpConfig

from .support import HttpTestCase, Reply

CALL = {"rpc": "f"}
ADA = {"authorization": "Bearer s3cret"}


class LoweredTests(HttpTestCase):
    """Each limit, lowered while it is used and raised again."""

    def reload(self, *keys: Any, **options: Any) -> None:
        """Other limits."""
        options.setdefault("signed_requests", self.side._section.signed_requests)
        authentication = "keys" if keys else "none"
        self.side.reload(HttpConfig(keys=keys, authentication=authentication, **options))
        self.settle()

    def answer_all(self, calls: list[Deferred[Reply]]) -> None:
        """The server answers what it was asked for, and each caller gets that."""
        for request in self.requests[-len(calls) :]:
            self.session.answer(request, 1)
        self.settle()
        for call in calls:
            self.assertEqual(self.successResultOf(call).status, 200)

    def test_body(self) -> None:
        """Also for the next request of a connection that is open already."""
        self.answers["f"] = 1
        self.serve()
        body = b'{"rpc":"f"}' + b" " * 100
        head = (
            b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        for limit, status in ((50, 413), (1000, 200), (50, 413)):
            self.reload(body_limit=limit)
            self.assertEqual(self.ask("/call", body).status, status)
            first, rest = head + body, head + body
            self.assertEqual(self.raw(first + rest).count(b"HTTP/1.1 %d " % status), 2)

    def test_connections(self) -> None:
        """Those that are open stay, and no new one comes before there are fewer."""
        self.serve()
        calls = [self.send("/call", CALL) for _ in range(3)]
        for _ in range(2):
            self.reload(connections=2)
            self.failureResultOf(self.send("/call", CALL))
        self.answer_all(calls)
        self.side.site.close_connections()
        self.settle()
        calls = [self.send("/call", CALL) for _ in range(2)]
        self.failureResultOf(self.send("/call", CALL))
        self.reload(connections=3)
        calls.append(self.send("/call", CALL))
        self.answer_all(calls)

    def test_concurrency(self) -> None:
        """What is under way goes on, and counts."""
        wide, narrow = (self.key("ada", "s3cret", concurrency=most) for most in (4, 2))
        self.serve(wide)
        calls = [self.send("/call", CALL, headers=ADA) for _ in range(4)]
        self.reload(narrow)
        self.assertEqual(self.ask("/call", CALL, headers=ADA).status, 429)
        self.answer_all(calls)
        calls = [self.send("/call", CALL, headers=ADA) for _ in range(2)]
        self.assertEqual(self.ask("/call", CALL, headers=ADA).status, 429)
        self.reload(wide)
        calls.append(self.send("/call", CALL, headers=ADA))
        self.answer_all(calls)

    def test_queue(self) -> None:
        """Publishes that wait stay, also where they are too many now."""
        self.serve(connected=False)
        publish = {"channel": "c", "data": 1}
        for _ in range(3):
            self.assertEqual(self.ask("/publish", publish).status, 202)
        for limits in ({"queue_limit": 2}, {"queue_bytes": 10}):
            self.reload(**limits)
            self.assertEqual(self.ask("/publish", publish).status, 503)
        self.upstream.startService()
        self.settle()
        self.assertEqual(len(self.asked("_publish")), 3)
        self.assertEqual(self.count("anybody/publish", "out"), 3)

    def test_idempotency(self) -> None:
        """Answers that are too many now make room for the next."""
        self.answers["f"] = 1
        self.serve()
        for number in range(5):
            self.ask("/call", CALL, headers={"idempotency-key": f"{number}"})
        self.reload(idempotency_limit=2)
        self.ask("/call", CALL, headers={"idempotency-key": "new"})
        self.assertEqual(len(self.side._pages.answered), 2)
        for kept, asked in (("4", 6), ("new", 6), ("0", 7)):
            self.ask("/call", CALL, headers={"idempotency-key": kept})
            self.assertEqual(len(self.asked("f")), asked)
