"""The bridge as a service: starting, reloading, stopping, and telling systemd."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet.defer import Deferred
from twisted.internet.testing import EventLoggingObserver, MemoryReactorClock
from twisted.logger import globalLogPublisher

from tests.common import ServerTestCase
from txtokensock.bridge import service
from txtokensock.bridge.config.file import load
from txtokensock.bridge.config.upstream import UpstreamBackoff
from txtokensock.bridge.health import Condition, SideState
from txtokensock.bridge.service import Bridge
from txtokensock.bridge.upstream_socket import Upstream
from txtokensock.config.section import Problem
from txtokensock.errors import TokenServerError
from txtokensock.support.systemd import SystemdNotifier
from txtokensock.testing import ScriptedServer

GOOD = '[upstream]\nhost = "http://server.test"\n'
HTTP = GOOD + '[http]\nauthentication = "none"\n'
WAMP = '[wamp]\nurl = "ws://127.0.0.1:1/ws"\nrealm = "r"\n'


class RecordedSide:
    """A side that notes what is done to it, and stops when it is told to."""

    def __init__(self, name: str, events: list[Any]) -> None:
        self.name = name
        self.events = events
        self.stopped: Deferred[None] | None = None
        self.fails: Exception | None = None

    def startService(self) -> None:
        self.events.append(f"{self.name} started")

    def stopService(self) -> Deferred[None] | None:
        self.events.append(f"{self.name} stopping")
        if self.fails is not None:
            raise self.fails
        return self.stopped

    def state(self) -> SideState:
        return SideState(self.name, Condition.UP, 0.0)

    def needs_restart(self, section: Any) -> Iterator[Problem]:
        if section.listen.startswith("tcp:1:"):
            yield Problem("http.listen", "a change of it takes a restart")

    def reload(self, section: Any) -> None:
        if self.fails is not None:
            raise self.fails
        self.events.append((f"{self.name} reloaded", getattr(section, "streams", None)))


class BridgeTestCase(ServerTestCase):
    """With a file, a scripted server, and a side for ``[http]`` that notes what it is told."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = MemoryReactorClock()
        self.server = ScriptedServer(self.reactor)
        directory = tempfile.TemporaryDirectory(prefix="txtokensock-bridge-")
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name) / "bridge.toml"
        self.events: list[Any] = []
        self.side = RecordedSide("http", self.events)
        self.patch(service, "_SIDES", {"http": lambda bridge, section: self.side})
        self.logged = EventLoggingObserver.createWithCleanup(self, globalLogPublisher)
        self.told: list[str] = []

    def bridge(self, text: str = HTTP) -> Bridge:
        """A bridge that was started, and is stopped after the test."""
        self.path.write_text(text)
        config = load(str(self.path))
        upstream = Upstream(
            config.upstream,
            self.reactor,
            endpoint=self.server.network.endpoint(),
            agent=self.server.network.agent(),
        )
        notifier = SystemdNotifier(self.reactor, {})
        self.patch(notifier, "notify", self.told.append)
        bridge = Bridge(
            config,
            reactor=self.reactor,
            path=str(self.path),
            upstream=upstream,
            notifier=notifier,
        )
        bridge.startService()
        self.addCleanup(self._stop, bridge)
        self.settle()
        return bridge

    def _stop(self, bridge: Bridge) -> None:
        if bridge.running:
            self.side.fails, self.side.stopped = None, None
            stopped = bridge.stopService()
            self.advance(20)
            self.successResultOf(stopped)

    def said(self, event: str) -> list[Any]:
        """What was logged by that name."""
        return [each for each in self.logged if each.get("event") == event]


