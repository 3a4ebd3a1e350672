"""
Refusals that differ from faults: what is tried again, when, and what is not.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import LogLevel, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent
from zope.interface import implementer

from txtokensock import Backoff, TokenSocket
from txtokensock.errors import (
    AllHostsFailed,
    AttemptTimeout,
    AuthenticationAborted,
    AuthenticationRefused,
    ClientClosed,
    ConnectFailed,
    ConnectionLost,
    HandshakeRefused,
    InvalidOption,
    SockJSClosed,
    SockJSRefused,
    TokenRefused,
    TokenServerError,
)

from ..common import BACKOFF, Calls, ServerTestCase


class RuleTests(SynchronousTestCase):
    """``Backoff.retry``."""

    def wait(self, error: Exception, attempt: int = 3, **options: Any) -> float | None:
        """How long it waits after ``error``; a fault waits 0.4 seconds."""
        options.setdefault("jitter", lambda: 1.0)
        return Backoff(**options).retry(Failure(error), attempt)

    def test_faults(self) -> None:
        """What passes is tried again as ``delay`` has it."""
        for error in (
            ConnectFailed("x", "connect"),
            AttemptTimeout("open", 10),
            HandshakeRefused("no HTTP"),
            AuthenticationRefused("Token not found"),
            ConnectionLost("x"),
            *(SockJSClosed(code, "x") for code in (1000, 3000, 4001, 4408, 4413, 4503)),
            RuntimeError("a bug"),
            *(TokenServerError("x", status) for status in (302, 408, 425, 500, 502, 503)),
        ):
            self.assertEqual(self.wait(error), 0.4, error)

    def test_refusals(self) -> None:
        """A no is asked again slowly, within the half of ``refused`` and the whole."""
        for error in (
            *(TokenRefused("x", status) for status in (401, 403)),
            *(TokenServerError("x", status) for status in (400, 404, 407, 429)),
            HandshakeRefused("x", status=403),
            *(SockJSRefused("x", code=code) for code in (4418, 4429)),
            *(SockJSClosed(code, "x") for code in (4418, 4429)),
        ):
            self.assertEqual(self.wait(error), 60, error)
            self.assertEqual(self.wait(error, jitter=lambda: 0.0), 30)
            self.assertEqual(self.wait(error, refused=10), 10)

    def test_never_quicker_than_a_fault(self) -> None:
        """Where the waits for faults are longer, a refusal waits no less."""
        error = TokenRefused("x", 403)
        self.assertEqual(self.wait(error, 9, cap=100, first=100, refused=2), 100)

    def test_retry_after(self) -> None:
        """What the server asks for, within reason, and a fault's wait on top."""
        for status in (429, 503):
            error = TokenServerError("x", status, retry_after=120)
            self.assertEqual(self.wait(error), 120.4)
            self.assertEqual(self.wait(error, longest_retry_after=50), 50.4)
        self.assertEqual(self.wait(HandshakeRefused("x", status=503, retry_after=5.0)), 5.4)
        self.assertEqual(self.wait(TokenServerError("x", 429, retry_after=0.0)), 0.4)

    def test_permanent(self) -> None:
        """What no retry mends gives up."""
        for error in (
            *(TokenServerError("x", status) for status in (301, 308, 410)),
            TokenServerError("x", 301, retry_after=5),
            InvalidOption("x"),
        ):
            self.assertIsNone(self.wait(error), error)

    def test_hosts(self) -> None:
        """Of several hosts, the one that may be tried first decides; all, where none may."""
        gone, slow = TokenServerError("x", 410), TokenRefused("x", 403)
        fault = ConnectFailed("x", "connect")
        self.assertEqual(self.wait(AllHostsFailed({"a": slow, "b": fault, "c": gone})), 0.4)
        self.assertEqual(self.wait(AllHostsFailed({"a": slow, "b": gone})), 60)
        self.assertIsNone(self.wait(AllHostsFailed({"a": gone, "b": gone})))

    def test_hosts_are_one_fault(self) -> None:
        """The chance is taken once, or many hosts would make the wait ever shorter."""
        jitter = Calls()
        policy = Backoff(jitter=lambda: cast("float", jitter() or 0.5))
        errors = {name: ConnectFailed("x", "connect") for name in "abcdef"}
        self.assertEqual(policy.retry(Failure(AllHostsFailed(errors)), 1), 0.05)
        self.assertEqual(len(jitter), 1)

    def test_options(self) -> None:
        """Both new waits must be some."""
        for name in ("refused", "longest_retry_after"):
            for value in (0, -1, float("nan"), "1", None):
                options: Any = {name: value}
                self.assertIn(name, str(self.assertRaises(InvalidOption, Backoff, **options)))


