"""
Random sequences of what users do and of what goes wrong.
"""

from __future__ import annotations

import gc
from typing import Any

from hypothesis import HealthCheck
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.kit.examples import examples
from txtokensock import Backoff
from txtokensock.testing import ScriptedServer

CHANNELS = st.sampled_from(["one", "two"])
STEPS = {
    "token_connect": ["refuse", "ignore"],
    "token": ["refuse", "ignore", "drop", "hang up", "garbage"],
    "connect": ["refuse", "ignore"],
    "handshake": ["refuse", "ignore", "drop", "hang up", "garbage"],
    "open": ["refuse", "ignore", "drop", "hang up", "garbage"],
    "auth": ["refuse", "ignore", "drop", "hang up", "garbage"],
    "close": ["ignore", "drop"],
}
GARBAGE = ["o", "?", "a[", 'a["{"]', 'a["null"]', "h", "", 'a["{\\"uuid\\":\\"x\\"}"]', "c[]"]

LONGEST = 60.0 + 30.0 + 10.0 * 4
"""Seconds after which everything must be decided: a call, and an attempt in all phases."""


class Machine(RuleBasedStateMachine):
    """One client, its server, and everything that was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.server = ScriptedServer()
        self.client = self.server.client(
            backoff=Backoff(jitter=lambda: 1.0), ping=20.0, actions={"ping": lambda _: "pong"}
        )
        self.asked: list[tuple[str, Deferred[Any]]] = []
        self.fired: list[str] = []
        self.ends: list[Deferred[None]] = []
        self.subscriptions: list[Any] = []
        self.problems: list[Any] = []
        self.reaction: str | None = None
        for event in ("ready", "reconnect", "disconnect", "error"):
            self.client.on(event, lambda _: self.react())
        globalLogPublisher.addObserver(self._log)

    def _log(self, event: Any) -> None:
        if "log_failure" in event:
            self.problems.append(event["log_failure"])

    def ask(self, what: str, deferred: Deferred[Any]) -> None:
        """Note it, and that it fires."""
        label = f"{what} {len(self.asked)}"
        self.asked.append((label, deferred))

        def fired(outcome: Any) -> None:
            self.fired.append(label)
            self.react()
            if what == "subscribe" and hasattr(outcome, "unsubscribe"):
                self.subscriptions.append(outcome)

        deferred.addBoth(fired)

    def react(self) -> None:
        """What the user does as soon as anything is heard, once."""
        reaction, self.reaction = self.reaction, None
        if reaction in ("end", "restart"):
            self.ends.append(self.client.end())
        if reaction in ("start", "restart"):
            self.client.startService()
        if reaction == "ask":
            self.ask("rpc", self.client.rpc("g"))
            self.ask("subscribe", self.client.subscribe("one"))

    # -- the user

    @rule(reaction=st.sampled_from(["end", "start", "restart", "ask"]))
    def will_react(self, reaction: str) -> None:
        self.reaction = reaction

    @initialize(started=st.sampled_from([True, True, True, False]))
    def begin(self, started: bool) -> None:
        if started:
            self.client.startService()
            self.server.settle()

    @rule()
    def start(self) -> None:
        self.client.startService()

    @rule()
    def end(self) -> None:
        self.ends.append(self.client.end())

    @rule()
    def reconnect_now(self) -> None:
        self.client.reconnect_now()

    @rule(idempotent=st.booleans(), timeout=st.sampled_from([None, 1, 10]))
    def rpc(self, idempotent: bool, timeout: float | None) -> None:
        self.ask("rpc", self.client.rpc("f", 1, idempotent=idempotent, timeout=timeout))

    @rule(size=st.sampled_from([1, 100_000]))
    def publish(self, size: int) -> None:
        self.ask("publish", self.client.publish("one", "x" * size))

    @rule(channel=CHANNELS)
    def subscribe(self, channel: str) -> None:
        self.ask("subscribe", self.client.subscribe(channel))

    @rule(channel=CHANNELS)
    def unsubscribe(self, channel: str) -> None:
        self.ask("unsubscribe", self.client.unsubscribe(channel))

    @precondition(lambda self: self.subscriptions)
    @rule(data=st.data())
    def drop_subscription(self, data: Any) -> None:
        subscription = data.draw(st.sampled_from(self.subscriptions))
        self.ask("unsubscribe", subscription.unsubscribe())

    @rule(fail_after=st.sampled_from([None, 1, 3]))
    def when_ready(self, fail_after: int | None) -> None:
        self.ask("ready", self.client.when_ready(fail_after))

    @precondition(lambda self: self.asked)
    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        data.draw(st.sampled_from([deferred for _, deferred in self.asked])).cancel()

    # -- time, and the server's ways

    @rule(seconds=st.sampled_from([0, 0.1, 0.5, 3, 11, 35]))
    def wait(self, seconds: float) -> None:
        self.server.advance(seconds)

    @rule(data=st.data(), phase=st.sampled_from([None, *STEPS]), acks=st.booleans())
    def script(self, data: Any, phase: str | None, acks: bool) -> None:
        self.server.acks = acks
        steps: Any = {phase: data.draw(st.sampled_from(STEPS[phase]))} if phase else {}
        self.server.script(**steps)

    # -- the server, on a session that it has

    @property
    def session(self) -> Any:
        """The newest session that is open."""
        sessions = self.server.open_sessions
        return sessions[-1] if sessions else None

    @precondition(lambda self: self.session)
    @rule(how=st.sampled_from(["drop", "hang_up", "close", "close_websocket"]))
    def lose(self, how: str) -> None:
        getattr(self.session, how)()

    @precondition(lambda self: self.session)
    @rule(frame=st.sampled_from(GARBAGE))
    def garbage(self, frame: str) -> None:
        self.session.send_frame(frame)

    @precondition(lambda self: self.session)
    @rule(reading=st.booleans())
    def read(self, reading: bool) -> None:
        if reading:
            self.session.read_again()
        else:
            self.session.stop_reading()

    @precondition(lambda self: self.session)
    @rule(name=st.sampled_from(["ping", "unknown"]))
    def call(self, name: str) -> None:
        self.session.call(name)

    @precondition(lambda self: self.session)
    @rule(channel=CHANNELS)
    def message(self, channel: str) -> None:
        self.session.publish(channel, 1)

    @precondition(lambda self: self.session)
    @rule(channel=CHANNELS, subscribed=st.booleans())
    def notice(self, channel: str, subscribed: bool) -> None:
        if subscribed:
            self.session.subscribed(channel)
        else:
            self.session.unsubscribed(channel)

    @precondition(lambda self: self.session and self.session.received)
    @rule(data=st.data(), error=st.sampled_from([None, "Forbidden", {}]))
    def answer(self, data: Any, error: Any) -> None:
        """Any request, once or often, soon or late, on this connection or another."""
        requests = [m for s in self.server.sessions for m in s.received if "uuid" in m]
        if not requests:
            return
        request = data.draw(st.sampled_from(requests))
        if error is None:
            self.session.answer(request, "success")
        else:
            self.session.refuse(request, error)

    # -- what must hold

    @invariant()
    def one_connection(self) -> None:
        """Whatever happens, there is at most one connection at any time."""
        self.server.settle()
        pairs = self.server.network.connections
        assert sum(client.connected for client, _ in pairs) <= 1

    @invariant()
    def no_bugs(self) -> None:
        """Nothing is logged as a failure."""
        assert not self.problems, self.problems

    def teardown(self) -> None:
        """At the end everything is decided, and nothing is left."""
        try:
            self.reaction = None
            self.server.script()
            self.server.advance(LONGEST)
            calls = [label for label, _ in self.asked if not label.startswith("ready")]
            assert set(calls) <= set(self.fired), set(calls) - set(self.fired)
            self.ends.append(self.client.end())
            self.server.advance(5)
            assert sorted(self.fired) == sorted(label for label, _ in self.asked)
            assert all(end.called for end in self.ends)
            assert not any(client.connected for client, _ in self.server.network.connections)
            for session in self.server.sessions:
                session.read_again()
            self.server.settle()
            assert not self.server.clock.getDelayedCalls(), self.server.clock.getDelayedCalls()
            assert not self.server.open_connections
            del self.asked[:], self.ends[:]
            gc.collect(1)
            self.no_bugs()
        finally:
            globalLogPublisher.removeObserver(self._log)


class MachineTests(SynchronousTestCase):
    """What users do, and what goes wrong, in any order."""

    def test_anything(self) -> None:
        """
        Every Deferred fires exactly once and in time, there is at most one connection,
        and after end() neither a timer nor a connection is left.
        """
        run_state_machine_as_test(
            Machine,
            settings=examples(
                150, stateful_step_count=25, suppress_health_check=list(HealthCheck)
            ),
        )