class LifeTests(BridgeTestCase):
    """Start and end."""

    def test_start(self) -> None:
        """Sides first, then the connection; the states say so."""
        bridge = self.bridge()
        self.assertEqual(self.events, ["http started"])
        self.assertEqual(
            [(state.name, state.up, state.detail) for state in bridge.states()],
            [("upstream", True, ""), ("http", True, "")],
        )
        self.assertEqual(self.told[0], "READY=1")
        self.assertEqual(self.said("bridge.started")[0]["sides"], "upstream, http")

    def test_upstream_states(self) -> None:
        """Up or down, since when, and why; time passes, the moment stays."""
        self.server.script(token="refuse")
        bridge = self.bridge()
        begun = self.reactor.seconds()
        self.advance(3)
        state = bridge.upstream.state()
        self.assertEqual((state.up, state.since), (False, begun))
        self.assertIn("403", state.detail)
        self.assertEqual(len(self.said("upstream.failed")), 1)
        self.server.script()
        self.advance(60)
        up = bridge.upstream.state()
        self.assertEqual((up.up, up.detail), (True, ""))
        self.assertGreater(up.since, begun)
        self.advance(5)
        self.server.session.drop()
        self.server.script(token_connect="refuse")
        self.settle()
        down = bridge.upstream.state()
        self.assertFalse(down.up)
        self.assertGreater(down.since, up.since)
        self.assertEqual(len(self.said("upstream.lost")), 1)

    def test_never_gives_up(self) -> None:
        """What makes a client give up is tried again slowly, as long as the section says."""
        self.server.script(token=lambda request: request.respond(410))
        bridge = self.bridge(HTTP + "[upstream.backoff]\nrefused = 20\n")
        self.assertIn("410", bridge.upstream.state().detail)
        self.advance(9.9)
        self.assertEqual(len(self.server.tokens), 1)
        self.server.script()
        self.advance(10.2)
        self.assertTrue(bridge.upstream.state().up)

    def test_one_host_for_good(self) -> None:
        """Nor is one host among several given up, nor asked whenever another is down."""
        hold = UpstreamBackoff(refused=20).build().hold
        self.assertTrue(10 <= hold(TokenServerError("x", 410), 1) <= 20)
        self.assertEqual(hold(TokenServerError("x", 500), 1), 0)

    def test_late_refusals(self) -> None:
        """An error that belongs to no call is logged, and again when there is another."""
        bridge = self.bridge()
        publishing = bridge.upstream.socket.publish("c", 1)
        self.settle()
        self.successResultOf(publishing)
        self.server.session.refuse(self.server.session.received[-1])
        self.settle()
        self.assertEqual(len(self.said("upstream.error")), 1)
        for error, count in (("one", 2), ("one", 2), ("other", 3), ("one", 4)):
            self.server.session.send({"error": error})
            self.settle()
            self.assertEqual(len(self.said("upstream.error")), count)

    def test_stop(self) -> None:
        """Sides first; the connection stays until they are done, and its end is no trouble."""
        bridge = self.bridge()
        self.side.stopped = Deferred()
        stopped = bridge.stopService()
        self.advance(5)
        self.assertNoResult(stopped)
        self.assertTrue(bridge.upstream.socket.connected)
        self.side.stopped.callback(None)
        self.settle()
        self.successResultOf(stopped)
        self.assertFalse(bridge.upstream.socket.connected)
        self.assertIn("STOPPING=1", self.told)
        self.assertEqual(self.said("upstream.lost"), [])

    def test_side_that_does_not_stop(self) -> None:
        """It is left behind after ``stop_timeout``, and the log says so."""
        bridge = self.bridge(HTTP + "[operation]\nstop_timeout = 3\n")
        self.side.stopped = Deferred()
        stopped = bridge.stopService()
        self.advance(3.9)
        self.assertNoResult(stopped)
        self.advance(0.2)
        self.successResultOf(stopped)
        self.assertEqual(len(self.said("side.failed")), 1)
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_side_that_fails_to_stop(self) -> None:
        """The others and the connection end all the same."""
        bridge = self.bridge()
        self.side.fails = RuntimeError("oops")
        stopped = bridge.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_asked_when_started(self) -> None:
        """What a side asks of the upstream at its start waits for a connection under way."""
        running: list[bool] = []

        def build(bridge: Bridge, section: Any) -> Any:
            start = self.side.startService
            self.patch(
                self.side,
                "startService",
                lambda: (running.append(bridge.upstream.socket.running), start()),
            )
            return self.side

        self.patch(service, "_SIDES", {"http": build})
        self.bridge()
        self.assertEqual(running, [True])

    def test_real_sides(self) -> None:
        """Every section that there can be has its side."""
        spool = self.path.with_name("spool.sqlite")
        self.path.write_text(HTTP + f'[webhooks]\nspool = "{spool}"\n' + WAMP)
        with mock.patch.object(service, "_SIDES", SIDES):
            bridge = Bridge(load(str(self.path)), reactor=self.reactor)
        names = [state.name for state in bridge.states()]
        self.assertEqual(names, ["upstream", "webhooks", "wamp", "http"])


SIDES = dict(service._SIDES)
"""The real ones, before any test replaces them."""