class ClientTests(ServerTestCase):
    """What a client makes of it."""

    def test_refused(self) -> None:
        """403 keeps trying, slowly, and says to all who hear of it when."""
        self.server.script(token="refuse")
        client, heard = self.client(), Calls()
        client.ready(heard)
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        error = self.failure(failed, TokenRefused)
        self.assertEqual((heard, error.retry_in), ([error], 60.0))
        self.server.script()
        self.advance(59.9)
        self.assertEqual(len(self.server.tokens), 1)
        self.advance(0.2)
        self.assertTrue(client.connected)
        self.assertEqual(heard[1:], [None])

    def test_too_many_connections(self) -> None:
        """A server that closes for it before it answers auth is left alone for a while."""
        self.server.script(auth=lambda session: session.close(4418, "Too many"))
        client = self.client()
        failed = client.when_ready(fail_after=1)
        client.startService()
        self.settle()
        self.assertEqual(self.failure(failed, AuthenticationAborted).retry_in, 60.0)
        self.advance(59)
        self.assertEqual(len(self.server.tokens), 1)

    def test_log(self) -> None:
        """The log says when the next attempt is."""
        lines: list[str | None] = []
        observe: Any = lambda event: lines.append(formatEvent(event))  # noqa: E731
        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        self.server.script(token="refuse")
        self.started()
        line = next(line for line in lines if line and "cannot connect" in line)
        self.assertTrue(line.endswith("refused us: 403: Forbidden; next attempt in 60 s"), line)

    def test_log_levels(self) -> None:
        """A reason is a warning, or information where a listener is told, until it changes."""
        for listeners, new in ((False, LogLevel.warn), (True, LogLevel.info)):
            logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
            self.server.script(connect="refuse")
            client = self.client()
            if listeners:
                client.ready(Calls())
                client.on("reconnect", Calls())
            client.startService()
            self.advance(1)
            self.server.script(token="refuse")
            self.advance(5)
            self.server.script()
            self.advance(61)
            self.server.script(connect="refuse")
            self.session.drop()
            self.advance(30)
            levels = [
                event["log_level"]
                for event in logged
                if event.get("event") == "client.not_connected"
            ]
            shown = [level for level in levels if level is not LogLevel.debug]
            self.assertEqual(shown, [new] * 3)
            self.assertGreater(len(levels), 5)
            ended = client.end()
            self.advance(5)
            self.successResultOf(ended)

    def test_moved(self) -> None:
        """A token route that has moved is given up, and all are told why."""
        for status in (301, 308, 410):
            self.server.script(token=lambda request, status=status: request.respond(status))
            client, errors = self.client(), Calls()
            client.on("error", errors)
            waiting, call = client.when_ready(), client.rpc("x")
            client.startService()
            self.settle()
            error = self.failure(waiting, TokenServerError)
            self.assertEqual((error.status, error.retry_in), (status, None))
            for closed in (self.failure(call, ClientClosed), *errors):
                self.assertIs(closed.__cause__, error)
            self.assertEqual(list(self.server.clock.getDelayedCalls()), [])

    def test_started_again(self) -> None:
        """A client that gave up for good reasons can be started when they are gone."""
        self.server.script(token=lambda request: request.respond(410))
        client = self.started()
        self.assertFalse(client.connected)
        self.server.script()
        client.startService()
        self.settle()
        self.assertTrue(client.connected)


