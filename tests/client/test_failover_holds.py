"""
Several servers, of which one asks for time, refuses, or cannot be used: it is passed over.
"""

from __future__ import annotations

import math
from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import Backoff
from txtokensock.client.failover import FailoverEndpoint
from txtokensock.errors import (
    AllHostsFailed,
    ClientClosed,
    ConnectFailed,
    InvalidOption,
    TokenRefused,
    TokenServerError,
)

from ..common import BACKOFF, Calls
from .hosts import HostsTestCase

FACTORY = Factory.forProtocol(Protocol)
FAULT = ConnectFailed("x", "connect")
REFUSED = TokenRefused("x", 403)
BUSY = TokenServerError("x", 503, retry_after=3.0)
GONE = TokenServerError("x", 410)


class RuleTests(SynchronousTestCase):
    """``Backoff.hold``, and what ``Backoff.retry`` makes of what remains of it."""

    def test_hold(self) -> None:
        """It is what a single host would be waited for, and nothing after a fault."""
        for error, expected in (
            (FAULT, 0.0),
            (RuntimeError("a bug"), 0.0),
            (BUSY, 3.4),
            (REFUSED, 60.0),
            (GONE, math.inf),
            (InvalidOption("x"), math.inf),
        ):
            self.assertEqual(BACKOFF.hold(error, 3), expected, error)
            if expected:
                wait = BACKOFF.retry(Failure(error), 3)
                self.assertEqual(math.inf if wait is None else wait, expected)

    def test_remaining(self) -> None:
        """The least of what remains decides; a fault waits as ever; for good is None."""
        for errors, holds, expected in (
            ({"a": REFUSED, "b": BUSY}, {"a": 20.0, "b": 30.0}, 20.0),
            ({"a": REFUSED, "b": FAULT}, {"a": 20.0}, 0.4),
            ({"a": REFUSED, "b": FAULT}, {"a": 0.2}, 0.2),
            ({"a": GONE, "b": BUSY}, {"a": math.inf, "b": 0.0}, 0.0),
            ({"a": GONE, "b": GONE}, {"a": math.inf, "b": math.inf}, None),
        ):
            failure = Failure(AllHostsFailed(errors, holds))
            self.assertEqual(BACKOFF.retry(failure, 3), expected, errors)