class ReloadTests(BridgeTestCase):
    """Another file."""

    def test_good(self) -> None:
        """Rules change; the connection stays."""
        bridge = self.bridge()
        session = self.server.session
        self.path.write_text(HTTP + "streams = 5\n[operation]\nstop_timeout = 2\n")
        self.assertTrue(bridge.reload())
        self.assertEqual(self.events[-1], ("http reloaded", 5))
        self.assertEqual(bridge.config.operation.stop_timeout, 2)
        (said,) = self.said("bridge.reloaded")
        self.assertEqual(said["taken"], "http.streams, operation.stop_timeout")
        self.assertEqual(self.server.open_sessions, [session])
        self.assertTrue(self.told[-2].startswith("RELOADING=1\nMONOTONIC_USEC="))
        self.assertEqual(self.told[-1], "READY=1\nSTATUS=running")

    def test_bad(self) -> None:
        """A file that cannot be used changes nothing, and each mistake is logged."""
        bridge = self.bridge()
        config = bridge.config
        for text, count in (
            ("[", 1),
            (HTTP + "streams = 0\nconcurrency = 0\n", 2),
            (GOOD.replace("server", "other"), 1),
            (HTTP + 'listen = "tcp:1:interface=127.0.0.1"', 1),
            (GOOD + "[http]\n", 1),  # its keys are gone
        ):
            before = len(self.said("bridge.not_reloaded"))
            self.path.write_text(text)
            self.assertFalse(bridge.reload(), text)
            self.assertEqual(len(self.said("bridge.not_reloaded")) - before, count)
        self.path.unlink()
        self.assertFalse(bridge.reload())
        self.assertIs(bridge.config, config)
        self.assertEqual(self.events, ["http started"])
        self.assertIn("refused", self.told[-1])
        state = bridge.states()[-1]
        self.assertEqual((state.name, state.condition), ("configuration", Condition.DEGRADED))
        self.assertRegex(state.detail, "^not reloaded: .*: No such file or directory$")
        self.path.write_text(HTTP)
        self.assertTrue(bridge.reload())
        self.assertEqual([state.name for state in bridge.states()], ["upstream", "http"])

    def test_side_goes_and_comes(self) -> None:
        """A section that goes takes its side along; one that comes brings it."""
        bridge = self.bridge()
        self.side.stopped = Deferred()
        self.path.write_text(GOOD)
        self.assertTrue(bridge.reload())
        self.assertEqual([state.name for state in bridge.states()], ["upstream"])
        self.assertEqual(self.events[-1], "http stopping")
        self.path.write_text(HTTP)
        self.assertFalse(bridge.reload())
        self.side.stopped.callback(None)
        self.assertTrue(bridge.reload())
        self.assertEqual(self.events[-1], "http started")
        self.assertEqual([state.name for state in bridge.states()], ["upstream", "http"])

    def test_stop_waits_for_a_side_that_goes(self) -> None:
        """Also one that a reload ended."""
        bridge = self.bridge()
        self.side.stopped = Deferred()
        self.path.write_text(GOOD)
        bridge.reload()
        stopped = bridge.stopService()
        self.settle()
        self.assertNoResult(stopped)
        self.side.stopped.callback(None)
        self.settle()
        self.successResultOf(stopped)

    def test_side_that_fails(self) -> None:
        """
        What a side raises goes no further than the log, which does not say that it is reloaded:
        its old rules are in force.  The others have their new ones.
        """
        bridge = self.bridge()
        self.side.fails = RuntimeError("oops")
        self.path.write_text(HTTP + "streams = 5\n[operation]\nstop_timeout = 2\n")
        for _ in range(2):
            self.assertFalse(bridge.reload())
            self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.said("bridge.reloaded"), [])
        self.assertIn("http: did not change", self.said("bridge.not_reloaded")[0]["problem"])
        self.assertEqual(bridge.config.operation.stop_timeout, 2)
        self.side.fails = None
        self.assertTrue(bridge.reload())
        self.assertEqual(self.said("bridge.reloaded")[0]["taken"], "http.streams")

    def test_hang_up(self) -> None:
        """SIGHUP reloads, in a turn of the reactor; after the end it is what it was."""
        previous = signal.getsignal(signal.SIGHUP)
        bridge = self.bridge()
        turns: list[Any] = []
        self.reactor.callFromThread = turns.append  # type: ignore[method-assign]
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.said("bridge.reloaded"), [])
        turns.pop()()
        (said,) = self.said("bridge.reloaded")
        self.assertEqual(said["taken"], "nothing that can change has changed")
        stopped = bridge.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.assertEqual(signal.getsignal(signal.SIGHUP), previous)