@implementer(IAgent, IStreamClientEndpoint)
class Failing:
    """Fails at once."""

    def request(self, *arguments: Any) -> Any:
        """No response."""
        return fail(OSError("at once"))

    def connect(self, protocolFactory: Any) -> Any:
        """No connection."""
        return fail(OSError("at once"))


class PolicyTests(ServerTestCase):
    """``retry_policy``."""

    def test_asked(self) -> None:
        """It is given the failure and the number of the retry; its answer is waited for."""
        asked = Calls()

        def policy(failure: Failure, attempt: int) -> float:
            asked(failure.type, attempt)
            return 2.0

        self.server.script(connect="refuse")
        client = self.started(retry_policy=policy)
        ready = Calls()
        client.ready(ready)
        self.advance(1.9)
        self.assertEqual(asked, [(ConnectFailed, 1)])
        self.advance(2)
        self.assertEqual(asked, [(ConnectFailed, 1), (ConnectFailed, 2)])
        self.assertEqual(ready[0].retry_in, 2.0)
        self.server.script()
        self.advance(2)
        self.assertTrue(client.connected)
        self.advance(10)
        self.session.drop()
        self.settle()
        self.assertEqual(asked[2][1], 1)

    def test_none(self) -> None:
        """None gives up, after a failed attempt and after a loss."""
        for step in ("refuse", "accept"):
            self.server.script(connect=step)
            client = self.client(retry_policy=lambda failure, attempt: None)
            errors = Calls()
            client.on("error", errors)
            client.startService()
            self.settle()
            if step == "accept":
                self.session.drop()
                self.settle()
            self.assertEqual([type(error) for error in errors], [ClientClosed])
            self.failure(client.rpc("x"), ClientClosed)
            self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
            attempts = self.server.attempts
            self.advance(100)
            self.assertEqual(self.server.attempts, attempts)

    def test_backoff_still_counts(self) -> None:
        """``max_attempts`` and ``reconnect`` hold whatever the policy says, unasked."""
        asked = Calls()
        options: list[tuple[int, dict[str, Any]]] = [
            (2, {"backoff": Backoff(max_attempts=3)}),
            (0, {"reconnect": False}),
        ]
        for number, more in options:
            self.server.script(connect="refuse")
            asked.clear()
            client = self.started(retry_policy=lambda _, n: asked(n) or 1.0, **more)
            self.advance(10)
            self.failure(client.rpc("x"), ClientClosed)
            self.assertEqual(len(asked), number)

    def test_broken(self) -> None:
        """One that raises, or gives what cannot be waited, waits the cap, and is logged."""

        def raising(failure: Failure, attempt: int) -> float:
            raise RuntimeError

        nonsense: list[Any] = [-1.0, float("nan"), float("inf"), "1", True, fail]
        for policy in (raising, *(lambda *_, one=one: one for one in nonsense)):
            self.server.script(connect="refuse")
            client = self.started(retry_policy=policy, backoff=Backoff(cap=5.0))
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError, ValueError)), 1)
            self.server.script()
            self.advance(4.9)
            self.assertFalse(client.connected)
            self.advance(0.2)
            self.assertTrue(client.connected)

    def test_invalid(self) -> None:
        """What cannot be called is no policy."""
        error = self.assertRaises(InvalidOption, self.client, retry_policy=BACKOFF)
        self.assertIn("retry_policy", str(error))

    def test_end_at_once(self) -> None:
        """
        It may end the client, and restart it, also after an attempt that fails within the
        call that starts it.
        """
        for restarts in (0, 1, 2):
            ends: list[Any] = []

            def policy(failure: Failure, attempt: int, restarts: int = restarts) -> float:
                ends.append(client.end())  # noqa: B023
                if len(ends) <= restarts:  # noqa: B023
                    client.startService()  # noqa: B023
                return 1.0

            client: TokenSocket = self.client(
                retry_policy=policy, agent=Failing(), endpoint=Failing()
            )
            client.startService()
            self.settle()
            for end in ends:
                self.successResultOf(end)
            self.assertEqual(len(ends), restarts + 1)
            self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
            self.assertFalse(client.running)