class EndpointTests(SynchronousTestCase):
    """``FailoverEndpoint`` with ``hold``."""

    def endpoint(self, hold: Any = BACKOFF.hold, **outcomes: Any) -> FailoverEndpoint:
        """Of these hosts: an error, or None for one that can be connected to."""
        self.clock, self.asked = Clock(), Calls()
        self.outcomes: dict[str, Exception | None] = outcomes
        return FailoverEndpoint(
            self.clock, {name: _Scripted(self, name) for name in outcomes}, hold=hold
        )

    def attempt(self, endpoint: FailoverEndpoint) -> list[str]:
        """Which hosts it tries now."""
        self.asked.clear()
        self.failure: Any = None
        endpoint.connect(FACTORY).addErrback(lambda failure: setattr(self, "failure", failure))
        return list(self.asked)

    def test_passed_over(self) -> None:
        """Until its time has come, and then it is tried in its turn."""
        endpoint = self.endpoint(a=BUSY, b=FAULT, c=FAULT)
        self.assertEqual(self.attempt(endpoint), ["a", "b", "c"])
        self.clock.advance(3.0)
        self.assertEqual(self.attempt(endpoint), ["b", "c"])
        self.clock.advance(0.125)
        self.assertEqual(self.attempt(endpoint), ["a", "b", "c"])

    def test_errors(self) -> None:
        """The error is of all: what was passed over comes first, with its error."""
        endpoint = self.endpoint(a=FAULT, b=REFUSED, c=GONE)
        self.attempt(endpoint)
        self.clock.advance(20)
        self.assertEqual(self.attempt(endpoint), ["a"])
        error = self.failure.value
        self.assertEqual(list(error.errors.items()), [("b", REFUSED), ("c", GONE), ("a", FAULT)])
        self.assertEqual(error.holds, {"b": 40.0, "c": math.inf})
        self.assertIs(error.__cause__, FAULT)

    def test_nothing_else(self) -> None:
        """Where all are held, the one whose time comes first is tried."""
        endpoint = self.endpoint(a=REFUSED, b=BUSY, c=GONE)
        self.attempt(endpoint)
        self.assertEqual(self.attempt(endpoint), ["b"])
        self.assertEqual(set(self.failure.value.errors), {"a", "b", "c"})

    def test_what_could_not_be_used(self) -> None:
        """It may be mended while others keep the client going: an hour later it is tried."""
        endpoint = self.endpoint(a=GONE, b=None)
        self.assertEqual(self.attempt(endpoint), ["a", "b"])
        self.clock.advance(3599)
        self.assertEqual(self.attempt(endpoint), ["b"])
        self.clock.advance(1)
        self.outcomes["b"] = FAULT
        self.assertEqual(self.attempt(endpoint), ["a", "b"])
        self.assertEqual(self.failure.value.holds, {"a": math.inf})
        self.clock.advance(3600)
        self.outcomes["a"] = None
        self.assertEqual(self.attempt(endpoint), ["a"])

    def test_fault_after_refusal(self) -> None:
        """Each failure says anew whether a host is passed over."""
        endpoint = self.endpoint(a=BUSY, b=FAULT)
        self.attempt(endpoint)
        self.clock.advance(10)
        self.outcomes["a"] = FAULT
        for _ in range(2):
            self.assertEqual(self.attempt(endpoint), ["a", "b"])
            self.assertEqual(self.failure.value.holds, {})

    def test_refusal_after_success(self) -> None:
        """Nor does it matter what came before a success."""
        endpoint = self.endpoint(a=BUSY, b=FAULT)
        self.attempt(endpoint)
        self.clock.advance(10)
        self.outcomes["a"] = None
        self.assertEqual(self.attempt(endpoint), ["a"])
        self.assertEqual(self.attempt(endpoint), ["b", "a"])

    def test_slower_and_slower(self) -> None:
        """Who fails again and again is held as a single host would be waited for."""
        endpoint = self.endpoint(a=BUSY, b=FAULT)
        for held in (3.1, 3.2, 3.4):
            self.attempt(endpoint)
            self.assertAlmostEqual(self.failure.value.holds["a"], held)
            self.clock.advance(10)
        self.outcomes["a"] = None
        self.attempt(endpoint)
        self.outcomes["a"] = BUSY
        self.attempt(endpoint)
        self.assertAlmostEqual(self.failure.value.holds["a"], 3.1)

    def test_start_over(self) -> None:
        """All are tried again, also those that were held for good."""
        endpoint = self.endpoint(a=GONE, b=REFUSED)
        self.attempt(endpoint)
        endpoint.start_over()
        self.assertEqual(self.attempt(endpoint), ["a", "b"])

    def test_without(self) -> None:
        """Without a rule, all are tried, and the error says of none that it is held."""
        endpoint = self.endpoint(hold=None, a=GONE, b=REFUSED, c=BUSY)
        for _ in range(2):
            self.assertEqual(self.attempt(endpoint), ["a", "b", "c"])
            self.assertEqual(self.failure.value.holds, {})

    def test_broken(self) -> None:
        """A rule that raises is logged, and passes over none."""
        endpoint = self.endpoint(hold=lambda error, failed: 1 / 0, a=BUSY, b=FAULT)
        for _ in range(2):
            self.assertEqual(self.attempt(endpoint), ["a", "b"])
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 2)

    def test_one(self) -> None:
        """A single host is never passed over: whoever asks for it has waited."""
        for error in (REFUSED, BUSY, GONE):
            endpoint = self.endpoint(a=error)
            for _ in range(2):
                self.assertEqual(self.attempt(endpoint), ["a"])
                self.assertIs(self.failure.value, error)


