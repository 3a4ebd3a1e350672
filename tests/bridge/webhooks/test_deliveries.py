"""Messages of channels, from the server to a webhook."""

from __future__ import annotations

import json
import os
from email.utils import formatdate
from typing import Any

from twisted.internet.defer import Deferred

from tests.bridge.webhooks.support import EPOCH, WebhooksTestCase
from txtokensock.bridge.config.webhooks import WebhookBackoff
from txtokensock.bridge.webhooks.spool import Spool
from txtokensock.bridge.webhooks.webhooks_side import WebhooksSide
from txtokensock.config.section import Secret


class DeliveryTests(WebhooksTestCase):
    """What is sent, and when it is sent again."""

    def test_request(self) -> None:
        """A message is posted as the wire had it, with an id, a time, and the attempt."""
        self.start(self.rule(headers={"X-Fixed": "1"}))
        self.publish({"order": 1})
        ((method, path, headers, body),) = self.webhook.requests
        self.assertEqual((method, path), ("POST", "/in"))
        self.assertEqual(body, b'{"channel":"orders","message":{"order":1}}')
        self.assertEqual(headers["content-type"], "application/json")
        self.assertEqual(headers["x-fixed"], "1")
        self.assertEqual(headers["webhook-attempt"], "1")
        self.assertEqual(headers["webhook-timestamp"], str(int(EPOCH)))
        self.assertEqual(headers["idempotency-key"], f'"{headers["webhook-id"]}"')
        self.assertNotIn("webhook-signature", headers)
        self.assertEqual(self.rows("waiting"), [])
        self.assertEqual((self.count("in"), self.count("out"), self.spooled()), (1, 1, 0))

    def test_cannot_be_taken(self) -> None:
        """A message that the bridge fails with is logged, and the next are delivered."""
        append = Spool.append
        failing = iter([ZeroDivisionError])

        def fails_once(spool: Spool, *arguments: Any) -> None:
            for problem in failing:
                raise problem
            append(spool, *arguments)

        self.patch(Spool, "append", fails_once)
        self.start(self.rule())
        self.publish(1, 2)
        self.assertEqual(self.webhook.messages, [2])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_order(self) -> None:
        """Messages of all channels of a rule come one after the other, in order."""
        self.start(self.rule("a", "b", name="both"))
        for number in range(50):
            self.publish(number, channel="ab"[number % 2])
        self.assertEqual(self.webhook.messages, list(range(50)))
        self.assertEqual(len(set(self.webhook.ids)), 50)

    def test_one_at_a_time(self) -> None:
        """While one is not answered, the next is not sent."""
        self.webhook.answer = lambda body: None
        self.start(self.rule())
        self.publish(1, 2)
        self.assertEqual(self.webhook.messages, [1])
        self.webhook.answer = lambda body: 200
        self.webhook.held.pop().finish()
        self.settle()
        self.assertEqual(self.webhook.messages, [1, 2])

    def test_rules_are_independent(self) -> None:
        """A webhook that does not answer holds up only its own rule."""
        self.webhook.answer = lambda body: None if body["channel"] == "slow" else 200
        self.start(self.rule("slow"), self.rule("fast"), self.rule("fast", name="again"))
        self.publish(1, channel="slow")
        self.publish(2, 3, channel="fast")
        self.assertEqual(sorted(self.webhook.messages), [1, 2, 2, 3, 3])

    def test_back_off(self) -> None:
        """A message that is not accepted is sent again, later each time, the same each time."""
        self.webhook.answer = lambda body: 503
        side = self.start(self.rule(backoff=WebhookBackoff(first=1.0, cap=3.0)))
        self.publish("x")
        times = [1]
        for _ in range(9):
            self.advance(1.0)
            times.append(len(self.webhook.requests))
        self.assertEqual(times, [1, 2, 2, 3, 3, 3, 4, 4, 4, 5])
        self.assertEqual(len(set(self.webhook.ids)), 1)
        attempts = [headers["webhook-attempt"] for _, _, headers, _ in self.webhook.requests]
        self.assertEqual(attempts, ["1", "2", "3", "4", "5"])
        self.assertFalse(side.state().up)
        self.assertEqual(side.state().detail, "orders: answered 503")
        self.webhook.answer = lambda body: 200
        self.publish("y")
        self.advance(3.0)
        self.assertEqual(self.webhook.messages[-2:], ["x", "y"])
        self.assertEqual((self.count("out"), self.count("retried")), (2, 5))
        self.assertEqual((side.state().up, side.state().detail), (True, ""))

    def test_back_off_begins_anew(self) -> None:
        """What was accepted is no failure: the next one is tried again as soon as the first."""
        self.start(self.rule(backoff=WebhookBackoff(first=1.0, cap=100.0)))
        for message in range(3):
            self.webhook.answer = lambda body: 503
            before = len(self.webhook.requests)
            self.publish(message)
            for attempts, seconds in ((1, 0.0), (2, 1.0), (2, 0.9), (3, 1.1)):
                self.advance(seconds)
                self.assertEqual(len(self.webhook.requests) - before, attempts)
            self.webhook.answer = lambda body: 200
            self.advance(4.0)
            self.assertEqual(self.count("out"), message + 1)

    def test_failing_rules(self) -> None:
        """All are named, in order."""
        side = self.start(self.rule("z"), self.rule("a", name="b"), self.rule("c"))
        self.webhook.answer = lambda body: 503
        for channel in ("z", "c", "a"):
            self.publish(1, channel=channel)
        self.assertEqual(side.state().detail, "b: answered 503; c: answered 503; z: answered 503")
        self.successResultOf(self.stopping(side))
        self.assertEqual(side.state().detail, "not running")

    def stopping(self, side: WebhooksSide) -> Deferred[None]:
        """The side stops."""
        stopped = side.stopService()
        self.advance(30)
        return stopped

    def test_unreachable(self) -> None:
        """No connection is as good as no."""
        self.webhook.reachable = False
        side = self.start(self.rule())
        self.publish(1, 2)
        self.assertEqual([row[1] for row in self.rows("waiting")], [1, 0])
        self.assertIn("refused", side.state().detail)
        self.assertEqual(self.spooled(), 2)
        self.webhook.reachable = True
        self.advance(1.0)
        self.assertEqual(self.webhook.messages, [1, 2])

    def test_timeout(self) -> None:
        """No answer in time is none, and the connection is dropped; so is half an answer."""
        for answer in (None, "half"):
            self.webhook.answer = lambda body, answer=answer: answer
            side = self.start(self.rule(timeout=2.0, backoff=WebhookBackoff(first=5.0)))
            self.publish(1)
            self.advance(2.0)
            self.assertEqual(side.state().detail, "orders: no answer within 2 seconds")
            self.assertEqual(self.webhook.network.open, [])
            self.webhook.held.clear()
            self.webhook.answer = lambda body: 200
            self.advance(5.0)
            self.assertEqual(self.spooled(), 0)
            self.stop(side)

    def test_retry_after(self) -> None:
        """The webhook may ask for more time than the back-off gives, in seconds or as a date."""
        for as_date in (False, True):
            then = formatdate(EPOCH + self.clock.seconds() + 7, usegmt=True)
            value = then if as_date else "7"
            self.webhook.answer = lambda body, value=value: (429, {"Retry-After": value}, b"")
            side = self.start(self.rule(backoff=WebhookBackoff(cap=2.0)))
            self.publish(1)
            self.webhook.answer = lambda body: 200
            before = len(self.webhook.requests)
            self.advance(6.5)
            self.assertEqual(len(self.webhook.requests), before)
            self.advance(0.5)
            self.assertEqual(len(self.webhook.requests), before + 1)
            self.stop(side)

    def test_refusals(self) -> None:
        """A status that speaks of the message ends it at once; the next goes on."""
        self.webhook.answer = lambda body: (
            (422, {}, b"no such\n\x1b customer") if body["message"] == "bad" else 200
        )
        side = self.start(self.rule())
        self.publish("bad", "good")
        self.assertEqual(self.webhook.messages, ["bad", "good"])
        ((rule, attempts, error, body),) = self.rows("dead")
        self.assertEqual((rule, attempts), ("orders", 1))
        self.assertEqual(error, "answered 422: no such customer")
        self.assertEqual(json.loads(body), {"channel": "orders", "message": "bad"})
        self.assertEqual((self.count("refused"), self.count("out")), (1, 1))
        self.assertTrue(side.state().up)

    def test_redirects(self) -> None:
        """A redirect is not followed: the configuration alone says where messages go."""
        self.webhook.answer = lambda body: (302, {"Location": "http://elsewhere.test/"}, b"")
        side = self.start(self.rule())
        self.publish(1)
        self.assertEqual(len(self.webhook.requests), 1)
        self.assertEqual(side.state().detail, "orders: answered 302")
        self.webhook.answer = lambda body: 200
        self.advance(1)
        self.assertEqual(len(self.webhook.requests), 2)

    def test_addresses_and_cookies(self) -> None:
        """An IPv6 address is one; cookies are not kept, whatever is in them."""
        self.webhook.answer = lambda body: (200, {"Set-Cookie": b"a=\xff"}, b"")
        self.start(self.rule(url="http://[::1]:8080/in"))
        self.publish(1, 2)
        self.assertEqual(self.webhook.messages, [1, 2])
        for _, _, headers, _ in self.webhook.requests:
            self.assertEqual(headers["host"], "[::1]:8080")
            self.assertNotIn("cookie", headers)

    def test_giving_up(self) -> None:
        """After so many attempts, or so long, a message is a dead letter."""
        self.webhook.answer = lambda body: 500
        side = self.start(self.rule(attempts=3))
        self.publish("tries")
        self.advance(1 + 2)
        self.assertEqual([row[1] for row in self.rows("dead")], [3])
        self.stop(side)
        side = self.start(self.rule(give_up_after=10.0, backoff=WebhookBackoff(cap=4.0)))
        self.publish("age")
        self.advance(10)
        self.assertEqual(len(self.rows("dead")), 1)
        self.advance(1)
        self.assertEqual(len(self.rows("dead")), 2)
        self.assertEqual(self.count("refused"), 2)

    def test_dead_letters_are_bounded(self) -> None:
        """The oldest makes room, which is counted."""
        self.webhook.answer = lambda body: 400
        self.start(self.rule(dead_letters=2))
        self.publish(1, 2, 3)
        bodies = [json.loads(row[3])["message"] for row in self.rows("dead")]
        self.assertEqual(bodies, [2, 3])
        self.assertEqual(self.count("dropped"), 1)

    def test_signature(self) -> None:
        """The signature is Standard Webhooks', of this attempt; rotation signs with both."""
        for name, secret in (("NEW", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLjSw"), ("OLD", "old")):
            self.patch_environment(name, secret)
        self.start(self.rule(secret=Secret(env="NEW"), previous_secret=Secret(env="OLD")))
        self.publish({"order": 1})
        ((_, _, headers, _),) = self.webhook.requests
        first, second = headers["webhook-signature"].split(" ")
        self.assertTrue(first.startswith("v1,") and second.startswith("v1,") and first != second)

    def patch_environment(self, name: str, value: str) -> None:
        self.patch(os, "environ", {**os.environ, name: value})

    def test_allowed_headers(self) -> None:
        """A message sets the headers on the list, and no others, whatever it holds."""
        self.start(self.rule(allow_headers=("X-Trace", "X-Other")))
        self.publish(
            {
                "headers": {
                    "x-trace": "abc",
                    "X-Other": "a\r\nX-Evil: 1",
                    "X-Evil": "1",
                    "Host": "evil.test",
                    "Webhook-Id": "mine",
                },
                "url": "http://evil.test",
                "method": "DELETE",
            },
            {"headers": "x-trace"},
            {"headers": {"x-trace": 5}},
        )
        first, *others = [headers for _, _, headers, _ in self.webhook.requests]
        self.assertEqual(first["x-trace"], "abc")
        self.assertEqual(first["host"], "hooks.test")
        self.assertTrue(first["webhook-id"].startswith("msg_"))
        self.assertFalse({"x-other", "x-evil"} & first.keys())
        for headers in others:
            self.assertNotIn("x-trace", headers)
        self.assertEqual({method for method, *_ in self.webhook.requests}, {"POST"})

    def test_headers_allowed_no_more(self) -> None:
        """The list of the day counts, also for what was stored when there was another."""
        self.webhook.reachable = False
        side = self.start(self.rule(allow_headers=("X-Trace", "X-Other")))
        self.publish({"headers": {"x-trace": "abc", "x-other": "def"}})
        self.webhook.reachable = True
        side.reload(self.section(self.rule(allow_headers=("X-Other",))))
        self.advance(10)
        ((_, _, headers, _),) = self.webhook.requests
        self.assertEqual((headers.get("x-trace"), headers.get("x-other")), (None, "def"))

    def test_any_message(self) -> None:
        """Whatever a channel carries arrives."""
        self.start(self.rule())
        messages = [None, 0, "", "é \0 \u2028", [], {"a": [1.5, True]}, "x" * 100_000]
        self.publish(*messages)
        self.assertEqual(self.webhook.messages, messages)
