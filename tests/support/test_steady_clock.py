"""
``support.steady_clock``: deadlines stay where they are when the wall clock is set.
"""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.task import Clock
from twisted.python import runtime
from twisted.trial.unittest import SynchronousTestCase

from txtokensock import TokenSocket
from txtokensock.server import TokenSocketServer, query
from txtokensock.support import steady_clock
from txtokensock.support.steady_clock import keep_steady, wall_seconds
from txtokensock.support.timer import Timer


class _Reactor(Clock):
    """A clock that is the machine's, as far as anybody can tell from its ``seconds``."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = runtime.seconds  # type: ignore[method-assign,assignment]


class SteadyClockTests(SynchronousTestCase):
    """A reactor of Twisted's, which is not run, and the machine's two clocks."""

    def setUp(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 500.0
        for patch in (
            mock.patch.object(steady_clock, "wall_clock", self.now),
            mock.patch.object(time, "monotonic", self.up),
        ):
            patch.start()
            self.addCleanup(patch.stop)
        self.reactor: Any = SelectReactor()
        self.addCleanup(self.reactor.fireSystemEvent, "shutdown")
        self.reactor.seconds = steady_clock.wall_clock

    def now(self) -> float:
        """The wall clock."""
        return self.wall

    def up(self) -> float:
        """The monotonic clock."""
        return self.monotonic

    def test_goes_on(self) -> None:
        """The seconds are at first those that they were."""
        self.monotonic += 100
        self.wall += 100
        keep_steady(self.reactor)
        self.assertEqual(self.reactor.seconds(), self.wall)

    def test_set_back_and_forward(self) -> None:
        """A deadline comes when its time is over, whatever the wall clock shows."""
        for step in (-3600.0, 3600.0):
            fired: list[bool] = []
            keep_steady(self.reactor)
            Timer(self.reactor, lambda fired=fired: fired.append(True)).start(60)
            self.wall += step
            self.monotonic += 59
            self.reactor.runUntilCurrent()
            self.assertEqual(fired, [])
            self.assertAlmostEqual(self.reactor.timeout(), 1.0, 3)
            self.monotonic += 1
            self.reactor.runUntilCurrent()
            self.assertEqual(fired, [True])

    def test_other_clocks(self) -> None:
        """A test's clock, or one that the application has chosen, is left alone."""
        clock = Clock()
        keep_steady(clock)
        clock.advance(5)
        self.assertEqual(clock.seconds(), 5)
        chosen = time.perf_counter
        self.reactor.seconds = chosen
        keep_steady(self.reactor)
        self.assertIs(self.reactor.seconds, chosen)

    def test_wall_seconds(self) -> None:
        """Times that others have said are those of the wall clock, or of a test's."""
        keep_steady(self.reactor)
        self.wall += 3600
        self.assertEqual(wall_seconds(self.reactor), self.wall)
        clock = Clock()
        clock.advance(5)
        self.assertEqual(wall_seconds(clock), 5)


class ServiceTests(SynchronousTestCase):
    """Clients and servers see to it when they start."""

    def test_started(self) -> None:
        """Before, the reactor is as it was."""
        for make in (
            lambda reactor: TokenSocket("127.0.0.1:1", reactor=reactor),
            lambda reactor: TokenSocketServer(query, reactor=reactor),
        ):
            reactor: Any = _Reactor()
            service: Any = make(reactor)
            self.assertIs(reactor.seconds, runtime.seconds)
            reactor.connectTCP = lambda *_, **__: mock.Mock()
            reactor.nameResolver = mock.Mock()
            service.startService()
            self.assertIsNot(reactor.seconds, runtime.seconds)
            service.stopService()
