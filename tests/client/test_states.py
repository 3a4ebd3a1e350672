"""
The reconnect machine, in every state that it can be in.
"""

from __future__ import annotations

from typing import Any, ClassVar

from txtokensock.errors import (
    AttemptTimeout,
    AuthenticationAborted,
    AuthenticationRefused,
    ClientClosed,
    ConnectFailed,
    HandshakeRefused,
    SockJSRefused,
    TokenRefused,
    TokenUnreachable,
)
from txtokensock.testing import Step

from ..common import Calls, ServerTestCase


class StateTests:
    """
    What holds in every state before the client is ready.

    :ivar phase: where the server does not answer, so that the client stays there.
    :ivar deadline: seconds until the client gives this attempt up.
    :ivar failures: what the server may do there, and the error that it means.
    """

    phase: ClassVar[str]
    deadline: ClassVar[float] = 10.0
    failures: ClassVar[dict[Step, type[Exception]]]

    def stuck(self: Any) -> Any:
        """A client in this state."""
        self.server.script(**{self.phase: "ignore"})
        client = self.started()
        self.assertFalse(client.connected)
        return client

    def assert_ready_once(self: Any, client: Any) -> None:
        """There is one connection, and it works."""
        self.assertTrue(client.connected)
        self.assertEqual(len(self.server.open_sessions), 1)
        call = client.rpc("echo")
        self.settle()
        self.session.answer(self.session.received[-1], "here")
        self.settle()
        self.assertEqual(self.successResultOf(call), "here")

    def test_end(self: Any) -> None:
        """end() stops the attempt: nothing is open, no timer runs, nothing comes later."""
        client = self.stuck()
        ready = client.when_ready()
        end = client.end()
        self.settle()
        self.successResultOf(end)
        self.failure(ready, ClientClosed)
        self.assertEqual(self.server.open_connections, 0)
        self.assertEqual(list(self.server.clock.getDelayedCalls()), [])
        self.server.script()
        self.advance(100)
        self.assertEqual(self.server.open_connections, 0)

    def test_end_twice(self: Any) -> None:
        """end() may be called again, before and after the first has fired."""
        client = self.stuck()
        ends = [client.end(), client.end()]
        self.settle()
        for end in [*ends, client.end()]:
            self.successResultOf(end)

    def test_start_again(self: Any) -> None:
        """Starting what runs changes nothing: there is one attempt, and one connection."""
        client = self.stuck()
        client.startService()
        self.settle()
        self.server.script()
        self.advance(self.deadline + 1)
        self.assert_ready_once(client)

    def test_restart(self: Any) -> None:
        """After end() it can be started again, and connects anew."""
        client = self.stuck()
        client.end()
        self.settle()
        self.server.script()
        client.startService()
        self.settle()
        self.assert_ready_once(client)

    def test_start_during_stop(self: Any) -> None:
        """Started before end() has fired, it is as new, and what went is no failure of it."""
        client = self.stuck()
        ready = Calls()
        client.ready(ready)
        end = client.end()
        self.server.script()
        client.startService()
        self.settle()
        self.successResultOf(end)
        self.assert_ready_once(client)
        self.assertEqual(ready, [None])

    def test_failures(self: Any) -> None:
        """Each failure names its phase, closes what was open, and is tried again."""
        for step, kind in self.failures.items():
            self.server.script(**{self.phase: step})
            client, heard = self.client(), Calls()
            client.ready(heard)
            fast, patient = client.when_ready(fail_after=1), client.when_ready()
            client.startService()
            self.settle()
            error = self.failure(fast, kind)
            self.assertEqual((step, error.phase), (step, self.phase))
            self.assertEqual(heard, [error])
            self.assertEqual(self.server.open_connections, 0)
            self.pending(patient)
            self.server.script()
            self.advance(error.retry_in)
            self.successResultOf(patient)
            self.assertEqual(heard, [error, None])
            client.end()
            self.settle()

    def test_deadline(self: Any) -> None:
        """No answer within the deadline is a failure like any other."""
        client = self.stuck()
        failed = client.when_ready(fail_after=1)
        self.advance(self.deadline - 0.01)
        self.pending(failed)
        self.assertEqual(len(self.server.tokens), 1)
        self.server.script()
        self.advance(0.02)
        error = self.failure(failed, AttemptTimeout)
        self.assertEqual(error.phase, self.phase)
        self.assertIn(f"{self.deadline:g} seconds", str(error))
        self.assertEqual(self.server.open_connections, 0)
        self.advance(0.1)
        self.assert_ready_once(client)

    def test_calls_wait(self: Any) -> None:
        """What is asked for here is sent once there is a connection, in order."""
        client = self.stuck()
        first, second = client.rpc("first"), client.publish("c", 1)
        self.settle()
        self.pending(first)
        self.pending(second)
        self.server.script()
        self.advance(self.deadline + 1)
        self.assertEqual([m["rpc"] for m in self.session.received], ["first", "_publish"])
        self.successResultOf(second)
        self.pending(first)
        self.session.answer(self.session.received[0], 1)
        self.settle()
        self.assertEqual(self.successResultOf(first), 1)

    def test_calls_fail_at_the_end(self: Any) -> None:
        """What waits fails with ClientClosed, and so does what is asked for later."""
        client = self.stuck()
        waiting = [client.rpc("a"), client.publish("c", 1), client.subscribe("c")]
        client.end()
        later = [client.rpc("b"), client.broadcast(1), client.subscribe("d")]
        texts = [str(self.failure(call, ClientClosed)) for call in [*waiting, *later]]
        asked = ["rpc 'a'", "publish to 'c'", "subscribe to 'c'"]
        asked += ["rpc 'b'", "broadcast", "subscribe to 'd'"]
        self.assertEqual(texts, [f"{what}: the client was stopped" for what in asked])
        self.assertEqual(client.channels(), [])