class _Scripted:
    """An endpoint of one host: it fails, or connects, at once."""

    def __init__(self, test: EndpointTests, name: str) -> None:
        self._test = test
        self._name = name

    def connect(self, protocolFactory: Any) -> Any:
        self._test.asked(self._name)
        error = self._test.outcomes[self._name]
        return succeed("protocol") if error is None else fail(error)


class ClientTests(HostsTestCase):
    """A client of three servers, of which some are merely down."""

    def count(self, seconds: float) -> int:
        """How many token requests come to the first server in that time."""
        before = len(self.a.tokens)
        for _ in range(round(seconds * 10)):
            self.advance(0.1)
        return len(self.a.tokens) - before

    def test_refused(self) -> None:
        """One that is down does not bring back the attempts at one that refuses."""
        self.a.script(token="refuse")
        self.down("b.test", "c.test")
        self.started()
        self.assertEqual(self.count(55), 0)
        self.assertEqual(self.count(40), 1)

    def test_retry_after(self) -> None:
        """Nor at one that said when to come back."""
        self.a.script(token=lambda request: request.respond(503, b"", "", "Retry-After: 3"))
        self.down("b.test", "c.test")
        self.started()
        self.assertEqual(self.count(3), 0)
        self.assertIn(self.count(9), (1, 2, 3))

    def test_gone(self) -> None:
        """Nor at one that cannot be used, and the client goes on, until all are like that."""
        self.a.script(token=lambda request: request.respond(410))
        self.down("b.test", "c.test")
        client = self.started()
        self.assertEqual(self.count(300), 0)
        for server in (self.b, self.c):
            server.script(token=lambda request: request.respond(410))
        self.up("b.test", "c.test")
        self.assertEqual(self.count(60), 0)
        closed = self.failure(client.rpc("x"), ClientClosed)
        self.assertEqual(len(closed.__cause__.errors), 3)
        self.assertEqual(list(self.reactor.getDelayedCalls()), [])

    def test_least(self) -> None:
        """Where all are held, the next attempt comes when the first may be tried."""
        self.a.script(token="refuse")
        for server, seconds in ((self.b, 20), (self.c, 5)):
            head = f"Retry-After: {seconds}"
            server.script(token=lambda request, head=head: request.respond(503, b"", "", head))
        client = self.client()
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.assertEqual(self.failure(failed, AllHostsFailed).retry_in, 5.1)
        self.attempts()
        self.advance(5.2)
        self.assertEqual(self.attempts(), ["c"])
        self.c.script()
        self.advance(5.2)
        self.assertEqual(client.connected_to, "http://c.test")

    def test_lost(self) -> None:
        """A client that lost its server comes back to that, if the others are held."""
        self.a.script(token="refuse")
        self.b.script(token=lambda request: request.respond(410))
        client = self.ready()
        for _ in range(2):
            self.attempts()
            self.advance(12)
            self.c.session.drop()
            self.advance(0.2)
            self.assertEqual((client.connected_to, self.attempts()), ("http://c.test", ["c"]))
        self.advance(60)
        self.c.session.drop()
        self.down("c.test")
        self.a.script()
        self.advance(0.2)
        self.assertEqual((client.connected_to, self.attempts()), ("http://a.test", ["a"]))

    def test_retry_policy(self) -> None:
        """Who has a policy decides alone: nothing is passed over."""
        self.a.script(token="refuse")
        self.down("b.test", "c.test")
        self.started(retry_policy=lambda failure, attempt: 1.0)
        self.assertGreater(self.count(10), 4)

    def test_retry_policy_that_asks_ours(self) -> None:
        """To such a policy, the rule answers for errors that are all new."""
        backoff = Backoff(jitter=lambda: 1.0)
        self.a.script(token="refuse")
        for server in (self.b, self.c):
            server.script(token=lambda request: request.respond(410))
        client = self.client(retry_policy=backoff.retry)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.assertEqual(self.failure(failed, AllHostsFailed).retry_in, 60.0)