class TokenTests(StateTests, ServerTestCase):
    """Waiting for the token."""

    phase = "token"
    failures = {
        "refuse": TokenRefused,
        "drop": TokenUnreachable,
        "hang up": TokenUnreachable,
        "garbage": TokenUnreachable,
    }


class ConnectTests(StateTests, ServerTestCase):
    """Waiting for the TCP connection."""

    phase = "connect"
    failures = {"refuse": ConnectFailed}


class HandshakeTests(StateTests, ServerTestCase):
    """Waiting for the WebSocket handshake."""

    phase = "handshake"
    failures = {
        "refuse": HandshakeRefused,
        "drop": HandshakeRefused,
        "hang up": HandshakeRefused,
        "garbage": HandshakeRefused,
    }


class OpenTests(StateTests, ServerTestCase):
    """Waiting for the SockJS open frame."""

    phase = "open"
    failures = {
        "refuse": SockJSRefused,
        "drop": SockJSRefused,
        "hang up": SockJSRefused,
        "garbage": SockJSRefused,
        lambda session: session.send_frame("a[]"): SockJSRefused,
        lambda session: session.send_frame('a["{}"]'): SockJSRefused,
        lambda session: session.close_websocket(1001): SockJSRefused,
        lambda session: session.send_binary(b"o"): SockJSRefused,
    }


class AuthTests(StateTests, ServerTestCase):
    """Waiting for the answer to auth."""

    phase = "auth"
    deadline = 30.0
    failures = {
        "refuse": AuthenticationRefused,
        "drop": AuthenticationAborted,
        "hang up": AuthenticationAborted,
        # A token without a UUID in it: the session is closed without an answer.
        lambda session: session.close(): AuthenticationAborted,
        lambda session: session.send_frame("o"): AuthenticationAborted,
        lambda session: session.send_frame("h?"): AuthenticationAborted,
    }

    def test_garbage_is_no_answer(self) -> None:
        """Messages that cannot be read are ignored, also here: the deadline decides."""
        self.server.script(auth="garbage")
        client = self.started()
        failed = client.when_ready(fail_after=1)
        self.assertEqual(client.ignored_messages, 1)
        self.advance(self.deadline)
        self.failure(failed, AttemptTimeout)

    def test_nothing_before_the_answer(self) -> None:
        """Whatever is sent before the answer to auth would close the connection."""
        client = self.stuck()
        client.rpc("early").addErrback(lambda _: None)
        client.subscribe("early").addErrback(lambda _: None)
        self.advance(5)
        self.assertEqual([m["rpc"] for m in self.session.messages], ["auth"])

    def test_two_answers(self) -> None:
        """Two authentication listeners send two answers: the first counts."""

        def twice(session: Any) -> None:
            session.accept_auth()
            session.refuse(session.messages[0])

        self.server.script(auth=twice)
        client = self.ready()
        self.assert_ready_once(client)

    def test_each_attempt_has_a_token_of_its_own(self) -> None:
        """A token serves once: another attempt asks for another."""
        self.server.script(auth="refuse")
        self.started()
        self.advance(0.5)
        tokens = [session.messages[0]["token"] for session in self.server.sessions]
        self.assertEqual(len(tokens), 3)
        self.assertEqual(len(set(tokens)), 3)
        self.assertEqual(self.server.open_connections, 0)
